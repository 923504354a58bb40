//! A ledger is ready if its tables are migrated and writable.

use tunnelgate::ledger::{self, Options};
use tunnelgate::metrics::Metrics;

use crate::harness::{Harness, OPTIONS};
use crate::support::Store;

async fn a_migrated_ledger_is_ready(harness: Harness) {
    harness.ledger.ready().await.expect("ready");
}

async fn a_ledger_without_its_tables_is_not(harness: Harness) {
    let empty = if harness.store.is_postgres() { Store::postgres().await } else { Store::sqlite() };
    let options = Options { migrate: false, ..OPTIONS };
    match ledger::open(empty.url(), options, &Metrics::default()).await {
        Ok(ledger) => assert!(ledger.ready().await.is_err()),
        Err(refused) => assert!(!harness.store.is_postgres(), "{refused}"),
    }
}

async fn a_ledger_that_a_newer_version_migrated_is_still_ready(harness: Harness) {
    // Old replicas keep running during a rolling upgrade.
    let newer = if harness.store.is_postgres() {
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'newer', true, 'x'::bytea, 1)"
    } else {
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'newer', true, x'00', 1)"
    };
    harness.store.execute(newer).await.expect("a newer migration");
    harness.ledger.ready().await.expect("ready");
}

async fn opening_twice_migrates_once(harness: Harness) {
    let again = ledger::open(harness.store.url(), OPTIONS, &Metrics::default()).await.expect("a ledger");
    again.ready().await.expect("ready");
}

on_each_ledger!(
    a_migrated_ledger_is_ready,
    a_ledger_without_its_tables_is_not,
    a_ledger_that_a_newer_version_migrated_is_still_ready,
    opening_twice_migrates_once,
);
