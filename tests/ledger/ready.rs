//! A ledger is ready if its tables are migrated and writable.

use futures_util::future::join_all;
use sqlx::{Connection, Executor};
use tunnelgate::ledger::{self, Options};
use tunnelgate::metrics::Metrics;
use tunnelgate::service::ledger::Unready;

use crate::harness::{Harness, OPTIONS};
use crate::support::Store;

async fn a_migrated_ledger_is_ready(harness: Harness) {
    harness.ledger.ready().await.expect("ready");
}

async fn a_ledger_without_its_tables_is_not(harness: Harness) {
    let empty = if harness.store.is_postgres() { Store::postgres().await } else { Store::sqlite() };
    let options = Options { migrate: false, ..OPTIONS };
    match ledger::open(empty.url(), options, &Metrics::default()).await {
        Ok(ledger) => assert_eq!(ledger.ready().await.expect_err("no tables").class, Unready::NotMigrated(1)),
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

/// The newest number alone says little: a migration may be missing below it, be left half done, or be another one.
async fn every_migration_has_to_be_applied_whole_and_unchanged(harness: Harness) {
    let Harness { store, ledger } = harness;
    let execute = async |sql: &str| assert_eq!(store.execute(sql).await.expect(sql), 1, "{sql}");
    let class = async || ledger.ready().await.expect_err("not ready").class;
    execute("UPDATE _sqlx_migrations SET version = 9999 WHERE version = 2").await;
    assert_eq!(class().await, Unready::NotMigrated(2));
    execute("UPDATE _sqlx_migrations SET version = 2, success = false WHERE version = 9999").await;
    assert_eq!(class().await, Unready::MigrationUnfinished(2));
    execute("UPDATE _sqlx_migrations SET success = true WHERE version = 2").await;
    ledger.ready().await.expect("ready");
    let other = if store.is_postgres() { "'x'::bytea" } else { "x'00'" };
    execute(&format!("UPDATE _sqlx_migrations SET checksum = {other} WHERE version = 1")).await;
    assert_eq!(class().await, Unready::MigrationDiffers(1));
}

async fn processes_that_open_a_new_ledger_at_the_same_time_all_get_it(harness: Harness) {
    let empty = if harness.store.is_postgres() { Store::postgres().await } else { Store::sqlite() };
    let metrics = Metrics::default();
    let open = || ledger::open(empty.url(), OPTIONS, &metrics);
    for ledger in join_all((0..6).map(|_| open())).await {
        ledger.expect("a ledger").ready().await.expect("ready");
    }
}

async fn opening_twice_migrates_once(harness: Harness) {
    let again = ledger::open(harness.store.url(), OPTIONS, &Metrics::default()).await.expect("a ledger");
    again.ready().await.expect("ready");
}

on_each_ledger!(
    a_migrated_ledger_is_ready,
    a_ledger_without_its_tables_is_not,
    a_ledger_that_a_newer_version_migrated_is_still_ready,
    every_migration_has_to_be_applied_whole_and_unchanged,
    opening_twice_migrates_once,
    processes_that_open_a_new_ledger_at_the_same_time_all_get_it,
);

/// A server without writes, as after a failover.
#[tokio::test]
async fn a_read_only_database_is_not_ready_and_is_told_as_such() {
    let store = Store::postgres().await;
    let ledger = ledger::open(store.url(), OPTIONS, &Metrics::default()).await.expect("a ledger");
    let mut admin = sqlx::PgConnection::connect(store.url()).await.expect("the database");
    let read_only = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on',
        current_database()); END $$";
    admin.execute(read_only).await.expect("a setting");
    let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    admin.execute(others).await.expect("ended");
    let why = loop {
        match ledger.ready().await {
            // The first use of a connection that the server ended.
            Err(why) if why.class == Unready::Unreachable => {}
            Err(why) => break why.class,
            Ok(()) => panic!("a read-only database is ready"),
        }
    };
    assert_eq!(why, Unready::ReadOnly);
}

/// A transaction that stays open for longer than a migration waits for its lock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_waits_for_a_lock_again_and_again() {
    let store = Store::postgres().await;
    let mut holder = sqlx::PgConnection::connect(store.url()).await.expect("the database");
    // The table that every migration writes first.
    for sql in [
        "CREATE TABLE _sqlx_migrations (version bigint PRIMARY KEY, description text NOT NULL,
             installed_on timestamptz NOT NULL DEFAULT now(), success boolean NOT NULL, checksum bytea NOT NULL,
             execution_time bigint NOT NULL)",
        "BEGIN",
        "LOCK TABLE _sqlx_migrations",
    ] {
        holder.execute(sql).await.expect(sql);
    }
    let metrics = Metrics::default();
    let opening = ledger::open(store.url(), OPTIONS, &metrics);
    let release = async {
        tokio::time::sleep(std::time::Duration::from_secs(4)).await;
        holder.execute("COMMIT").await.expect("committed");
    };
    let (opened, ()) = tokio::join!(opening, release);
    opened.expect("a ledger").ready().await.expect("ready");
}
