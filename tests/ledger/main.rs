//! The conformance suite of the ledger: every test runs on SQLite and on PostgreSQL.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that can't go on fails")]

#[path = "../support/mod.rs"]
mod support;

mod chain;
mod claims;
mod group_commit;
mod idempotency;
mod keys;
mod lists;
mod ready;
mod replicas;
mod steps;
mod words;

/// Runs each test on each store.
macro_rules! on_each_ledger {
    ($($test:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() { super::$test(crate::words::Bench::open(crate::support::Store::sqlite()).await).await; })+
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test(crate::words::Bench::open(crate::support::Store::postgres().await).await).await;
            })+
        }
    };
}
pub(crate) use on_each_ledger;
