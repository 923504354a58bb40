//! How long the tracker waits before it polls an operation.

use std::time::Duration;

use crate::domain::event::Route;
use crate::domain::timestamp::Timestamp;

use super::Service;
use super::cloud::Cloud;
use super::ledger::Claim;

/// While calls are short, operations are due together at multiples of this time, in microseconds, so that their reads share
/// calls.
const TOGETHER: i64 = 2_000_000;

impl Service {
    fn is_short_of_calls(&self, route: &Route) -> bool {
        self.accounts.of_route(route).is_some_and(|cloud| cloud.is_short_of_calls())
    }

    /// When an operation is due whose change was sent just now. While calls are short, a first poll that comes too early
    /// costs more than one that comes late.
    pub(super) fn first_due(&self, route: &Route) -> Timestamp {
        let wait = match self.is_short_of_calls(route) {
            true => self.within_limits(self.task_times.most()),
            false => self.usual_wait(),
        };
        self.due_after(route, wait)
    }

    /// When an operation is due that waits for so long.
    pub(super) fn due_after(&self, route: &Route, wait: Duration) -> Timestamp {
        let due = self.clock.now().plus(wait);
        if !self.is_short_of_calls(route) {
            return due;
        }
        let micros = due.as_micros();
        Timestamp::from_micros(micros.saturating_add((TOGETHER - micros.rem_euclid(TOGETHER)) % TOGETHER))
    }

    /// Learns from a task that this poll found ended. A poll that came much too late, as after an outage, tells nothing.
    pub(super) fn learn_task_time(&self, claim: &Claim, cloud: &dyn Cloud) {
        let now = self.clock.now();
        let age = now.since(claim.operation.updated_at);
        if now.since(claim.due_at) <= age / 2 {
            self.task_times.record(age, claim.polls > 0, cloud.is_short_of_calls());
        }
    }

    /// The wait before the first poll of a task: as long as tasks have usually taken lately, within the operator's limits.
    /// A caller should wait so long before it reads a new operation again.
    #[must_use]
    pub fn usual_wait(&self) -> Duration {
        self.within_limits(self.task_times.usual())
    }

    fn within_limits(&self, wait: Option<Duration>) -> Duration {
        let shortest = self.poll_wait(0);
        wait.map_or(shortest, |wait| wait.min(self.rules.poll_max_interval).max(shortest))
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
