//! The promises of the ledger and the tracker, kept while the database, the network and other replicas fail. The real
//! binary, real servers, real signals.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "a test that can't go on fails")]

#[path = "../support/mod.rs"]
mod support;

#[path = "../binary/process.rs"]
mod process;

mod commits;
mod field;
mod leases;
mod listening;
mod outages;
mod pools;
mod proxy;
mod refusals;
mod replicas;
mod rolling;
mod sqlite;

/// Runs each test on each store.
macro_rules! on_each_ledger {
    ($($test:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() { super::$test(crate::field::Field::on_sqlite().await).await; })+
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() { super::$test(crate::field::Field::on_postgres().await).await; })+
        }
    };
}
pub(crate) use on_each_ledger;
