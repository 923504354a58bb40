//! How long the cloud's tasks have taken lately.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Tasks that the estimate is made from.
const TASKS: usize = 32;
/// A task that had ended at its first poll took less than its age. The estimate falls by this factor until a poll finds a
/// task running.
const EARLIER: f64 = 0.9;

/// The durations of the last tasks.
#[derive(Debug, Default)]
pub(super) struct TaskTimes(Mutex<VecDeque<Duration>>);

impl TaskTimes {
    /// Records that a poll found a task ended at this age. `was_seen_running`: an earlier poll found the task running.
    pub(super) fn record(&self, age: Duration, was_seen_running: bool) {
        let duration = if was_seen_running { age } else { age.mul_f64(EARLIER) };
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if times.len() == TASKS {
            times.pop_front();
        }
        times.push_back(duration);
    }

    /// The median; `None` before the first task has ended.
    pub(super) fn usual(&self) -> Option<Duration> {
        let times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sorted: Vec<Duration> = times.iter().copied().collect();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied()
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
        (0..10).for_each(|_| times.record(seconds(30), true));
        times.record(seconds(600), true);
        assert_eq!(times.usual(), Some(seconds(30)));
        (0..TASKS).for_each(|_| times.record(seconds(5), true));
        assert_eq!(times.usual(), Some(seconds(5)));
    }

    #[test]
    fn the_usual_time_falls_while_every_task_has_ended_at_its_first_poll() {
        let times = TaskTimes::default();
        let mut usual = Duration::from_secs(30);
        for _ in 0..1000 {
            times.record(usual, false);
            usual = times.usual().unwrap_or(usual);
        }
        assert!(usual < Duration::from_secs(1), "{usual:?}");
    }
}
