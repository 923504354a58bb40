//! How long the tracker waits before it polls an operation.

use std::time::Duration;

use crate::domain::event::Route;
use crate::domain::timestamp::Timestamp;

use super::Service;

/// While calls are short, operations are due together at multiples of this time, in microseconds, so that their reads share
/// calls.
const TOGETHER: i64 = 1_000_000;

impl Service {
    /// When an operation is due that waits for so long.
    pub(super) fn due_after(&self, route: &Route, wait: Duration) -> Timestamp {
        let due = self.clock.now().plus(wait);
        let cloud = self.accounts.of_route(route);
        if cloud.is_none_or(|cloud| !cloud.is_short_of_calls()) {
            return due;
        }
        let micros = due.as_micros();
        Timestamp::from_micros(micros.saturating_add((TOGETHER - micros.rem_euclid(TOGETHER)) % TOGETHER))
    }

    /// How long a caller should wait before it reads a new operation again.
    #[must_use]
    pub fn usual_wait(&self) -> Duration {
        self.first_wait()
    }

    /// The wait before the first poll of a task: as long as tasks have usually taken lately, within the operator's limits.
    pub(super) fn first_wait(&self) -> Duration {
        let shortest = self.poll_wait(0);
        self.task_times
            .usual()
            .map_or(shortest, |usual| usual.min(self.rules.poll_max_interval).max(shortest))
    }

    /// The wait before poll number `polls`: it grows by half each time up to the ceiling, and is jittered downwards, so
    /// that operations that began together do not stay together.
    pub(super) fn poll_wait(&self, polls: u32) -> Duration {
        let growth = 1.5_f64.powi(i32::try_from(polls.min(64)).unwrap_or(64));
        let ceiling = self.rules.poll_max_interval.as_secs_f64();
        let wait = (self.rules.poll_interval.as_secs_f64() * growth).min(ceiling);
        Duration::from_secs_f64(wait * (0.75 + 0.25 * self.chance.fraction()))
    }
}
