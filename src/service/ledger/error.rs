//! Why a call to the ledger failed.

/// Why a call to the ledger failed. The details go to the log; a consumer receives `ledger_unavailable`.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The database was unreachable, too slow, or refused the statement. Nothing is known to have been written.
    #[error("the ledger is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A row contains a value that its column does not allow.
    #[error("the ledger holds a row that cannot be read: {0}")]
    Corrupt(String),
    /// An event's row contains a value that its column does not allow.
    #[error("event {0} cannot be read")]
    UnreadableEvent(i64),
}
