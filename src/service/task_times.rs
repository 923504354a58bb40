//! How long the cloud's tasks have taken lately.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Tasks that the estimate is made from.
const TASKS: usize = 32;
/// A task that had ended at its first poll took less than its age. The estimate falls by this factor until a poll finds a
/// task running.
const EARLIER: f64 = 0.9;
/// The same while calls are short, when a poll that comes too early costs more.
const EARLIER_WHILE_SHORT: f64 = 0.98;

/// The durations of the last tasks.
#[derive(Debug, Default)]
pub(super) struct TaskTimes(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    times: VecDeque<Duration>,
    /// The largest age at which a poll found a task running.
    running: Option<Duration>,
}

impl TaskTimes {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that a poll found a task ended at this age. `was_seen_running`: an earlier poll found the task running. If
    /// none did, the task may have ended long before, so the estimate can only fall.
    pub(super) fn record(&self, age: Duration, was_seen_running: bool, is_short: bool) {
        let state = &mut *self.state();
        let duration = if was_seen_running {
            age
        } else {
            let known = if is_short { state.within(4, 5) } else { state.within(1, 2) };
            let Some(known) = known else { return };
            known.min(age.mul_f64(if is_short { EARLIER_WHILE_SHORT } else { EARLIER }))
        };
        if state.times.len() == TASKS {
            state.times.pop_front();
        }
        state.times.push_back(duration);
    }

    /// Records that a poll found a task running at this age.
    pub(super) fn record_running(&self, age: Duration) {
        let running = &mut self.state().running;
        *running = (*running).max(Some(age));
    }

    /// The median; `None` before the first task has ended.
    pub(super) fn usual(&self) -> Option<Duration> {
        self.state().within(1, 2)
    }

    /// The time in which four of five tasks end. Before the first task has ended, the time that tasks take at least.
    pub(super) fn most(&self) -> Option<Duration> {
        let state = self.state();
        state.within(4, 5).or(state.running)
    }
}

impl State {
    fn within(&self, part: usize, whole: usize) -> Option<Duration> {
        let mut sorted: Vec<Duration> = self.times.iter().copied().collect();
        sorted.sort_unstable();
        sorted.get(sorted.len() * part / whole).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slow_task_does_not_change_the_usual_time_and_lasting_change_does() {
        let times = TaskTimes::default();
        assert_eq!(times.usual(), None);
        let seconds = Duration::from_secs;
        (0..10).for_each(|_| times.record(seconds(30), true, false));
        times.record(seconds(600), true, false);
        assert_eq!(times.usual(), Some(seconds(30)));
        (0..TASKS).for_each(|_| times.record(seconds(5), true, false));
        assert_eq!(times.usual(), Some(seconds(5)));
    }

    #[test]
    fn the_usual_time_falls_while_every_task_has_ended_at_its_first_poll() {
        let times = TaskTimes::default();
        let mut usual = Duration::from_secs(30);
        times.record(usual, false, false);
        assert_eq!(times.usual(), None, "nothing is known yet");
        times.record(usual, true, false);
        for _ in 0..1000 {
            times.record(usual, false, false);
            usual = times.usual().unwrap_or(usual);
        }
        assert!(usual < Duration::from_secs(1), "{usual:?}");
    }

    #[test]
    fn most_tasks_have_ended_after_a_time_that_a_few_slow_ones_do_not_change() {
        let times = TaskTimes::default();
        let seconds = Duration::from_secs;
        assert_eq!(times.most(), None);
        times.record_running(seconds(7));
        times.record_running(seconds(2));
        assert_eq!((times.usual(), times.most()), (None, Some(seconds(7))));
        (0..20).for_each(|number| times.record(seconds(10 + number), true, false));
        assert_eq!((times.usual(), times.most()), (Some(seconds(20)), Some(seconds(26))));
    }
}
