//! The whole service over HTTP, with a real ledger and the simulated cloud: every test runs on SQLite and on PostgreSQL.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that can't go on fails")]

#[path = "../support/mod.rs"]
mod support;

mod access;
mod audit;
mod codes;
mod conditional;
mod console;
mod contract;
mod dry_run;
mod edge;
mod field;
mod head;
mod idempotency;
mod input;
mod lists;
mod locks;
mod merging;
mod metrics;
mod misbehaviour;
mod plain_style;
mod replicas;
mod schema;
mod service;
mod stream;
mod tunnels;
mod waiting;

/// Runs each test on each store.
macro_rules! on_each_ledger {
    ($($test:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() { super::$test(crate::field::Field::new(crate::support::Store::sqlite()).await).await; })+
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test(crate::field::Field::new(crate::support::Store::postgres().await).await).await;
            })+
        }
    };
}
pub(crate) use on_each_ledger;
