//! Runs a rollout: batch by batch, each followed to its end.

use futures_util::stream::{self, StreamExt};

use crate::shutdown::Shutdown;

use super::change::Worker;
use super::order::{BatchSizes, Member, next_batch, paired_with};
use super::output::{Output, shown_path};
use super::state::{StateError, Step, Store};
use super::task::Task;

/// Changes at the same time, however large a batch is.
const AT_ONCE: usize = 64;

/// Why a rollout ended before all tunnels were changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    Failures(usize),
    Interrupted,
}

/// How a rollout ended.
#[derive(Debug, Default)]
pub(super) struct Ended {
    pub(super) stop: Option<Stop>,
    /// Tunnels that were left alone because of their pair, with the reason.
    pub(super) skipped: Vec<(usize, String)>,
}

/// A rollout that is ready to begin. All lists have the order of the state's entries.
pub(super) struct Run<'a> {
    pub(super) tasks: &'a [Task],
    pub(super) members: &'a [Member],
    /// The tunnels whose change is still to be begun.
    pub(super) queue: Vec<usize>,
    pub(super) store: &'a Store,
    pub(super) worker: Worker<'a>,
    pub(super) sizes: &'a BatchSizes,
    pub(super) max_failures: usize,
    pub(super) output: &'a Output,
    pub(super) shutdown: &'a Shutdown,
}

impl Run<'_> {
    /// Runs all batches. First those of an interrupted run that are under way: they are of one batch, so no two are a pair.
    ///
    /// # Errors
    /// If the state can't be written.
    pub(super) async fn run(&self) -> Result<Ended, StateError> {
        let total = self.tasks.len();
        let mut failures = 0;
        let mut ended = Ended::default();
        let under_way = self.indexes(Step::is_under_way);
        let rest = under_way.len() + self.queue.len();
        self.output.begin(total, total.saturating_sub(rest));
        if !under_way.is_empty() {
            self.output
                .note(&format!("{} tunnels of the interrupted run are finished first", under_way.len()));
            failures += self.batch(&under_way).await?;
        }
        let mut queue = self.queue.clone();
        let mut number = 0;
        loop {
            let in_doubt = self.indexes(Step::is_in_doubt);
            queue.retain(|index| match paired_with(*index, &in_doubt, self.members) {
                Some(other) => {
                    let other = self.tasks.get(other).map(|task| shown_path(&task.path)).unwrap_or_default();
                    let why =
                        format!("left alone: it shares a peer range with {other}, which is not as asked");
                    ended.skipped.push((*index, why));
                    false
                }
                None => true,
            });
            if queue.is_empty() {
                return Ok(ended);
            }
            if failures >= self.max_failures {
                return Ok(Ended { stop: Some(Stop::Failures(failures)), ..ended });
            }
            if self.shutdown.is_requested() {
                return Ok(Ended { stop: Some(Stop::Interrupted), ..ended });
            }
            let batch = next_batch(&queue, self.sizes.size(number, total), self.members);
            queue.retain(|index| !batch.contains(index));
            number += 1;
            self.output.batch(number, batch.iter().filter_map(|index| Some(&self.tasks.get(*index)?.path)));
            failures += self.batch(&batch).await?;
        }
    }

    fn indexes(&self, is_meant: impl Fn(&Step) -> bool) -> Vec<usize> {
        self.store.look(|state| {
            let entries = state.tunnels.iter().enumerate();
            entries.filter(|(_, entry)| is_meant(&entry.step)).map(|(index, _)| index).collect()
        })
    }

    /// Carries out the changes of a batch; returns how many tunnels are not as asked.
    async fn batch(&self, batch: &[usize]) -> Result<usize, StateError> {
        let tasks = batch.iter().filter_map(|index| Some((*index, self.tasks.get(*index)?)));
        let changes = tasks.map(|(index, task)| Box::pin(self.worker.carry_out(index, task)));
        let ended: Vec<Result<(), StateError>> =
            stream::iter(changes.collect::<Vec<_>>()).buffer_unordered(AT_ONCE).collect().await;
        ended.into_iter().collect::<Result<(), _>>()?;
        let is_as_asked = |index: &usize| {
            self.store.entry(*index).is_some_and(|entry| matches!(entry.step, Step::Done { .. }))
        };
        Ok(batch.iter().filter(|index| !is_as_asked(index)).count())
    }
}
