//! The store of operations and audit events, on PostgreSQL and SQLite. Implements [`crate::service::ledger::Ledger`]. The
//! stores share everything but SQL: the decisions of a batch, the writer, the texts of lists, the columns.

mod batch;
mod columns;
mod idempotency;
mod lists;
mod metrics;
mod migrations;
mod pools;
mod postgres;
mod sqlite;
mod unfinished;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use crate::metrics::Metrics;
use crate::service::ledger::{Ledger, LedgerError};

/// How to open a ledger.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Connections for reads. Writes use connections of their own.
    pub connections: u32,
    /// Time limit of each read and of each batch of writes.
    pub timeout: Duration,
    /// Apply missing migrations.
    pub migrate: bool,
}

/// Why a ledger could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("DATABASE_URL is invalid (write postgres://user:password@host/database or sqlite:file)")]
    Url(#[source] sqlx::Error),
    #[error("the ledger could not be reached (check DATABASE_URL and that the database is running)")]
    Connect(#[source] sqlx::Error),
    #[error("the ledger's migrations failed (check that the database user may create tables)")]
    Migrate(#[source] sqlx::migrate::MigrateError),
}

/// Opens the ledger at a URL (`postgres://…`, `sqlite:…`).
///
/// # Errors
/// If the database is unreachable within the time limit, or a migration fails.
pub async fn open(url: &str, options: Options, metrics: &Metrics) -> Result<Arc<dyn Ledger>, OpenError> {
    if url.starts_with("sqlite:") {
        Ok(Arc::new(sqlite::Sqlite::open(url, options, metrics).await?))
    } else {
        Ok(Arc::new(postgres::Postgres::open(url, options, metrics).await?))
    }
}

/// Runs `work` under a time limit.
async fn limited<T, E: Into<LedgerError>>(
    limit: Duration,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, LedgerError> {
    match tokio::time::timeout(limit, work).await {
        Ok(result) => result.map_err(Into::into),
        Err(elapsed) => Err(LedgerError::Unavailable(Box::new(elapsed))),
    }
}

impl From<sqlx::Error> for LedgerError {
    fn from(error: sqlx::Error) -> Self {
        Self::Unavailable(Box::new(error))
    }
}
