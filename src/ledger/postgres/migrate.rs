//! Applies the migrations.

use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, Row};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tracing::{info, warn};

use crate::ledger::OpenError;
use crate::ledger::migrations::{self, APPLIED, Applied};

use super::late::no_answer;

/// Time limit of all migrations together that run in a transaction.
const LIMIT: Duration = Duration::from_secs(600);
/// Time limit of a migration that runs outside of a transaction, such as an index on a table with hundreds of millions of
/// rows, and of waiting for another process that applies one.
const LONG_LIMIT: Duration = Duration::from_secs(24 * 3600);
/// Time limit of waiting for a lock. A statement that waits for a table's lock blocks every later statement on the table.
const LOCK_TIMEOUT: &str = "3s";
/// Pause between two attempts, in which the blocked statements run.
const PAUSE: Duration = Duration::from_secs(3);
/// Pause between two attempts to become the process that migrates.
const TURN_PAUSE: Duration = Duration::from_millis(200);

/// Creates the log's next partitions. A function of the owner, because the service's role may not create tables.
pub(super) const EXTEND: &str = "SELECT audit_events_extend()";

/// The advisory lock of the process that migrates ("tunnelga" in ASCII).
const TURN: i64 = 0x7475_6e6e_656c_6761;

/// Applies missing migrations on a separate connection without a statement timeout. One process of many migrates at a
/// time. Retries while another transaction holds a lock. Without missing migrations it only reads.
pub(super) async fn run(
    connect: &PgConnectOptions,
    limit: Duration,
    migrations: &Migrator,
) -> Result<(), OpenError> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let connected = timeout(limit, connect.connect());
        let mut connection =
            connected.await.unwrap_or_else(|_| Err(no_answer(limit))).map_err(OpenError::Connect)?;
        let migrated = match is_pending(&mut connection, limit, migrations).await {
            Ok(true) => apply(&mut connection, limit, migrations, deadline).await,
            Ok(false) => Ok(()),
            Err(error) => Err(error),
        };
        // Ends the advisory lock. An attempt that failed may have left a statement running.
        let _ = timeout(limit, connection.close()).await;
        match migrated {
            Err(OpenError::Migrate(error)) if has_code(&error, LOCKED) && Instant::now() < deadline => {
                warn!(
                    "a migration waited {LOCK_TIMEOUT} for a lock that another transaction holds; retrying. \
                     pg_stat_activity shows open transactions"
                );
                sleep(PAUSE).await;
            }
            Err(OpenError::Migrate(error)) if has_code(&error, NO_RIGHT) => {
                return Err(OpenError::MayNotMigrate);
            }
            migrated => return migrated,
        }
    }
}

/// Runs one statement of the migrator itself.
async fn short<T>(
    limit: Duration,
    statement: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, OpenError> {
    timeout(limit, statement).await.unwrap_or_else(|_| Err(no_answer(limit))).map_err(OpenError::Connect)
}

/// True unless every migration is applied as this version has it. Then a role that may not create tables needs no flag.
async fn is_pending(
    connection: &mut PgConnection,
    limit: Duration,
    migrations: &Migrator,
) -> Result<bool, OpenError> {
    let readable = "SELECT has_table_privilege(to_regclass('_sqlx_migrations'), 'SELECT')";
    let row = short(limit, sqlx::query(readable).fetch_one(&mut *connection)).await?;
    match row.try_get(0).map_err(OpenError::Connect)? {
        Some(true) => {}
        Some(false) => return Err(OpenError::MayNotRead),
        // There is no such table.
        None => return Ok(true),
    }
    let rows = short(limit, sqlx::query(APPLIED).fetch_all(&mut *connection)).await?;
    let applied: Vec<_> =
        rows.iter().map(Applied::of).collect::<Result<_, _>>().map_err(OpenError::Connect)?;
    Ok(applied.iter().any(|applied| !applied.success) || migrations::check(migrations, &applied).is_err())
}

async fn apply(
    connection: &mut PgConnection,
    limit: Duration,
    migrations: &Migrator,
    deadline: Instant,
) -> Result<(), OpenError> {
    // A statement timeout of the server or the role would end the build of an index.
    let settings = "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0";
    short(limit, connection.execute(settings)).await?;
    wait_for_turn(connection, limit).await?;
    for migration in migrations.iter() {
        let (lock_timeout, deadline) = if migration.no_tx {
            // Such a statement waits for old transactions to end, and nothing waits for it.
            ("0", Instant::now() + LONG_LIMIT)
        } else {
            (LOCK_TIMEOUT, deadline)
        };
        let set = format!("SET lock_timeout = '{lock_timeout}'");
        short(limit, connection.execute(AssertSqlSafe(set))).await?;
        let migrated = timeout_at(deadline, async {
            if migration.no_tx {
                drop_invalid_indexes(connection, migration).await?;
            }
            migrations.run_to(migration.version, &mut *connection).await
        });
        match migrated.await {
            Ok(migrated) => migrated.map_err(OpenError::Migrate)?,
            Err(_) => return Err(OpenError::MigrateTime),
        }
    }
    Ok(())
}

/// Waits until no other process migrates. A statement that waits for the lock would hold a snapshot, and an index that is
/// built concurrently waits for every older snapshot: both would wait for ever.
async fn wait_for_turn(connection: &mut PgConnection, limit: Duration) -> Result<(), OpenError> {
    let deadline = Instant::now() + LONG_LIMIT;
    let mut is_told = false;
    loop {
        let select = sqlx::query("SELECT pg_try_advisory_lock($1)").bind(TURN);
        let row = short(limit, select.fetch_one(&mut *connection)).await?;
        if row.try_get(0).map_err(OpenError::Connect)? {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(OpenError::MigrateTime);
        }
        if !std::mem::replace(&mut is_told, true) {
            info!("another process applies migrations; waiting for its end");
        }
        sleep(TURN_PAUSE).await;
    }
}

/// Drops the indexes that an interrupted `CREATE INDEX CONCURRENTLY` of this migration left: they are invalid, and cost
/// writes without helping reads.
async fn drop_invalid_indexes(
    connection: &mut PgConnection,
    migration: &Migration,
) -> Result<(), MigrateError> {
    let invalid = sqlx::query(
        "SELECT c.relname::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
         WHERE NOT i.indisvalid AND c.relnamespace = current_schema()::regnamespace",
    );
    for row in invalid.fetch_all(&mut *connection).await? {
        let name: String = row.try_get(0)?;
        let mut words = migration.sql.as_str().split(|c: char| !c.is_alphanumeric() && c != '_');
        if words.any(|word| word == name) {
            info!(index = name, "building an index again whose build was interrupted");
            let drop = format!("DROP INDEX CONCURRENTLY IF EXISTS \"{name}\"");
            connection.execute(AssertSqlSafe(drop)).await?;
        }
    }
    Ok(())
}

/// lock_not_available
const LOCKED: &str = "55P03";
/// insufficient_privilege
const NO_RIGHT: &str = "42501";

fn has_code(error: &MigrateError, code: &str) -> bool {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error
            .as_database_error()
            .is_some_and(|refusal| refusal.code().is_some_and(|refused| refused == code)),
        _ => false,
    }
}
