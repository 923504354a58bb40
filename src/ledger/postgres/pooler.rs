//! Connection poolers between this process and PostgreSQL.
//!
//! A pooler that gives a connection another server process for each transaction loses session settings, which other
//! clients then get, and `LISTEN`.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection, Row, raw_sql};
use tokio::time::timeout;

use crate::ledger::OpenError;

use super::late::no_answer;

const NO_SESSIONS: &str = "leads to a connection pooler that changes the server process between transactions, such as \
     PgBouncer in transaction mode, which tunnelgate does not support; use pool_mode=session for this database, or \
     connect to PostgreSQL directly";

/// Checks that each connection keeps its own server process.
///
/// # Errors
/// If it does not, or the server can't be reached in time.
pub(super) async fn check(connect: &PgConnectOptions, limit: Duration) -> Result<(), OpenError> {
    let checked = timeout(limit, async {
        let (mut one, mut other) = (connect.connect().await?, connect.connect().await?);
        // A pooler prefers the server process that became free last, so the two connections share it, or it takes all of
        // them in turn, so one connection gets another one each time.
        let first = process(&mut one).await?;
        let second = process(&mut other).await?;
        let mut keeps = first != second;
        for _ in 0..2 {
            keeps &= process(&mut one).await? == first;
            keeps &= process(&mut one).await? == first;
            keeps &= process(&mut other).await? == second;
        }
        let _ = tokio::join!(one.close(), other.close());
        Ok::<_, sqlx::Error>(keeps)
    });
    match checked.await {
        Ok(Ok(true)) => Ok(()),
        Ok(Ok(false)) => Err(OpenError::Refused(NO_SESSIONS.into())),
        Ok(Err(error)) => Err(OpenError::Connect(error)),
        Err(_) => Err(OpenError::Connect(no_answer(limit))),
    }
}

/// The id of the server process that answers.
async fn process(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    // Without a prepared statement, which a pooler may lose.
    let row = raw_sql("SELECT pg_backend_pid()::text").fetch_one(connection).await?;
    let text: String = row.try_get(0)?;
    text.parse().map_err(|_| sqlx::Error::Protocol("the id of the server process is no number".into()))
}
