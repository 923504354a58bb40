//! Applies the migrations.

use std::time::Duration;

use sqlx::Executor;
use sqlx::migrate::MigrateError;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::time::{Instant, sleep, timeout_at};
use tracing::warn;

use crate::ledger::{OpenError, migrations};

/// Time limit of all migrations together. An index on a large table takes minutes.
const LIMIT: Duration = Duration::from_secs(600);
/// Time limit of waiting for a lock. A statement that waits for a table's lock blocks every later statement on the table.
const LOCK_TIMEOUT: &str = "3s";
/// A statement timeout of the server or the role would end the build of an index.
const SETTINGS: &str = "SET lock_timeout = '3s'; SET statement_timeout = 0";
/// Pause between two attempts, in which the blocked statements run.
const PAUSE: Duration = Duration::from_secs(3);

/// Creates the log's next partitions. A function of the owner, because the service's role may not create tables.
pub(super) const EXTEND: &str = "SELECT audit_events_extend()";

/// Applies the migrations on a separate connection without a statement timeout. Retries while another transaction holds
/// a lock.
pub(super) async fn run(connect: &PgConnectOptions, limit: Duration) -> Result<(), OpenError> {
    let deadline = Instant::now() + LIMIT;
    loop {
        // A new connection for each attempt: a failed attempt keeps its advisory lock until its connection ends.
        let pool =
            PgPoolOptions::new().max_connections(1).acquire_timeout(limit).connect_lazy_with(connect.clone());
        let mut connection = pool.acquire().await.map_err(OpenError::Connect)?;
        connection.execute(SETTINGS).await.map_err(OpenError::Connect)?;
        let migrated = timeout_at(deadline, migrations::FOR_POSTGRES.run(&mut *connection)).await;
        drop(connection);
        pool.close().await;
        match migrated {
            Ok(Err(error)) if is_locked(&error) && Instant::now() < deadline => {
                warn!(
                    "a migration waited {LOCK_TIMEOUT} for a lock that another transaction holds; retrying. \
                     pg_stat_activity shows open transactions"
                );
                sleep(PAUSE).await;
            }
            Ok(migrated) => return migrated.map_err(OpenError::Migrate),
            Err(_) => return Err(OpenError::Connect(sqlx::Error::PoolTimedOut)),
        }
    }
}

/// True for lock_not_available.
fn is_locked(error: &MigrateError) -> bool {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error
            .as_database_error()
            .is_some_and(|refusal| refusal.code().is_some_and(|code| code == "55P03")),
        _ => false,
    }
}
