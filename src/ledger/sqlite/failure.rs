//! Why an attempt at a batch failed.

use crate::ledger::writer::BatchError;
use crate::service::ledger::{LedgerError, Unready};

/// Why a batch failed. Nothing was written.
pub(super) enum Failure {
    /// The database refused a row.
    Refused(sqlx::Error),
    Other(LedgerError),
}

/// The primary result code of an extended one.
fn primary(code: &str) -> Option<u32> {
    code.parse().ok().map(|code: u32| code & 0xff)
}

/// Why a readiness check failed (SQLite documentation, result codes).
pub(super) fn unready(code: &str) -> Unready {
    match primary(code) {
        // SQLITE_BUSY, SQLITE_LOCKED
        Some(5 | 6) => Unready::Slow,
        Some(8) => Unready::ReadOnly,
        Some(13) => Unready::Full,
        // SQLITE_CANTOPEN
        Some(14) => Unready::Unreachable,
        _ => Unready::Other,
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            // SQLITE_CONSTRAINT, which includes errors that triggers raise.
            sqlx::Error::Database(refusal)
                if refusal.code().is_some_and(|code| primary(&code) == Some(19)) =>
            {
                Self::Refused(error)
            }
            _ => Self::Other(LedgerError::from(error)),
        }
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        Self::Other(error)
    }
}

impl From<Failure> for LedgerError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(error) => Self::from(error),
            Failure::Other(error) => error,
        }
    }
}

impl From<Failure> for BatchError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(error) => Self::Refused(LedgerError::from(error)),
            Failure::Other(error) => Self::Unavailable(error),
        }
    }
}
