//! Why an attempt at a batch failed.

use crate::ledger::writer::BatchError;
use crate::service::ledger::LedgerError;

/// Why a batch failed. Nothing was written.
pub(super) enum Failure {
    /// The database refused a row.
    Refused(sqlx::Error),
    Other(LedgerError),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        // SQLITE_CONSTRAINT and its extended codes, which include errors that triggers raise.
        let is_constraint = |code: &str| code.parse::<u32>().is_ok_and(|code| code & 0xff == 19);
        match &error {
            sqlx::Error::Database(refusal) if refusal.code().is_some_and(|code| is_constraint(&code)) => {
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
