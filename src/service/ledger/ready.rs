//! Why the ledger is not ready.

use super::error::LedgerError;

/// The class of the reason. Callers without a token see it, so it contains nothing that the database said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unready {
    /// No connection.
    Unreachable,
    /// The database refuses the role, its password or the database's name.
    LoginRefused,
    /// The database has no free connection.
    NoConnection,
    /// The database answers, but not in time.
    Slow,
    /// A right is missing.
    NoRight,
    /// This migration is not applied.
    NotMigrated(i64),
    /// This migration began and did not end.
    MigrationUnfinished(i64),
    /// This migration is applied with another text.
    MigrationDiffers(i64),
    /// A table is missing although all migrations are applied.
    NoTable,
    /// The database accepts no writes.
    ReadOnly,
    /// The database has no space left.
    Full,
    /// A recent write failed.
    WritesFail,
    /// Another reason, which only the log has.
    Other,
}

/// The ledger is not ready.
#[derive(Debug, thiserror::Error)]
#[error("the ledger is not ready")]
pub struct NotReady {
    pub class: Unready,
    /// The whole reason, for the log.
    #[source]
    pub error: LedgerError,
}

impl AsRef<LedgerError> for NotReady {
    fn as_ref(&self) -> &LedgerError {
        &self.error
    }
}
