//! The ledger on SQLite: one file, one connection for writes, write-ahead log, every commit synced to disk.

mod apply;
mod archive;
mod assumed;
mod calls;
mod chain;
mod drift;
mod failure;
mod growth;
mod key_change;
mod keys;
mod leases;
mod lists;
mod rewound;
mod rows;
mod snapshot;
mod space;
mod steps;
mod webhooks;

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::MigrateError;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection};

use crate::metrics::Metrics;
use crate::service::ledger::LedgerError;

use super::metrics::WriterMetrics;
use super::pools::Pools;
use super::rewound::Memory;
use super::writer::Writer;
use super::{OpenError, Options, limited, migrations};

/// The ledger on SQLite.
pub(super) struct Sqlite {
    /// For reads.
    pool: SqlitePool,
    /// One connection. SQLite has one writer at a time, and the pool's queue is fairer than SQLite's lock.
    write_pool: SqlitePool,
    /// One connection, whose commits do not wait for the disk: losing a reservation of calls is harmless.
    calls_pool: SqlitePool,
    store: Arc<apply::Store>,
    writer: Writer,
    limit: Duration,
    file: PathBuf,
}

impl Sqlite {
    /// Checks the URL without opening the file.
    pub(super) fn check(url: &str) -> Result<(), OpenError> {
        let connect = SqliteConnectOptions::from_str(url).map_err(OpenError::Url)?;
        let file = connect.get_filename();
        match assumed::misplaced(file) {
            Some(problem) => Err(OpenError::Refused(format!("names {}: {problem}", file.display()).into())),
            None => Ok(()),
        }
    }

    pub(super) async fn open(url: &str, options: Options, metrics: &Metrics) -> Result<Self, OpenError> {
        let limit = options.timeout;
        let connect = SqliteConnectOptions::from_str(url)
            .map_err(OpenError::Url)?
            .create_if_missing(options.migrate)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(limit)
            .foreign_keys(true)
            .disable_statement_logging();
        let file = connect.get_filename().to_owned();
        if options.migrate {
            create_private(&file);
        }
        let pool = |connections| {
            SqlitePoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(limit)
                .test_before_acquire(false)
        };
        // On a full disk SQLite rolls back by itself, but sqlx's connection still counts an open transaction.
        let pool_of_writes = || {
            pool(1).after_release(|connection, _| {
                Box::pin(async move {
                    // The ping also waits for a pending rollback.
                    connection.ping().await?;
                    Ok(!connection.is_in_transaction())
                })
            })
        };
        let write_pool = match pool_of_writes().connect_with(connect.clone()).await {
            Ok(pool) => pool,
            Err(_) if !options.migrate && !file.exists() => return Err(OpenError::Missing(file.clone())),
            Err(error) => return Err(assumed::explain(&file, error)),
        };
        assumed::check(&write_pool, &file).await?;
        if options.migrate {
            migrate(&write_pool).await.map_err(OpenError::Migrate)?;
        }
        let calls_pool =
            pool_of_writes().connect_lazy_with(connect.clone().synchronous(SqliteSynchronous::Normal));
        let pool = pool(options.connections.min(4)).connect_lazy_with(connect.read_only(true));
        Pools::default()
            .with("read", &pool)
            .with("write", &write_pool)
            .with("calls", &calls_pool)
            .register(metrics);
        let memory = Arc::new(Memory::new(options.witness, metrics)?);
        let store = Arc::new(apply::Store::new(write_pool.clone(), limit, memory));
        let writer = Writer::start(store.clone(), limit, WriterMetrics::new(metrics));
        Ok(Self { pool, write_pool, calls_pool, store, writer, limit, file })
    }

    /// Runs `work` under the ledger's time limit.
    async fn limited<T, E: Into<LedgerError>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, LedgerError> {
        limited(self.limit, work).await
    }
}

/// Another process may migrate the same new file at the same time. A migration that it was faster with fails here, and is
/// applied by then: the next run begins after it.
async fn migrate(pool: &SqlitePool) -> Result<(), MigrateError> {
    for _ in migrations::FOR_SQLITE.iter() {
        if migrations::FOR_SQLITE.run(pool).await.is_ok() {
            return Ok(());
        }
    }
    migrations::FOR_SQLITE.run(pool).await
}

/// Creates the file with access for its owner only; SQLite would let others read it. On a failure, SQLite reports the error.
fn create_private(file: &std::path::Path) {
    use std::os::unix::fs::OpenOptionsExt;
    let _ = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
}
