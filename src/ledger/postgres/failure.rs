//! Why an attempt at a batch failed.

use sqlx::error::DatabaseError;
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

const FULL: &str = "the log has no partition for its next event; run `tunnelgate migrate` as the owner of the tables, and \
     let the service's role call audit_events_extend()";

/// True if no partition takes the row. PostgreSQL reports a violated CHECK, but names no constraint.
fn is_full(refusal: &dyn DatabaseError) -> bool {
    refusal.code().is_some_and(|code| code == "23514") && refusal.constraint().is_none()
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(refusal) if is_full(&**refusal) => {
                Self::Other(LedgerError::Unavailable(FULL.into()))
            }
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
