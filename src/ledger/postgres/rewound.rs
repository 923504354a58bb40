//! A log that went back: the statements on PostgreSQL.

use sqlx::postgres::PgPool;
use tokio::time::timeout;
use tracing::error;

use crate::domain::event::NewEvent;
use crate::ledger::batch::{self, Context};
use crate::ledger::rewound::{ACCEPT, Chain, Comparison, Memory, NOTE, NOTED, READ_CHAIN, changes, head_of};
use crate::service::ledger::{AcceptedLoss, LedgerError, Step};

use super::apply::Store;
use super::chain::{MARK, changed_under_lock, lock_chain};
use super::failure::Failure;
use super::write::{Path, write};

impl Store {
    /// Compares the chain with what this process remembers; returns the newest seq.
    ///
    /// # Errors
    /// [`LedgerError::Rewound`] if the log went back.
    pub(super) async fn check_chain(&self, pool: &PgPool) -> Result<i64, LedgerError> {
        let remembered = self.memory.newest();
        let (seq, hash, acceptance) = Memory::parameters(remembered);
        let row = sqlx::query(READ_CHAIN).bind(seq).bind(hash).bind(acceptance).fetch_one(pool).await?;
        let chain = Chain::of(&row)?;
        match self.memory.compare(remembered, &chain) {
            Comparison::Whole => Ok(chain.head.seq),
            Comparison::WentBack { rewound, unnoted } => {
                if unnoted.is_some() {
                    self.note_loss().await;
                }
                Err(LedgerError::Rewound(rewound))
            }
        }
    }

    /// Notes the lost head for all replicas. The check under the lock prevents a note after an acceptance.
    pub(super) async fn note_loss(&self) {
        let noted = timeout(self.limit, async {
            let mut transaction = self.pool.begin().await?;
            let (_, comparison) = lock_chain(&mut transaction, &self.memory).await?;
            if let Comparison::WentBack { unnoted: Some(head), .. } = comparison {
                let note = sqlx::query(NOTE).bind(head.seq).bind(head.hash.to_vec());
                note.execute(&mut *transaction).await?;
                sqlx::query(MARK).execute(&mut *transaction).await?;
                transaction.commit().await?;
            }
            Ok::<_, Failure>(())
        });
        if !matches!(noted.await, Ok(Ok(()))) {
            error!("can't note the lost events in the ledger; other replicas may continue");
        }
    }

    /// Accepts the loss of the events after `after`.
    pub(super) async fn accept_loss(&self, after: i64, event: NewEvent) -> Result<AcceptedLoss, LedgerError> {
        let accepted = timeout(self.limit, async {
            let mut transaction = self.pool.begin().await?;
            let (head, _) = lock_chain(&mut transaction, &self.memory).await?;
            let noted = sqlx::query(NOTED).fetch_all(&mut *transaction).await?;
            let lost = noted.iter().map(head_of).collect::<Result<Vec<_>, _>>()?;
            if lost.is_empty() {
                return Ok(AcceptedLoss::NothingLost);
            }
            if head.seq != after {
                return Ok(AcceptedLoss::NotNewest(head.seq));
            }
            let event = NewEvent { changes: Some(changes(after, &lost)), ..event };
            let writes = batch::decide(&[Step::Record(Box::new(event))], Context::at(head))?;
            if !write(&mut transaction, head, &writes, Path::Locked).await? {
                return Err(changed_under_lock().into());
            }
            sqlx::query(ACCEPT).execute(&mut *transaction).await?;
            sqlx::query(MARK).execute(&mut *transaction).await?;
            transaction.commit().await?;
            Ok::<_, Failure>(AcceptedLoss::Accepted)
        });
        match accepted.await {
            Ok(Ok(accepted)) => Ok(accepted),
            Ok(Err(failure)) => Err(failure.into()),
            Err(elapsed) => Err(LedgerError::Unavailable(Box::new(elapsed))),
        }
    }
}
