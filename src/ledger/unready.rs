//! Why a store is not ready, as a class without the database's words.

use std::error::Error;

use tokio::time::error::Elapsed;

use crate::service::ledger::{LedgerError, NotReady, Unready};

/// A reason of our own.
#[derive(Debug, thiserror::Error)]
pub(super) enum Reason {
    #[error("migration {0} is not applied; run `tunnelgate migrate`")]
    NotMigrated(i64),
    #[error("migration {0} began and did not end; look at the database, and see `_sqlx_migrations`")]
    MigrationUnfinished(i64),
    #[error("migration {0} is applied with another text than this version's")]
    MigrationDiffers(i64),
    #[error("the last batch failed")]
    WritesFail,
    #[error("the role may not insert into {0}")]
    MayNotInsert(String),
    #[error("less than {} KiB are left on the disk", .0 / 1024)]
    NoSpace(u64),
    #[error("the database accepts connections, but did not answer in time")]
    Slow,
}

impl From<Reason> for LedgerError {
    fn from(reason: Reason) -> Self {
        Self::Unavailable(Box::new(reason))
    }
}

/// Classifies the error of a readiness check; `of_code` knows the error codes of the store's database.
pub(super) fn not_ready(error: LedgerError, of_code: fn(&str) -> Unready) -> NotReady {
    let class = match &error {
        LedgerError::Unavailable(cause) => class(&**cause, of_code),
        LedgerError::Corrupt(_) | LedgerError::UnreadableEvent(_) | LedgerError::Rewound(_) => Unready::Other,
    };
    NotReady { class, error }
}

fn class(cause: &(dyn Error + Send + Sync + 'static), of_code: fn(&str) -> Unready) -> Unready {
    if let Some(reason) = cause.downcast_ref() {
        return match reason {
            Reason::NotMigrated(number) => Unready::NotMigrated(*number),
            Reason::MigrationUnfinished(number) => Unready::MigrationUnfinished(*number),
            Reason::MigrationDiffers(number) => Unready::MigrationDiffers(*number),
            Reason::WritesFail => Unready::WritesFail,
            Reason::MayNotInsert(_) => Unready::NoRight,
            Reason::NoSpace(_) => Unready::Full,
            Reason::Slow => Unready::Slow,
        };
    }
    if cause.is::<Elapsed>() {
        return Unready::Slow;
    }
    match cause.downcast_ref() {
        Some(sqlx::Error::Database(refusal)) => refusal.code().map_or(Unready::Other, |code| of_code(&code)),
        Some(
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::PoolTimedOut,
        ) => Unready::Unreachable,
        _ => Unready::Other,
    }
}
