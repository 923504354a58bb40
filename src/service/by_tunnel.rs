//! Polls that read the tunnel: its state and its settings show how a change ended.

use crate::domain::event::Upstream;
use crate::domain::operation::Transition;

use super::cloud::{Cloud, Priority, ReadError, ReadFailure};
use super::ledger::{Claim, Read};
use super::poll::{LATER, Next, READ_BACKS, step};
use super::settle::{self, Progress, Settled};
use super::{Service, read_back};

impl Service {
    /// While calls are short: a tunnel at rest that shows the change proves it, and reads of tunnels share calls. `None` if
    /// the tunnel does not decide.
    pub(super) async fn poll_by_tunnel(&self, claim: &Claim, cloud: &dyn Cloud) -> Option<Next> {
        let operation = &claim.operation;
        let before = operation.before.as_ref()?;
        if read_back::telling(&operation.changes, before, None).fields.is_empty() {
            return None;
        }
        let tunnel = match cloud.tunnel(&operation.tunnel, Priority::Poll, "").await {
            Ok(tunnel) => tunnel,
            Err(ReadError { failure: ReadFailure::NoBudget { .. } | ReadFailure::NoLedger, .. }) => {
                return Some(LATER);
            }
            Err(_) => return None,
        };
        if tunnel.is_in_transition() {
            self.task_times.record_running(self.age(operation.updated_at));
            let is_overdue = self.age(operation.updated_at) >= self.rules.task_timeout;
            return (!is_overdue).then_some(LATER);
        }
        if !tunnel.is_at_rest() {
            return None;
        }
        let comparison = read_back::compare(&operation.changes, &tunnel, self.fingerprints_of(operation));
        let telling = read_back::telling(&operation.changes, before, tunnel.gateway_address.as_deref());
        let is_shown = telling.fields.iter().all(|field| comparison.same.contains(field));
        if !is_shown || !comparison.differences.is_empty() {
            return None;
        }
        self.learn_task_time(claim, cloud);
        let upstream = read_of_tunnel(cloud);
        Some(step(Transition::Succeed { verification: comparison.verdict() }, Some(upstream)))
    }

    /// The cloud accepted the change and has no task for it: the tunnel's state says whether the change is under way, and
    /// the read-back how it ended.
    pub(super) async fn by_tunnel(&self, claim: &Claim, cloud: &dyn Cloud) -> Next {
        let operation = &claim.operation;
        let tunnel = match cloud.tunnel(&operation.tunnel, Priority::Poll, "").await {
            Ok(tunnel) => tunnel,
            Err(error) => return self.unanswered(claim, error),
        };
        let upstream = read_of_tunnel(cloud);
        if tunnel.is_in_transition() {
            self.task_times.record_running(self.age(operation.updated_at));
        }
        if !tunnel.is_at_rest() {
            return self.later_or_time_out(claim, Some(upstream));
        }
        let comparison = read_back::compare(&operation.changes, &tunnel, self.fingerprints_of(operation));
        let progress = Progress {
            reads: claim.reads.open + 1,
            enough: READ_BACKS,
            // As long as a change without an answer may still turn up: both are on their way in the cloud.
            is_over: self.age(operation.updated_at) >= self.rules.settle_window,
        };
        match settle::accepted(operation, &tunnel, comparison, progress) {
            Settled::Open => Next::Later { read: Some(Read::Open) },
            Settled::Ended(transition) => {
                if claim.reads.open == 0 {
                    self.learn_task_time(claim, cloud);
                }
                step(transition, Some(upstream))
            }
        }
    }
}

/// What the audit log has of a read of the tunnel.
pub(super) fn read_of_tunnel(cloud: &dyn Cloud) -> Upstream {
    Upstream { action: Some(cloud.read_action().into()), ..Upstream::default() }
}
