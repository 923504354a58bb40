//! The promises about crashes and secrets, shown by destruction: the real binary, really killed, on both ledgers.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that can't go on fails")]

#[path = "../support/mod.rs"]
mod support;

#[allow(dead_code, reason = "the tests of the binary use the rest")]
#[path = "../binary/process.rs"]
mod process;

/// Runs each test on each ledger. What waits for a process must not stop the consumers, so there are two threads.
macro_rules! on_each_ledger {
    ($($test:ident),+ $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() { super::$test(crate::support::Store::sqlite()).await; })+
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() { super::$test(crate::support::Store::postgres().await).await; })+
        }
    };
}
pub(crate) use on_each_ledger;

mod accounts;
mod debug;
mod field;
mod front;
mod kills;
mod load;
mod points;
mod repeats;
mod search;
mod secrets;
mod view;
