//! Why an attempt at a batch failed.

use tokio::time::error::Elapsed;

use crate::ledger::writer::BatchError;
use crate::service::ledger::LedgerError;

use super::sqlstate::{Fault, fault};

/// Why an attempt at a batch failed. Nothing was written.
pub(super) enum Failure {
    /// The database refused a row.
    Refused(sqlx::Error),
    /// A retry may succeed.
    Transient(sqlx::Error),
    Other(LedgerError),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(refusal) => match refusal.code().map(|code| fault(&code)) {
                Some(Fault::Row) => Self::Refused(error),
                Some(Fault::Transient) => Self::Transient(error),
                Some(Fault::Server) | None => Self::Other(error.into()),
            },
            sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => Self::Transient(error),
            _ => Self::Other(error.into()),
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
            Failure::Refused(error) | Failure::Transient(error) => error.into(),
            Failure::Other(error) => error,
        }
    }
}

impl From<Elapsed> for Failure {
    fn from(elapsed: Elapsed) -> Self {
        Self::Other(LedgerError::Unavailable(Box::new(elapsed)))
    }
}

impl From<Failure> for BatchError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(error) => Self::Refused(error.into()),
            Failure::Transient(error) => Self::Unavailable(error.into()),
            Failure::Other(error) => Self::Unavailable(error),
        }
    }
}
