//! The size of the log, and the room for more events.

use async_trait::async_trait;

use super::error::LedgerError;

/// The size of the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSize {
    /// The oldest event that is not archived; one after `newest_seq` if the ledger contains no event.
    pub oldest_seq: i64,
    /// The newest event; 0 if there is none.
    pub newest_seq: i64,
    /// Bytes of the events and their indexes on the database's disk. On SQLite: of the whole file.
    pub bytes: i64,
    /// Events that fit into the partitions that exist; `None` if the store has no partitions.
    pub room: Option<i64>,
}

/// Keeps room for the log's growth.
#[async_trait]
pub trait Growth: Send + Sync + 'static {
    /// Creates the log's next partitions, if some are due.
    async fn extend_log(&self) -> Result<(), LedgerError>;

    /// Measures the log.
    async fn log_size(&self) -> Result<LogSize, LedgerError>;
}
