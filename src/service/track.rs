//! Moves operations to their final status: one idempotent step at a time, each under a lease.

use std::time::Duration;

use tracing::{info, warn};

use crate::domain::echo::WITHHELD;
use crate::domain::event::{Origin, Route, Upstream};
use crate::domain::fingerprint::FingerprintKey;
use crate::domain::operation::{ErrorCode, Operation, OperationError, State, Transition};
use crate::domain::timestamp::Timestamp;
use crate::domain::verification::Verification;
use crate::failpoint;

use super::by_tunnel::read_of_tunnel;
use super::cloud::{Cloud, Priority, ReadError, ReadFailure, Refusal, TaskReport, TaskStatus};
use super::ledger::{Advance, Claim, LedgerError, Places, Read, Reads, Step, Written};
use super::poll::{LATER, Next, READ_BACKS, step};
use super::settle::{self, Progress, Settled};
use super::{Service, outcome, read_back};

/// One step makes up to three calls. Each may wait for its slot as long as it may take itself.
const CALLS: u32 = 6;
/// Time that a tracker's lease lasts beyond its calls.
const LEASE_MARGIN: Duration = Duration::from_secs(10);

/// The outcome of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tracked {
    /// The operation moved to another status.
    Advanced,
    /// Nothing new; the tracker polls it again later.
    Snoozed,
    /// Another tracker holds the operation; nothing was written.
    LeaseLost,
}

impl Tracked {
    /// The word of this outcome in traces.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Advanced => "advanced",
            Self::Snoozed => "snoozed",
            Self::LeaseLost => "lease_lost",
        }
    }
}

impl Service {
    /// How long a tracker may hold an operation.
    fn lease(&self) -> Duration {
        self.accounts.longest_timeout() * CALLS + LEASE_MARGIN
    }

    /// Claims due operations.
    pub async fn claim_due(&self, holder: &str, places: Places) -> Result<Vec<Claim>, LedgerError> {
        let now = self.clock.now();
        self.ledger.claim(holder, now, now.plus(self.lease()), places).await
    }

    /// Time until the next operation is due; at most one poll interval, because another replica may open operations.
    pub async fn until_due(&self) -> Result<Duration, LedgerError> {
        let next = self.ledger.next_due().await?;
        let wait = next.map_or(Duration::MAX, |due| due.since(self.clock.now()));
        Ok(wait.min(self.rules.poll_interval))
    }

    /// Releases a claimed operation without a poll; it is due again later.
    pub async fn put_back(&self, claim: &Claim) -> Result<(), LedgerError> {
        let due_at = self.clock.now().plus(self.poll_wait(claim.polls));
        self.ledger.snooze(claim, None, due_at).await?;
        Ok(())
    }

    /// Polls a claimed operation once and writes the result.
    pub async fn track(&self, claim: Claim) -> Result<Tracked, LedgerError> {
        failpoint::at!("track.claimed");
        let next = match &claim.operation.state {
            // The process that opened it is gone, and may have sent the change.
            State::Pending => step(
                Transition::LoseTrack {
                    reason: OperationError {
                        detail: "the gateway stopped before it could record the cloud's answer; the gateway reads \
                                 the tunnel to determine the outcome"
                            .into(),
                        ..outcome::error(ErrorCode::AnswerLost)
                    },
                },
                None,
            ),
            State::Running { .. } | State::Unknown { .. } => {
                match self.accounts.of_route(&claim.operation.route) {
                    Some(cloud) => self.ask(&claim, &*cloud).await,
                    None => self.without_account(&claim),
                }
            }
            State::Succeeded { .. }
            | State::Diverged { .. }
            | State::Failed { .. }
            | State::TimedOut { .. }
            | State::Rejected { .. } => return Ok(Tracked::LeaseLost),
        };
        match next {
            Next::Step(transition, upstream) => self.advance(claim, *transition, upstream).await,
            Next::Later { read } => {
                let due_at = self.due_after(&claim.operation.route, self.poll_wait(claim.polls));
                failpoint::at!("snooze.before-write");
                let held = self.ledger.snooze(&claim, read, due_at).await?;
                failpoint::at!("snooze.written");
                Ok(if held { Tracked::Snoozed } else { Tracked::LeaseLost })
            }
        }
    }

    async fn advance(
        &self,
        claim: Claim,
        transition: Transition,
        upstream: Option<Upstream>,
    ) -> Result<Tracked, LedgerError> {
        let now = self.clock.now();
        // The tunnel of an operation that became `unknown` is read at once.
        let due_at = match transition {
            Transition::LoseTrack { .. } => now,
            _ => now.plus(self.usual_wait()),
        };
        let id = claim.operation.id;
        let advance = Advance {
            operation: claim.operation,
            transition,
            upstream,
            origin: Origin::default(),
            event_id: self.chance.id(now),
            sent: None,
            fence: claim.fence,
            now,
            due_at,
        };
        failpoint::at!("track.before-write");
        let written = self.ledger.write(Step::Advance(Box::new(advance))).await?;
        failpoint::at!("track.written");
        match written {
            Written::Advanced(operation) => {
                info!(operation_id = %id, status = %operation.status(), "operation changed its status");
                Ok(Tracked::Advanced)
            }
            other => {
                warn!(operation_id = %id, ?other, "the lease was lost; nothing was written");
                Ok(Tracked::LeaseLost)
            }
        }
    }

    /// Asks the cloud about the operation.
    async fn ask(&self, claim: &Claim, cloud: &dyn Cloud) -> Next {
        match &claim.operation.state {
            State::Running { task_id } => self.poll(claim, cloud, task_id).await,
            _ => self.settle(claim, cloud).await,
        }
    }

    /// The operation's account is gone, and with it the credentials to ask with. The account may come back.
    fn without_account(&self, claim: &Claim) -> Next {
        if !self.is_overdue(claim) {
            return LATER;
        }
        let Route { account, region, api } = &claim.operation.route;
        let error = OperationError {
            detail: format!(
                "the account {account} ({region}, API {api}) is not configured any more, so the outcome can't be \
                 determined"
            ),
            ..outcome::error(ErrorCode::TaskTimeout)
        };
        step(Transition::TimeOut { error }, None)
    }

    /// Polls the task.
    async fn poll(&self, claim: &Claim, cloud: &dyn Cloud, task_id: &str) -> Next {
        if cloud.is_short_of_calls()
            && let Some(next) = self.poll_by_tunnel(claim, cloud).await
        {
            return next;
        }
        let answer = cloud.task(task_id).await;
        failpoint::at!("poll.answered");
        match answer {
            Ok(TaskReport { status, upstream }) => {
                self.follow(claim, cloud, status, self.without_key(claim, upstream)).await
            }
            // The cloud has forgotten the task; the tunnel itself can still show the outcome.
            Err(ReadError {
                failure: ReadFailure::NotFound | ReadFailure::Refused(Refusal::InvalidParameter),
                ..
            }) => self.settle(claim, cloud).await,
            Err(error) => self.unanswered(claim, error),
        }
    }

    async fn follow(&self, claim: &Claim, cloud: &dyn Cloud, task: TaskStatus, upstream: Upstream) -> Next {
        // A read-back polls the task again; only the first of these polls tells how long the task took.
        if matches!(task, TaskStatus::Succeeded | TaskStatus::Failed) && claim.reads == Reads::default() {
            self.learn_task_time(claim, cloud);
        }
        match task {
            TaskStatus::Succeeded => self.read_back(claim, cloud, upstream).await,
            TaskStatus::Failed => {
                let error = OperationError {
                    upstream: outcome::words(&upstream),
                    ..outcome::error(ErrorCode::TaskFailed)
                };
                step(Transition::Fail { error }, Some(upstream))
            }
            TaskStatus::NotTracked => self.by_tunnel(claim, cloud).await,
            TaskStatus::Running => {
                self.task_times.record_running(self.age(claim.operation.updated_at));
                self.later_or_time_out(claim, Some(upstream))
            }
            TaskStatus::Unrecognized => {
                warn!(operation_id = %claim.operation.id, "the cloud returned an undocumented task status");
                self.later_or_time_out(claim, Some(upstream))
            }
        }
    }

    /// The key of an operation's fingerprints, unless the credentials that it came from have been replaced since.
    pub(super) fn fingerprints_of(&self, operation: &Operation) -> Option<&FingerprintKey> {
        let id = operation.fingerprint_key_id.as_deref();
        (id == Some(self.fingerprints.id())).then_some(&self.fingerprints)
    }

    /// The cloud's words about a change, unless they repeat the pre-shared key that it set. The tracker does not have
    /// that key, so the words are compared with its fingerprint.
    fn without_key(&self, claim: &Claim, mut upstream: Upstream) -> Upstream {
        let Some(fingerprint) = claim.operation.changes.key_fingerprint() else { return upstream };
        let fingerprints = self.fingerprints_of(&claim.operation);
        for text in [&mut upstream.message, &mut upstream.code_desc].into_iter().flatten() {
            if fingerprints.is_none_or(|key| key.may_show_key(text, fingerprint)) {
                *text = WITHHELD.into();
            }
        }
        upstream
    }

    /// The task succeeded: reads the tunnel back, up to [`READ_BACKS`] times while it does not have the requested values.
    async fn read_back(&self, claim: &Claim, cloud: &dyn Cloud, task: Upstream) -> Next {
        let operation = &claim.operation;
        failpoint::at!("read-back.before");
        let tunnel = cloud.tunnel(&operation.tunnel, Priority::Poll, "").await;
        failpoint::at!("read-back.answered");
        let verification = match tunnel {
            // It shows half of a change; of this one, or of another that came after it.
            Ok(tunnel) if tunnel.is_in_transition() && !self.is_overdue(claim) => return LATER,
            Ok(tunnel) => {
                let fingerprints = self.fingerprints_of(operation);
                let comparison = read_back::compare(&operation.changes, &tunnel, fingerprints);
                if !comparison.differences.is_empty() && claim.reads.different + 1 < READ_BACKS {
                    return Next::Later { read: Some(Read::Different) };
                }
                comparison.verdict()
            }
            // The gateway made no call, so it learned nothing about the tunnel.
            Err(ReadError { failure: ReadFailure::NoBudget { .. } | ReadFailure::NoLedger, .. }) => {
                return LATER;
            }
            Err(_) if claim.reads.failed + 1 < READ_BACKS => {
                return Next::Later { read: Some(Read::Failed) };
            }
            Err(error) => Verification::Unavailable { reason: Some(error.to_string()) },
        };
        let transition = match verification {
            Verification::Diverged { .. } => Transition::Diverge { verification },
            Verification::Confirmed | Verification::Unavailable { .. } => {
                Transition::Succeed { verification }
            }
        };
        step(transition, Some(task))
    }

    /// The outcome is unknown: reads the tunnel until it shows the outcome, or until the change can't take effect any
    /// more.
    async fn settle(&self, claim: &Claim, cloud: &dyn Cloud) -> Next {
        let operation = &claim.operation;
        let read = cloud.tunnel(&operation.tunnel, Priority::Poll, "").await;
        failpoint::at!("settle.answered");
        let tunnel = match read {
            Ok(tunnel) => tunnel,
            Err(ReadError { failure: ReadFailure::NotFound, upstream }) if self.is_settled(claim) => {
                let upstream = self.without_key(claim, upstream);
                // The change may have been carried out before the tunnel was deleted.
                let error = OperationError {
                    detail: "the cloud has no such tunnel any more, so the outcome can't be determined"
                        .into(),
                    ..outcome::error(ErrorCode::TaskTimeout)
                };
                return step(Transition::TimeOut { error }, Some(upstream));
            }
            Err(error) => return self.unanswered(claim, error),
        };
        let upstream = read_of_tunnel(cloud);
        if !tunnel.is_at_rest() {
            return self.later_or_time_out(claim, Some(upstream));
        }
        let comparison = read_back::compare(&operation.changes, &tunnel, self.fingerprints_of(operation));
        let progress =
            Progress { reads: claim.reads.open + 1, enough: READ_BACKS, is_over: self.is_settled(claim) };
        match settle::settle(operation, &tunnel, comparison, progress) {
            Settled::Ended(transition) => step(transition, Some(upstream)),
            Settled::Open => match self.later_or_time_out(claim, Some(upstream)) {
                Next::Later { .. } => Next::Later { read: Some(Read::Open) },
                timed_out => timed_out,
            },
        }
    }

    /// True once a change that was sent without an answer can't take effect any more. A change that the cloud accepted
    /// can, for as long as a task may last.
    fn is_settled(&self, claim: &Claim) -> bool {
        let is_accepted = matches!(claim.operation.state, State::Running { .. });
        let since = self.age(claim.operation.updated_at);
        since >= if is_accepted { self.rules.task_timeout } else { self.rules.settle_window }
    }

    /// The result of a call that failed. Without an answer of the cloud the operation does not end.
    pub(super) fn unanswered(&self, claim: &Claim, error: ReadError) -> Next {
        match error.failure {
            ReadFailure::NoBudget { .. } | ReadFailure::NoLedger | ReadFailure::NoAnswer => LATER,
            ReadFailure::NotFound | ReadFailure::Refused(_) => {
                self.later_or_time_out(claim, Some(self.without_key(claim, error.upstream)))
            }
        }
    }

    pub(super) fn later_or_time_out(&self, claim: &Claim, upstream: Option<Upstream>) -> Next {
        if !self.is_overdue(claim) {
            return LATER;
        }
        step(Transition::TimeOut { error: outcome::error(ErrorCode::TaskTimeout) }, upstream)
    }

    /// True once the operation's time is over.
    pub(super) fn is_overdue(&self, claim: &Claim) -> bool {
        let is_unknown = matches!(claim.operation.state, State::Unknown { .. });
        let limit = match is_unknown {
            true => self.rules.task_timeout.max(self.rules.settle_window),
            false => self.rules.task_timeout,
        };
        self.age(claim.operation.updated_at) >= limit
    }

    pub(super) fn age(&self, since: Timestamp) -> Duration {
        self.clock.now().since(since)
    }
}
