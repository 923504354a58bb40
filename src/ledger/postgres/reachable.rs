//! Why a pool gives no connection. It retries while the server refuses connections, until the time is up, and then says
//! only that.

use std::time::Duration;

use sqlx::{ConnectOptions, Connection};
use tokio::time::timeout;

use crate::ledger::unready::Reason;
use crate::service::ledger::LedgerError;

use super::late::{is_late, no_answer};
use super::primary::Primary;
use super::session::Session;

/// Time limit of the attempt. Probes of readiness wait for it after the ledger's time limit.
const LIMIT: Duration = Duration::from_millis(500);

/// Opens connections as the pools do, one at a time and without a retry.
pub(super) struct Direct {
    pub(super) primary: Primary,
    pub(super) session: Session,
}

impl Direct {
    /// Opens and closes a connection.
    async fn attempt(&self) -> Result<(), sqlx::Error> {
        let attempt = timeout(LIMIT, async {
            let mut connection = self.primary.connect().connect().await?;
            self.session.begin(&mut connection).await?;
            connection.close().await
        });
        attempt.await.unwrap_or_else(|_| Err(no_answer(LIMIT)))
    }

    /// The reason of a pool's error that only says that the time is up.
    pub(super) async fn reason(&self, error: sqlx::Error) -> sqlx::Error {
        match error {
            sqlx::Error::PoolTimedOut => self.attempt().await.err().unwrap_or(error),
            error => error,
        }
    }

    /// As [`Self::reason`], for an error of work with a time limit of its own.
    pub(super) async fn reason_of(&self, error: LedgerError) -> LedgerError {
        match error {
            LedgerError::Unavailable(cause) if is_late(&*cause) => match self.attempt().await {
                Err(reason) => reason.into(),
                Ok(()) => Reason::Slow.into(),
            },
            error => error,
        }
    }
}
