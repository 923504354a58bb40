//! The store of operations and events, behind [`crate::service::ledger::Ledger`], on PostgreSQL and on SQLite. What
//! is not SQL is shared: the batch, the writer, the form of the columns.

mod batch;
mod columns;
mod figures;
mod lists;
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

/// How a ledger is opened.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Connections for reads; writing has its own.
    pub connections: u32,
    /// The time limit of every read and of every batch of writes.
    pub timeout: Duration,
    /// Apply the migrations that are missing.
    pub migrate: bool,
}

/// Why a ledger could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the ledger's URL can't be read")]
    Url(#[source] sqlx::Error),
    #[error("the ledger could not be reached")]
    Connect(#[source] sqlx::Error),
    #[error("the ledger's migrations could not be applied")]
    Migrate(#[source] sqlx::migrate::MigrateError),
}

/// Opens the ledger at a URL (`postgres://…`, `sqlite:…`).
///
/// # Errors
/// If it can't be reached in time, or not be migrated.
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
