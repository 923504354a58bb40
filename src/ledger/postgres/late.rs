//! Answers of the server that don't come in time.

use std::error::Error;
use std::io;
use std::time::Duration;

use tokio::time::error::Elapsed;

/// The error of a server that does not answer within `limit`.
pub(super) fn no_answer(limit: Duration) -> sqlx::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {limit:?}")).into()
}

/// True for an error that only says that the time is up.
pub(super) fn is_late(error: &(dyn Error + Send + Sync + 'static)) -> bool {
    error.is::<Elapsed>() || matches!(error.downcast_ref(), Some(sqlx::Error::PoolTimedOut))
}
