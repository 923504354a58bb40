//! Group commit: one task takes all steps that wait and applies them in one transaction. While that is being
//! committed the next ones gather, so the busier it is the more share a commit; a step that is alone waits for nobody.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::domain::operation::OperationId;
use crate::failpoint;
use crate::service::ledger::{LedgerError, Step, Written};

use super::figures::Figures;

/// Steps in one transaction at the most.
const MAX_BATCH: usize = 256;
/// Steps that may wait; beyond that, callers wait for a place.
const QUEUE: usize = 4096;
/// How long a store whose last batch failed counts as out of order, if nobody tries again meanwhile.
const DOUBT: Duration = Duration::from_secs(5);

/// What became of a batch as a whole.
pub(super) enum BatchError {
    /// The database refused something in it: some step is at fault, not the connection.
    Refused(LedgerError),
    /// Nothing was written, and the steps are not at fault.
    Unavailable(LedgerError),
}

/// A store that can apply a batch in one transaction.
#[async_trait]
pub(super) trait BatchStore: Send + Sync + 'static {
    /// Applies it, all or nothing, and gives an answer for each step and the operations that took one.
    async fn apply(&self, steps: &[Step]) -> Result<(Vec<Written>, Vec<OperationId>), BatchError>;
}

type Answer = oneshot::Sender<Result<Written, LedgerError>>;

/// A step that waits, since when, and who for.
struct Waiting {
    step: Step,
    answer: Answer,
    since: Instant,
}

/// The entrance to the writing task.
pub(super) struct Writer {
    queue: mpsc::Sender<Waiting>,
    steps: broadcast::Sender<OperationId>,
    failed_at: watch::Receiver<Option<Instant>>,
    limit: Duration,
}

impl Writer {
    /// Starts the task; it ends with the last entrance.
    pub(super) fn start(store: Arc<dyn BatchStore>, limit: Duration, figures: Figures) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let steps = broadcast::Sender::new(1024);
        let (failing, failed_at) = watch::channel(None);
        let task = Task { store, figures, steps: steps.clone(), failing, limit };
        tokio::spawn(task.run(waiting));
        Self { queue, steps, failed_at, limit }
    }

    /// Writes one step; durable when this answers.
    pub(super) async fn write(&self, step: Step) -> Result<Written, LedgerError> {
        let (answer, answered) = oneshot::channel();
        let gone = || LedgerError::Unavailable("the writer gave no answer".into());
        // A step that found no place was not written. One that is in the queue gets its answer whatever happens,
        // because only the writer knows whether it was committed.
        let waiting = Waiting { step, answer, since: Instant::now() };
        match tokio::time::timeout(self.limit, self.queue.send(waiting)).await {
            Ok(Ok(())) => answered.await.unwrap_or_else(|_| Err(gone())),
            Ok(Err(_)) => Err(gone()),
            Err(elapsed) => Err(LedgerError::Unavailable(Box::new(elapsed))),
        }
    }

    /// An error while the store is known to be out of order: its last batch failed just now. A probe can't tell by
    /// itself, because a full disk or a table's own fault may refuse a batch and let a smaller write pass.
    pub(super) fn ready(&self) -> Result<(), LedgerError> {
        match *self.failed_at.borrow() {
            Some(at) if at.elapsed() < DOUBT => Err(LedgerError::Unavailable("the last batch failed".into())),
            _ => Ok(()),
        }
    }

    pub(super) fn steps(&self) -> broadcast::Sender<OperationId> {
        self.steps.clone()
    }
}

/// Runs it to its end, or to a panic. That is a bug which this one batch met: its callers are told, and the next
/// batches are written all the same.
async fn contained(batch: impl Future<Output = ()>) {
    let mut batch = std::pin::pin!(batch);
    std::future::poll_fn(|context| {
        let polled = std::panic::catch_unwind(AssertUnwindSafe(|| batch.as_mut().poll(context)));
        polled.unwrap_or(std::task::Poll::Ready(()))
    })
    .await;
}

struct Task {
    store: Arc<dyn BatchStore>,
    figures: Figures,
    steps: broadcast::Sender<OperationId>,
    /// When the last batch failed; nothing once one was committed.
    failing: watch::Sender<Option<Instant>>,
    limit: Duration,
}

impl Task {
    async fn run(self, mut queue: mpsc::Receiver<Waiting>) {
        let mut batch = Vec::with_capacity(MAX_BATCH);
        while queue.recv_many(&mut batch, MAX_BATCH).await > 0 {
            contained(self.write(std::mem::take(&mut batch))).await;
        }
    }

    async fn write(&self, batch: Vec<Waiting>) {
        // What waited too long while the store failed is not written any more: whoever asked gets an answer in time.
        let (in_time, late): (Vec<_>, Vec<_>) =
            batch.into_iter().partition(|waiting| waiting.since.elapsed() <= self.limit);
        for waiting in late {
            let late = LedgerError::Unavailable("it waited too long and was not written".into());
            let _ = waiting.answer.send(Err(late));
        }
        if in_time.is_empty() {
            return;
        }
        let (steps, answers): (Vec<Step>, Vec<Answer>) =
            in_time.into_iter().map(|waiting| (waiting.step, waiting.answer)).unzip();
        match self.apply(&steps).await {
            Ok(written) => {
                for (answer, written) in answers.into_iter().zip(written) {
                    // Whoever asked may be gone; the step is written all the same.
                    let _ = answer.send(Ok(written));
                }
            }
            // Only a batch of more than one is ever taken apart.
            Err(BatchError::Refused(_)) if steps.len() > 1 => self.write_apart(&steps, answers).await,
            Err(error) => fail(answers, error),
        }
    }

    /// One by one, so that only the step at fault fails. If the store fails meanwhile, the rest is not tried.
    async fn write_apart(&self, steps: &[Step], answers: Vec<Answer>) {
        let mut left = steps.chunks(1).zip(answers);
        while let Some((step, answer)) = left.next() {
            match self.apply(step).await {
                Err(BatchError::Unavailable(error)) => {
                    let answers = std::iter::once(answer).chain(left.map(|(_, answer)| answer)).collect();
                    return fail(answers, BatchError::Unavailable(error));
                }
                written => {
                    let _ = answer.send(written.map_err(of_one).and_then(first));
                }
            }
        }
    }

    async fn apply(&self, steps: &[Step]) -> Result<Vec<Written>, BatchError> {
        let started = Instant::now();
        match self.store.apply(steps).await {
            Ok((written, operations)) => {
                failpoint::at!("batch.committed");
                self.figures.committed(&written, started.elapsed());
                self.failing.send_if_modified(|failed_at| failed_at.take().is_some());
                for operation in operations {
                    // Nobody may be listening.
                    let _ = self.steps.send(operation);
                }
                Ok(written)
            }
            Err(error) => {
                self.figures.failed();
                if matches!(error, BatchError::Unavailable(_)) {
                    self.failing.send_replace(Some(Instant::now()));
                }
                Err(error)
            }
        }
    }
}

/// Tells all of them the same.
fn fail(answers: Vec<Answer>, error: BatchError) {
    let shared: Arc<dyn std::error::Error + Send + Sync> = match of_one(error) {
        LedgerError::Unavailable(error) => error.into(),
        other => Arc::new(other),
    };
    for answer in answers {
        let _ = answer.send(Err(LedgerError::Unavailable(Box::new(Shared(shared.clone())))));
    }
}

fn of_one(error: BatchError) -> LedgerError {
    match error {
        BatchError::Refused(error) | BatchError::Unavailable(error) => error,
    }
}

fn first(written: Vec<Written>) -> Result<Written, LedgerError> {
    written.into_iter().next().ok_or_else(|| LedgerError::Corrupt("a step without an answer".into()))
}

/// One cause that many steps share.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Shared(#[source] Arc<dyn std::error::Error + Send + Sync>);
