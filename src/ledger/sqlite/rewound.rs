//! A log that went back: the statements on SQLite.

use sqlx::sqlite::SqlitePool;
use tokio::time::timeout;
use tracing::error;

use crate::domain::event::NewEvent;
use crate::ledger::rewound::{ACCEPT, Comparison, NOTE, NOTED, changes, head_of};
use crate::service::ledger::{AcceptedLoss, LedgerError, Step};

use super::apply::{Store, write};
use super::chain::read_chain;
use super::failure::Failure;

impl Store {
    /// Compares the chain with what this process remembers; returns the newest seq.
    ///
    /// # Errors
    /// [`LedgerError::Rewound`] if the log went back.
    pub(super) async fn check_chain(&self, pool: &SqlitePool) -> Result<i64, LedgerError> {
        let mut connection = pool.acquire().await?;
        let (head, comparison) = read_chain(&mut connection, &self.memory).await?;
        drop(connection);
        match comparison {
            Comparison::Whole => Ok(head.seq),
            Comparison::WentBack { rewound, unnoted } => {
                if unnoted.is_some() {
                    self.note_loss().await;
                }
                Err(LedgerError::Rewound(rewound))
            }
        }
    }

    /// Notes the lost head for all processes. The check under the write lock prevents a note after an acceptance.
    pub(super) async fn note_loss(&self) {
        let noted = timeout(self.limit, async {
            let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
            let (_, comparison) = read_chain(&mut transaction, &self.memory).await?;
            if let Comparison::WentBack { unnoted: Some(head), .. } = comparison {
                let note = sqlx::query(NOTE).bind(head.seq).bind(head.hash.to_vec());
                note.execute(&mut *transaction).await?;
                transaction.commit().await?;
            }
            Ok::<_, Failure>(())
        });
        if !matches!(noted.await, Ok(Ok(()))) {
            error!("can't note the lost events in the ledger");
        }
    }

    /// Accepts the loss of the events after `after`.
    pub(super) async fn accept_loss(&self, after: i64, event: NewEvent) -> Result<AcceptedLoss, LedgerError> {
        let accepted = timeout(self.limit, async {
            let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
            let (head, _) = read_chain(&mut transaction, &self.memory).await?;
            let noted = sqlx::query(NOTED).fetch_all(&mut *transaction).await?;
            let lost = noted.iter().map(head_of).collect::<Result<Vec<_>, _>>()?;
            if lost.is_empty() {
                return Ok(AcceptedLoss::NothingLost);
            }
            if head.seq != after {
                return Ok(AcceptedLoss::NotNewest(head.seq));
            }
            sqlx::query(ACCEPT).execute(&mut *transaction).await?;
            let event = NewEvent { changes: Some(changes(after, &lost)), ..event };
            write(&mut transaction, &[Step::Record(Box::new(event))], &self.memory).await?;
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
