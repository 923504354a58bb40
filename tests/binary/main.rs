//! The whole binary, as users run it.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that can't go on fails")]

#[path = "../support/mod.rs"]
mod support;

/// Runs each test on each ledger.
macro_rules! on_each_ledger {
    ($($test:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test] async fn $test() { super::$test(crate::support::Store::sqlite()).await; })+
        }
        mod on_postgres {
            $(#[tokio::test] async fn $test() { super::$test(crate::support::Store::postgres().await).await; })+
        }
    };
}
pub(crate) use on_each_ledger;

mod audit;
mod process;
mod sandbox;
mod serve;
mod tls;
