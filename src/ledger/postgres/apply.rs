//! A batch in one transaction.
//!
//! Optimistic path: this process was the last to write, so it knows the chain head. One statement checks the head and
//! every guard and writes the batch, or writes nothing. If a guard fails, the batch takes the locked path: lock the
//! chain head, load, decide, write, commit.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::Connection;
use sqlx::postgres::{PgConnection, PgPool};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{error, warn};

use crate::domain::event::{Event, NewEvent};
use crate::domain::operation::OperationId;
use crate::failpoint;
use crate::ledger::batch::{self, Context, Head, Writes};
use crate::ledger::rewound::Memory;
use crate::ledger::writer::{BatchError, BatchStore};
use crate::service::ledger::{LedgerError, Step, Written};

use super::failure::Failure;
use super::load::load;
use super::primary::Primary;
use super::write::{Path, write};

/// Attempts at a batch that fails with transient errors.
const ATTEMPTS: u32 = 3;
/// Pause between two checks whether a batch was committed.
const CHECK_PAUSE: Duration = Duration::from_millis(100);

const FOREIGN_WRITE: &str =
    "an operation changed under the chain's lock; make sure that only tunnelgate writes to its tables";

pub(super) struct Store {
    pub(super) pool: PgPool,
    primary: Primary,
    pub(super) limit: Duration,
    pub(super) memory: Arc<Memory>,
    last: Mutex<LastBatch>,
}

/// The chain as this process last saw it.
#[derive(Debug, Clone, Copy, Default)]
struct LastBatch {
    /// The chain head after this process's last batch.
    head: Option<Head>,
    /// No other process wrote between the last two batches, so the optimistic path is worth trying.
    is_sole_writer: bool,
}

/// How an attempt ended.
enum Outcome {
    Committed(Writes),
    /// The connection failed before it delivered the result of the commit.
    CommitUnknown(Writes, sqlx::Error),
    /// The head or a guard was not as expected. Nothing was written.
    GuardFailed,
}

/// A change of rows that comes with an event of no operation.
#[async_trait]
pub(super) trait Change: Sync {
    /// Writes the rows; false if there is nothing to change.
    async fn write(&self, connection: &mut PgConnection) -> Result<bool, sqlx::Error>;
}

#[async_trait]
impl BatchStore for Store {
    async fn apply(&self, steps: &[Step]) -> Result<(Vec<Written>, Vec<OperationId>), BatchError> {
        let deadline = Instant::now() + self.limit;
        let mut attempt = 1;
        let writes = loop {
            match self.attempt(steps, deadline).await {
                Err(Failure::Transient(error)) if attempt < ATTEMPTS && Instant::now() < deadline => {
                    warn!(error = crate::causes::chain(&error), "a batch failed temporarily; retrying");
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
    pub(super) fn new(pool: PgPool, primary: Primary, limit: Duration, memory: Arc<Memory>) -> Self {
        Self { pool, primary, limit, memory, last: Mutex::default() }
    }

    fn last(&self) -> LastBatch {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, head: Head, is_sole_writer: bool) {
        let last = LastBatch { head: Some(head), is_sole_writer };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = last;
        self.memory.advance(head);
    }

    /// Makes a change and writes its event in one transaction; false if there is nothing to change.
    pub(super) async fn change(&self, change: &dyn Change, event: NewEvent) -> Result<bool, LedgerError> {
        let changed = timeout(self.limit, async {
            let mut transaction = self.pool.begin().await?;
            let is_changed = change.write(&mut transaction).await?;
            if is_changed {
                let steps = [Step::Record(Box::new(event))];
                let context = load(&mut transaction, batch::needs(&steps), &self.memory).await?;
                let before = context.head;
                let writes = batch::decide(&steps, context)?;
                if !write(&mut transaction, before, &writes, Path::Locked).await? {
                    return Err(Failure::Other(LedgerError::Corrupt(FOREIGN_WRITE.into())));
                }
                transaction.commit().await?;
            }
            Ok::<_, Failure>(is_changed)
        });
        match changed.await {
            Ok(Ok(is_changed)) => Ok(is_changed),
            Ok(Err(failure)) => Err(failure.into()),
            Err(elapsed) => Err(LedgerError::Unavailable(Box::new(elapsed))),
        }
    }

    /// Starts the commit by the deadline, or writes nothing.
    async fn attempt(&self, steps: &[Step], deadline: Instant) -> Result<Writes, Failure> {
        let last = self.last();
        let mut connection = timeout_at(deadline, self.primary.acquire(&self.pool)).await??;
        let mut outcome = match last {
            LastBatch { head: Some(head), is_sole_writer: true } if self.memory.is_at(head) => {
                optimistic(&mut connection, steps, head, deadline).await
            }
            _ => Ok(Outcome::GuardFailed),
        };
        let mut is_sole_writer = true;
        if let Ok(Outcome::GuardFailed) = outcome {
            outcome = match locked(&mut connection, steps, deadline, self.limit, &self.memory).await {
                Ok((before, outcome)) => {
                    is_sole_writer = last.head.is_none_or(|head| head == before);
                    Ok(outcome)
                }
                Err(failure) => Err(failure),
            };
        }
        let writes = match outcome {
            Ok(Outcome::Committed(writes)) => writes,
            Ok(Outcome::CommitUnknown(writes, lost)) => {
                // The transaction on this connection may still be running.
                drop(connection.detach());
                self.resolve_commit(&writes, lost).await?;
                writes
            }
            Ok(Outcome::GuardFailed) => {
                return Err(Failure::Other(LedgerError::Corrupt(FOREIGN_WRITE.into())));
            }
            Err(Failure::Refused(error)) => return Err(Failure::Refused(error)),
            Err(Failure::Other(LedgerError::Rewound(rewound))) => {
                drop(connection);
                self.note_loss().await;
                return Err(LedgerError::Rewound(rewound).into());
            }
            Err(failure) => {
                // The connection may be dead, or lead to a server that is no longer the primary. Returning it to the
                // pool would wait for its answer.
                drop(connection.detach());
                return Err(failure);
            }
        };
        self.remember(writes.head, is_sole_writer);
        Ok(writes)
    }

    /// Finds out whether a batch was committed. The check waits for the lock of the chain head, which is free only after
    /// the batch's transaction has ended; so the batch's last event exists by then, or never will.
    async fn resolve_commit(&self, writes: &Writes, lost: sqlx::Error) -> Result<(), Failure> {
        let Some(last) = writes.events.last() else { return Ok(()) };
        warn!(
            error = crate::causes::chain(&lost),
            seq = last.row.seq,
            "the result of a commit was lost; checking the ledger"
        );
        let deadline = Instant::now() + self.limit * 2;
        let mut failed = lost;
        while Instant::now() < deadline {
            match timeout_at(deadline, self.is_committed(last)).await {
                Ok(Ok(true)) => return Ok(()),
                Ok(Ok(false)) => return Err(Failure::Transient(failed)),
                Ok(Err(error)) => failed = error,
                Err(_) => break,
            }
            tokio::time::sleep(CHECK_PAUSE).await;
        }
        error!(seq = last.row.seq, "commit outcome unknown: the ledger stayed unreachable");
        Err(Failure::Other(failed.into()))
    }

    async fn is_committed(&self, event: &Event) -> Result<bool, sqlx::Error> {
        // Detached: if this connection is dead too, it must not occupy a place in the pool.
        let mut connection = self.primary.acquire(&self.pool).await?.detach();
        let mut transaction = connection.begin().await?;
        sqlx::query("SELECT seq FROM chain_head FOR UPDATE").execute(&mut *transaction).await?;
        // By seq, which names the partition.
        let find = sqlx::query("SELECT 1 FROM audit_events WHERE seq = $1 AND id = $2");
        let found = find.bind(event.row.seq).bind(event.row.id);
        let found = found.fetch_optional(&mut *transaction).await?.is_some();
        transaction.rollback().await?;
        Ok(found)
    }
}

/// One statement, one transaction, one round trip.
async fn optimistic(
    connection: &mut PgConnection,
    steps: &[Step],
    head: Head,
    deadline: Instant,
) -> Result<Outcome, Failure> {
    let writes = batch::decide(steps, Context::assumed(head, steps))?;
    if writes.events.is_empty() {
        // Nothing to write under the assumptions. Only the locked path can confirm that.
        return Ok(Outcome::GuardFailed);
    }
    failpoint::at!("batch.before-commit");
    match timeout_at(deadline, write(connection, head, &writes, Path::Optimistic)).await {
        Ok(Ok(true)) => Ok(Outcome::Committed(writes)),
        Ok(Ok(false)) => Ok(Outcome::GuardFailed),
        Ok(Err(error)) if is_rolled_back(&error) => Err(error.into()),
        Ok(Err(error)) => Ok(Outcome::CommitUnknown(writes, error)),
        Err(_) => Ok(Outcome::CommitUnknown(writes, sqlx::Error::PoolTimedOut)),
    }
}

/// True if the error proves that the statement was rolled back. A server that shuts down or a terminated connection
/// may report an error after the commit.
fn is_rolled_back(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(refusal)
        if refusal.code().is_some_and(|code| !code.starts_with("57P") && !code.starts_with("08")))
}

/// Reads the context under the lock of the chain head; also returns the head before the batch. On an error nothing was
/// committed.
async fn locked(
    connection: &mut PgConnection,
    steps: &[Step],
    deadline: Instant,
    commit_limit: Duration,
    memory: &Memory,
) -> Result<(Head, Outcome), Failure> {
    let written = timeout_at(deadline, async {
        let mut transaction = connection.begin().await?;
        let context = load(&mut transaction, batch::needs(steps), memory).await?;
        let before = context.head;
        let writes = batch::decide(steps, context)?;
        // The guards were read under the lock, so they hold unless another program writes to these tables.
        if !writes.events.is_empty() && !write(&mut transaction, before, &writes, Path::Locked).await? {
            return Err(Failure::Other(LedgerError::Corrupt(FOREIGN_WRITE.into())));
        }
        Ok::<_, Failure>((before, writes, transaction))
    });
    let (before, writes, transaction) = written.await??;
    if writes.events.is_empty() {
        // The transaction only read. Dropping it rolls it back.
        return Ok((before, Outcome::Committed(writes)));
    }
    failpoint::at!("batch.before-commit");
    let outcome = match timeout(commit_limit, transaction.commit()).await {
        Ok(Ok(())) => Outcome::Committed(writes),
        Ok(Err(error)) => Outcome::CommitUnknown(writes, error),
        Err(_) => Outcome::CommitUnknown(writes, sqlx::Error::PoolTimedOut),
    };
    Ok((before, outcome))
}
