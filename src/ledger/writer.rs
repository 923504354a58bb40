//! Group commit: one task applies all queued steps in one transaction. The next steps queue during the commit, so
//! batches grow with the load. A single step is written at once.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::domain::operation::OperationId;
use crate::failpoint;
use crate::service::ledger::{LedgerError, Step, Written};

use super::unready::Reason;
use crate::trace::{Here, Span};

use super::metrics::WriterMetrics;

/// Maximum number of steps in one transaction.
const MAX_BATCH: usize = 256;
/// Capacity of the queue. Callers wait while the queue is full.
const QUEUE: usize = 4096;
/// How long the store counts as failing after a failed batch, unless a later batch is committed.
const FAILING_FOR: Duration = Duration::from_secs(5);

/// Why a batch failed as a whole.
pub(super) enum BatchError {
    /// The database refused a row: one of the steps is invalid.
    Refused(LedgerError),
    /// Nothing was written, for a reason outside of the steps.
    Unavailable(LedgerError),
}

/// A store that can apply a batch in one transaction.
#[async_trait]
pub(super) trait BatchStore: Send + Sync + 'static {
    /// Applies all steps or none. Returns the outcome of each step, and the ids of the operations that took a step.
    async fn apply(&self, steps: &[Step]) -> Result<(Vec<Written>, Vec<OperationId>), BatchError>;
}

type Answer = oneshot::Sender<Result<Written, LedgerError>>;

/// A queued step.
struct Queued {
    step: Step,
    answer: Answer,
    since: Instant,
    here: Here,
}

/// The queue of the writing task.
pub(super) struct Writer {
    queue: mpsc::Sender<Queued>,
    steps: broadcast::Sender<OperationId>,
    failed_at: watch::Receiver<Option<Instant>>,
    limit: Duration,
}

impl Writer {
    /// Starts the task, which ends when the writer is dropped.
    pub(super) fn start(store: Arc<dyn BatchStore>, limit: Duration, metrics: WriterMetrics) -> Self {
        let (queue, queued) = mpsc::channel(QUEUE);
        let steps = broadcast::Sender::new(1024);
        let (failing, failed_at) = watch::channel(None);
        let task = Task { store, metrics, steps: steps.clone(), failing, limit };
        tokio::spawn(task.run(queued));
        Self { queue, steps, failed_at, limit }
    }

    /// Writes one step, durable on return.
    pub(super) async fn write(&self, step: Step) -> Result<Written, LedgerError> {
        let (answer, answered) = oneshot::channel();
        let gone = || LedgerError::Unavailable("the writer stopped without an answer".into());
        // Only waiting for the queue has a time limit: such a step was not written. Whether a queued step was committed,
        // only the writer knows, so the caller waits for its answer.
        let queued = Queued { step, answer, since: Instant::now(), here: Here::now() };
        match tokio::time::timeout(self.limit, self.queue.send(queued)).await {
            Ok(Ok(())) => answered.await.unwrap_or_else(|_| Err(gone())),
            Ok(Err(_)) => Err(gone()),
            Err(elapsed) => Err(LedgerError::Unavailable(Box::new(elapsed))),
        }
    }

    /// Fails if the last batch failed recently. A probe alone is not enough: on a full disk or with one broken table, a
    /// small write may succeed where a batch fails.
    pub(super) fn ready(&self) -> Result<(), LedgerError> {
        match *self.failed_at.borrow() {
            Some(at) if at.elapsed() < FAILING_FOR => Err(Reason::WritesFail.into()),
            _ => Ok(()),
        }
    }

    pub(super) fn steps(&self) -> broadcast::Sender<OperationId> {
        self.steps.clone()
    }
}

struct Task {
    store: Arc<dyn BatchStore>,
    metrics: WriterMetrics,
    steps: broadcast::Sender<OperationId>,
    /// When the last batch failed; `None` after a commit.
    failing: watch::Sender<Option<Instant>>,
    limit: Duration,
}

impl Task {
    async fn run(self, mut queue: mpsc::Receiver<Queued>) {
        let mut batch = Vec::with_capacity(MAX_BATCH);
        while queue.recv_many(&mut batch, MAX_BATCH).await > 0 {
            // A panic drops the answers of the batch, which is an error for its callers. The task continues with the next
            // batch.
            let write = AssertUnwindSafe(self.write(std::mem::take(&mut batch)));
            if write.catch_unwind().await.is_err() {
                self.metrics.failed();
            }
        }
    }

    async fn write(&self, batch: Vec<Queued>) {
        // A step that was queued for longer than the limit is not written, so that its caller gets an answer in time.
        let (in_time, late): (Vec<_>, Vec<_>) =
            batch.into_iter().partition(|queued| queued.since.elapsed() <= self.limit);
        for queued in late {
            let late =
                LedgerError::Unavailable("the step was queued for too long and was not written".into());
            let _ = queued.answer.send(Err(late));
        }
        if in_time.is_empty() {
            return;
        }
        let span = Span::shared("ledger batch", in_time.iter().map(|queued| &queued.here));
        span.set("tunnelgate.steps", i64::try_from(in_time.len()).unwrap_or(i64::MAX));
        let (steps, answers): (Vec<Step>, Vec<Answer>) =
            in_time.into_iter().map(|queued| (queued.step, queued.answer)).unzip();
        let applied = span.around(self.apply(&steps)).await;
        drop(span);
        match applied {
            Ok(written) => {
                for (answer, written) in answers.into_iter().zip(written) {
                    // The caller may be gone.
                    let _ = answer.send(Ok(written));
                }
            }
            // One step can't be split further.
            Err(BatchError::Refused(_)) if steps.len() > 1 => self.write_one_by_one(&steps, answers).await,
            Err(error) => fail(answers, error),
        }
    }

    /// Writes each step in its own batch, so that only the invalid step fails. Stops at the first failure of the store.
    async fn write_one_by_one(&self, steps: &[Step], answers: Vec<Answer>) {
        let mut left = steps.chunks(1).zip(answers);
        while let Some((step, answer)) = left.next() {
            match self.apply(step).await {
                Err(BatchError::Unavailable(error)) => {
                    let answers = std::iter::once(answer).chain(left.map(|(_, answer)| answer)).collect();
                    return fail(answers, BatchError::Unavailable(error));
                }
                written => {
                    let _ = answer.send(written.map_err(ledger_error).and_then(first));
                }
            }
        }
    }

    async fn apply(&self, steps: &[Step]) -> Result<Vec<Written>, BatchError> {
        let started = Instant::now();
        match self.store.apply(steps).await {
            Ok((written, operations)) => {
                failpoint::at!("batch.committed");
                self.metrics.committed(&written, started.elapsed());
                self.failing.send_if_modified(|failed_at| failed_at.take().is_some());
                for operation in operations {
                    // There may be no receiver.
                    let _ = self.steps.send(operation);
                }
                Ok(written)
            }
            Err(error) => {
                self.metrics.failed();
                // A log that went back has a readiness check of its own.
                if matches!(&error, BatchError::Unavailable(cause) if !matches!(cause, LedgerError::Rewound(_)))
                {
                    self.failing.send_replace(Some(Instant::now()));
                }
                Err(error)
            }
        }
    }
}

/// Sends the same error to all callers.
fn fail(answers: Vec<Answer>, error: BatchError) {
    let shared: Arc<dyn std::error::Error + Send + Sync> = match ledger_error(error) {
        LedgerError::Rewound(rewound) => {
            for answer in answers {
                let _ = answer.send(Err(LedgerError::Rewound(rewound)));
            }
            return;
        }
        LedgerError::Unavailable(error) => error.into(),
        other => Arc::new(other),
    };
    for answer in answers {
        let _ = answer.send(Err(LedgerError::Unavailable(Box::new(Shared(shared.clone())))));
    }
}

fn ledger_error(error: BatchError) -> LedgerError {
    match error {
        BatchError::Refused(error) | BatchError::Unavailable(error) => error,
    }
}

fn first(written: Vec<Written>) -> Result<Written, LedgerError> {
    written
        .into_iter()
        .next()
        .ok_or_else(|| LedgerError::Corrupt("the store returned no outcome for a step".into()))
}

/// A cause that several errors share.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Shared(#[source] Arc<dyn std::error::Error + Send + Sync>);
