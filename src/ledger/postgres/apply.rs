//! A batch in one transaction. As a rule one statement does it all: who writes alone knows where the chain ends, and the
//! statement writes nothing unless that, and every guard, holds. Where the guess was wrong the batch takes the long
//! way: lock the head of the chain, load, decide, write, commit.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::Connection;
use sqlx::postgres::{PgConnection, PgPool};
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{error, warn};
use uuid::Uuid;

use crate::domain::operation::OperationId;
use crate::failpoint;
use crate::ledger::batch::{self, Context, Head, Writes};
use crate::ledger::writer::{BatchError, BatchStore};
use crate::service::ledger::{LedgerError, Step, Written};

use super::load::load;
use super::sqlstate::{Fault, fault};
use super::write::{Trust, write};

/// Attempts at a batch that failed for the moment only.
const ATTEMPTS: u32 = 3;
/// The wait before the fate of a commit is looked for again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

pub(super) struct Store {
    pool: PgPool,
    limit: Duration,
    known: Mutex<Known>,
}

/// What this process knows of the end of the chain without looking.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    /// Where its last batch left it.
    head: Option<Head>,
    /// Nobody else is known to have written after that; so probably nobody does.
    is_alone: bool,
}

/// Why a batch did not come about.
pub(super) enum Failure {
    /// The database refused a row.
    Refused(sqlx::Error),
    /// Nothing was written, and another attempt may succeed.
    Passing(sqlx::Error),
    Other(LedgerError),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(refusal) => match refusal.code().map(|code| fault(&code)) {
                Some(Fault::Row) => Self::Refused(error),
                Some(Fault::Moment) => Self::Passing(error),
                Some(Fault::Server) | None => Self::Other(LedgerError::from(error)),
            },
            sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => Self::Passing(error),
            _ => Self::Other(LedgerError::from(error)),
        }
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        Self::Other(error)
    }
}

impl From<Failure> for BatchError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(error) => Self::Refused(LedgerError::from(error)),
            Failure::Passing(error) => Self::Unavailable(LedgerError::from(error)),
            Failure::Other(error) => Self::Unavailable(error),
        }
    }
}

/// How an attempt ended.
enum Ended {
    Committed(Writes),
    /// The answer to the commit was lost.
    Doubtful(Writes, sqlx::Error),
    /// A guess was wrong; nothing was written.
    Misguided,
}

#[async_trait]
impl BatchStore for Store {
    async fn apply(&self, steps: &[Step]) -> Result<(Vec<Written>, Vec<OperationId>), BatchError> {
        let deadline = Instant::now() + self.limit;
        let mut attempt = 1;
        let writes = loop {
            match self.attempt(steps, deadline).await {
                Err(Failure::Passing(error)) if attempt < ATTEMPTS && Instant::now() < deadline => {
                    warn!(
                        error = crate::causes::chain(&error),
                        "a batch failed for the moment; trying again"
                    );
                    attempt += 1;
                }
                result => break result?,
            }
        };
        let operations = writes.operations();
        Ok((writes.written, operations))
    }
}

impl Store {
    pub(super) fn new(pool: PgPool, limit: Duration) -> Self {
        Self { pool, limit, known: Mutex::default() }
    }

    fn known(&self) -> Known {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn learn(&self, head: Head, is_alone: bool) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Known { head: Some(head), is_alone };
    }

    /// Has come to the commit by the deadline, or writes nothing.
    async fn attempt(&self, steps: &[Step], deadline: Instant) -> Result<Writes, Failure> {
        let known = self.known();
        let mut connection = timeout_at(deadline, self.pool.acquire()).await.map_err(late)??;
        let mut ended = match known {
            Known { head: Some(head), is_alone: true } => {
                at_once(&mut connection, steps, head, deadline).await
            }
            _ => Ok(Ended::Misguided),
        };
        let mut is_alone = true;
        if let Ok(Ended::Misguided) = ended {
            ended = match with_a_look(&mut connection, steps, deadline, self.limit).await {
                Ok((before, ended)) => {
                    is_alone = known.head.is_none_or(|head| head == before);
                    Ok(ended)
                }
                Err(failure) => Err(failure),
            };
        }
        let writes = match ended {
            Ok(Ended::Committed(writes)) => writes,
            Ok(Ended::Doubtful(writes, lost)) => {
                // Nobody knows what this connection is in the middle of.
                drop(connection.detach());
                self.find_out(&writes, lost).await?;
                writes
            }
            Ok(Ended::Misguided) => return Err(Failure::Other(LedgerError::Corrupt(FOREIGN.into()))),
            Err(Failure::Refused(error)) => return Err(Failure::Refused(error)),
            Err(failure) => {
                // It may be dead, or lead to a server that is no longer the one to write to; a pool that takes it
                // back would wait for it.
                drop(connection.detach());
                return Err(failure);
            }
        };
        self.learn(writes.head, is_alone);
        Ok(writes)
    }

    /// The answer to a commit was lost. Under the lock of the chain's head the old transaction has ended one way or
    /// the other, so its last event is there or will never be.
    async fn find_out(&self, writes: &Writes, lost: sqlx::Error) -> Result<(), Failure> {
        let Some(last) = writes.events.last() else { return Ok(()) };
        warn!(
            error = crate::causes::chain(&lost),
            seq = last.row.seq,
            "the answer to a commit was lost; looking"
        );
        let deadline = Instant::now() + self.limit * 2;
        let mut failed = lost;
        while Instant::now() < deadline {
            match timeout_at(deadline, self.is_there(last.row.id)).await {
                Ok(Ok(true)) => return Ok(()),
                Ok(Ok(false)) => return Err(Failure::Passing(failed)),
                Ok(Err(error)) => failed = error,
                Err(_) => break,
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        error!(seq = last.row.seq, "nobody can tell whether this batch was committed");
        Err(Failure::Other(LedgerError::from(failed)))
    }

    async fn is_there(&self, event: Uuid) -> Result<bool, sqlx::Error> {
        // Out of the pool: it may be as dead as the one that was lost, and its place must stay free.
        let mut connection = self.pool.acquire().await?.detach();
        let mut transaction = connection.begin().await?;
        sqlx::query("SELECT seq FROM chain_head FOR UPDATE").execute(&mut *transaction).await?;
        let found = sqlx::query("SELECT 1 FROM audit_events WHERE id = $1").bind(event);
        let found = found.fetch_optional(&mut *transaction).await?.is_some();
        transaction.rollback().await?;
        Ok(found)
    }
}

/// One statement, one transaction, one round trip.
async fn at_once(
    connection: &mut PgConnection,
    steps: &[Step],
    head: Head,
    deadline: Instant,
) -> Result<Ended, Failure> {
    let writes = batch::decide(steps, Context::guessed(head, steps))?;
    if writes.events.is_empty() {
        // Only a look can tell that there is really nothing to write.
        return Ok(Ended::Misguided);
    }
    failpoint::at!("batch.before-commit");
    match timeout_at(deadline, write(connection, head, &writes, Trust::Guessed)).await {
        Ok(Ok(true)) => Ok(Ended::Committed(writes)),
        Ok(Ok(false)) => Ok(Ended::Misguided),
        Ok(Err(error)) if is_refusal(&error) => Err(error.into()),
        Ok(Err(error)) => Ok(Ended::Doubtful(writes, error)),
        Err(_) => Ok(Ended::Doubtful(writes, sqlx::Error::PoolTimedOut)),
    }
}

/// The server answered that the statement failed, so nothing of it is left. A server that goes down, or a connection
/// that is ended from outside, may say so after the commit.
fn is_refusal(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(refusal)
        if refusal.code().is_some_and(|code| !code.starts_with("57P") && !code.starts_with("08")))
}

/// Looks first, under the lock of the chain's head; with where the chain ended before. An error says that nothing was
/// committed.
async fn with_a_look(
    connection: &mut PgConnection,
    steps: &[Step],
    deadline: Instant,
    commit_limit: Duration,
) -> Result<(Head, Ended), Failure> {
    let written = timeout_at(deadline, async {
        let mut transaction = connection.begin().await?;
        let context = load(&mut transaction, batch::needs(steps)).await?;
        let before = context.head;
        let writes = batch::decide(steps, context)?;
        // The guards are checked under the lock, so they hold unless something else writes our tables.
        if !writes.events.is_empty() && !write(&mut transaction, before, &writes, Trust::Looked).await? {
            return Err(Failure::Other(LedgerError::Corrupt(FOREIGN.into())));
        }
        Ok::<_, Failure>((before, writes, transaction))
    });
    let (before, writes, transaction) = written.await.map_err(late)??;
    if writes.events.is_empty() {
        // Nothing to keep: the transaction only looked, and dropping it ends it.
        return Ok((before, Ended::Committed(writes)));
    }
    failpoint::at!("batch.before-commit");
    let ended = match timeout(commit_limit, transaction.commit()).await {
        Ok(Ok(())) => Ended::Committed(writes),
        Ok(Err(error)) => Ended::Doubtful(writes, error),
        Err(_) => Ended::Doubtful(writes, sqlx::Error::PoolTimedOut),
    };
    Ok((before, ended))
}

const FOREIGN: &str = "an operation is not as its guards were just seen: something else writes to the ledger";

fn late(elapsed: Elapsed) -> LedgerError {
    LedgerError::Unavailable(Box::new(elapsed))
}
