//! Runs a rollout: batch by batch, each followed to its end.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::stream::{self, StreamExt};

use crate::shutdown::Shutdown;

use super::change::Worker;
use super::order::{BatchSizes, next_batch};
use super::output::{Output, shown_path};
use super::pairs::{Group, Member};
use super::state::{Entry, StateError, Step, Store};
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
    /// Runs all batches, after what an interrupted run has begun is finished.
    ///
    /// # Errors
    /// If the state can't be written.
    pub(super) async fn run(&self) -> Result<Ended, StateError> {
        let total = self.tasks.len();
        let failures = AtomicUsize::new(0);
        let mut ended = Ended::default();
        let under_way = self.indexes(|entry| entry.step.is_under_way());
        let rest = under_way.len() + self.queue.len();
        self.output.begin(total, total.saturating_sub(rest));
        if !under_way.is_empty() {
            self.output
                .note(&format!("{} tunnels of the interrupted run are finished first", under_way.len()));
            self.finish(under_way, &failures, &mut ended).await?;
        }
        let mut queue = self.queue.clone();
        let mut number = 0;
        loop {
            let in_doubt = self.indexes(Entry::is_in_doubt);
            // The peers of these may be set already.
            let queued: HashSet<usize> = queue.iter().copied().collect();
            let (first, past): (HashSet<usize>, HashSet<usize>) =
                in_doubt.into_iter().partition(|index| queued.contains(index));
            let past = Group::of(self.members, past);
            queue.retain(|index| self.may_change(*index, &past, &mut ended));
            if queue.is_empty() {
                return Ok(ended);
            }
            if let Some(stop) = self.stop(&failures) {
                return Ok(Ended { stop: Some(stop), ..ended });
            }
            let batch = self.next(&queue, &first, self.sizes.size(number, total));
            let taken: HashSet<usize> = batch.iter().copied().collect();
            queue.retain(|index| !taken.contains(index));
            number += 1;
            self.output.batch(number, batch.iter().filter_map(|index| Some(&self.tasks.get(*index)?.path)));
            let not_begun = self.batch(&batch, &failures, true).await?;
            queue.splice(0..0, not_begun);
        }
    }

    /// Finishes what an interrupted run has begun, one of a pair at a time. A request that may not have arrived is repeated
    /// only when its pairs are as asked.
    async fn finish(
        &self,
        mut under_way: Vec<usize>,
        failures: &AtomicUsize,
        ended: &mut Ended,
    ) -> Result<(), StateError> {
        while !under_way.is_empty() && !self.shutdown.is_requested() {
            let accepted: HashSet<usize> =
                under_way.iter().copied().filter(|index| !self.is_being_sent(*index)).collect();
            let known: HashSet<usize> = under_way.iter().copied().collect();
            let in_doubt = self.indexes(Entry::is_in_doubt).into_iter();
            let past = Group::of(self.members, in_doubt.filter(|index| !known.contains(index)));
            under_way.retain(|index| !self.is_being_sent(*index) || self.may_change(*index, &past, ended));
            let batch = self.next(&under_way, &accepted, under_way.len());
            let taken: HashSet<usize> = batch.iter().copied().collect();
            under_way.retain(|index| !taken.contains(index));
            self.batch(&batch, failures, false).await?;
        }
        Ok(())
    }

    fn is_being_sent(&self, index: usize) -> bool {
        self.store.entry(index).is_some_and(|entry| matches!(entry.step, Step::Sending { .. }))
    }

    /// The next batch of a queue. Tunnels of `first` come first, and their pairs only when none of them is left.
    fn next(&self, queue: &[usize], first: &HashSet<usize>, size: usize) -> Vec<usize> {
        let (mut ready, mut rest): (Vec<usize>, Vec<usize>) =
            queue.iter().partition(|index| first.contains(index));
        let group = Group::of(self.members, ready.iter().copied());
        rest.retain(|index| group.partner(*index).is_none());
        ready.append(&mut rest);
        next_batch(&ready, size, self.members)
    }

    /// False if a tunnel must be left alone because the pair of it is in doubt, and carries on being so.
    fn may_change(&self, index: usize, in_doubt: &Group<'_>, ended: &mut Ended) -> bool {
        let Some(other) = in_doubt.partner(index) else { return true };
        let other = self.tasks.get(other).map(|task| shown_path(&task.path)).unwrap_or_default();
        let why = format!("left alone: it shares a peer range with {other}, which is not as asked");
        ended.skipped.push((index, why));
        false
    }

    /// Why no more changes begin.
    fn stop(&self, failures: &AtomicUsize) -> Option<Stop> {
        let failures = failures.load(Ordering::Relaxed);
        if failures >= self.max_failures {
            Some(Stop::Failures(failures))
        } else {
            self.shutdown.is_requested().then_some(Stop::Interrupted)
        }
    }

    fn indexes(&self, is_meant: impl Fn(&Entry) -> bool) -> Vec<usize> {
        self.store.look(|state| {
            let entries = state.tunnels.iter().enumerate();
            entries.filter(|(_, entry)| is_meant(entry)).map(|(index, _)| index).collect()
        })
    }

    /// Carries out the changes of a batch, and counts the tunnels that are not as asked. Returns those that were not begun
    /// because the rollout stops.
    async fn batch(
        &self,
        batch: &[usize],
        failures: &AtomicUsize,
        may_stop: bool,
    ) -> Result<Vec<usize>, StateError> {
        let changes = batch.iter().map(|index| Box::pin(self.change(*index, failures, may_stop)));
        let ended: Vec<Result<Option<usize>, StateError>> =
            stream::iter(changes.collect::<Vec<_>>()).buffer_unordered(AT_ONCE).collect().await;
        ended.into_iter().filter_map(Result::transpose).collect()
    }

    /// Carries out one change, or returns the tunnel if the rollout stops.
    async fn change(
        &self,
        index: usize,
        failures: &AtomicUsize,
        may_stop: bool,
    ) -> Result<Option<usize>, StateError> {
        if may_stop && self.stop(failures).is_some() {
            return Ok(Some(index));
        }
        if let Some(task) = self.tasks.get(index) {
            self.worker.carry_out(index, task).await?;
        }
        let is_done = |entry: Entry| matches!(entry.step, Step::Done { .. });
        if !self.store.entry(index).is_some_and(is_done) {
            failures.fetch_add(1, Ordering::Relaxed);
        }
        Ok(None)
    }
}
