//! Following an operation to its end: one idempotent step at a time, each under a lease.

use std::time::Duration;

use tracing::{info, warn};

use crate::domain::echo::WITHHELD;
use crate::domain::event::{Origin, Upstream};
use crate::domain::fingerprint::FingerprintKey;
use crate::domain::operation::{ErrorCode, Operation, OperationError, State, Transition};
use crate::domain::timestamp::Timestamp;
use crate::domain::tunnel::Tunnel;
use crate::domain::verification::Verification;
use crate::failpoint;

use super::cloud::{Priority, ReadError, ReadFailure, Refusal, TaskReport, TaskStatus};
use super::ledger::{Advance, Claim, LedgerError, Step, Written};
use super::{Service, outcome, verify};

/// How often a tunnel is read back before it is believed to differ, or not to be readable. The cloud's reads may lag
/// behind its tasks.
const READ_BACKS: u32 = 3;

/// What one look at an operation led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tracked {
    /// It took a step.
    Advanced,
    /// Nothing new: it will be looked at again.
    Snoozed,
    /// Somebody else holds it by now; nothing was written.
    LeaseLost,
}

/// What to do after a look.
enum Next {
    Step(Box<Transition>, Option<Upstream>),
    Later { read_back: bool },
}

const LATER: Next = Next::Later { read_back: false };

fn step(transition: Transition, upstream: Option<Upstream>) -> Next {
    Next::Step(Box::new(transition), upstream)
}

impl Service {
    /// Takes up to `limit` operations that are due, under a lease.
    pub async fn claim_due(&self, holder: &str, limit: u32) -> Result<Vec<Claim>, LedgerError> {
        let now = self.clock.now();
        self.ledger.claim(holder, now, now.plus(self.lease()), limit).await
    }

    /// How long until something is due; at most one poll interval, because another replica may open operations.
    pub async fn until_due(&self) -> Result<Duration, LedgerError> {
        let next = self.ledger.next_due().await?;
        let wait = next.map_or(Duration::MAX, |due| due.since(self.clock.now()));
        Ok(wait.min(self.rules.poll_interval))
    }

    /// Looks at a claimed operation once and writes what follows from it.
    pub async fn track(&self, claim: Claim) -> Result<Tracked, LedgerError> {
        failpoint::at!("track.claimed");
        let next = match &claim.operation.state {
            // Whoever opened it is gone: the change may have been sent.
            State::Pending => step(
                Transition::LoseTrack {
                    reason: OperationError {
                        detail: "the gateway stopped before it could note the cloud's answer; the tunnel is being \
                                 read to find out"
                            .into(),
                        ..outcome::error(ErrorCode::AnswerLost)
                    },
                },
                None,
            ),
            State::Running { task_id } => self.poll(&claim, task_id).await,
            State::Unknown { .. } => self.settle(&claim).await,
            State::Succeeded { .. }
            | State::Failed { .. }
            | State::TimedOut { .. }
            | State::Rejected { .. } => return Ok(Tracked::LeaseLost),
        };
        match next {
            Next::Step(transition, upstream) => self.advance(claim, *transition, upstream).await,
            Next::Later { read_back } => {
                let due_at = self.clock.now().plus(self.poll_wait(claim.polls + 1));
                failpoint::at!("snooze.before-write");
                let held = self.ledger.snooze(&claim, read_back, due_at).await?;
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
        // An operation that just became unknown is read at once.
        let due_at = match transition {
            Transition::LoseTrack { .. } => now,
            _ => now.plus(self.poll_wait(0)),
        };
        let id = claim.operation.id;
        let advance = Advance {
            operation: claim.operation,
            transition,
            upstream,
            origin: Origin::default(),
            event_ids: [self.chance.id(now), self.chance.id(now)],
            fence: claim.fence,
            now,
            due_at,
        };
        failpoint::at!("track.before-write");
        let written = self.ledger.write(Step::Advance(Box::new(advance))).await?;
        failpoint::at!("track.written");
        match written {
            Written::Advanced(operation) => {
                info!(operation_id = %id, status = %operation.status(), "operation moved on");
                Ok(Tracked::Advanced)
            }
            other => {
                warn!(operation_id = %id, ?other, "the lease was lost; nothing was written");
                Ok(Tracked::LeaseLost)
            }
        }
    }

    /// Asks the cloud about the task.
    async fn poll(&self, claim: &Claim, task_id: &str) -> Next {
        let answer = self.cloud.task(task_id).await;
        failpoint::at!("poll.answered");
        match answer {
            Ok(TaskReport { status, upstream }) => {
                self.follow(claim, status, self.without_key(claim, upstream)).await
            }
            // The cloud has forgotten the task; the tunnel itself can still tell.
            Err(ReadError {
                failure: ReadFailure::NotFound | ReadFailure::Refused(Refusal::InvalidParameter),
                ..
            }) => self.settle(claim).await,
            Err(error) => self.later_or_time_out(claim, Some(self.without_key(claim, error.upstream))),
        }
    }

    async fn follow(&self, claim: &Claim, task: TaskStatus, upstream: Upstream) -> Next {
        match task {
            TaskStatus::Succeeded => self.read_back(claim, upstream).await,
            TaskStatus::Failed => {
                let error = OperationError {
                    upstream: outcome::words(&upstream),
                    ..outcome::error(ErrorCode::TaskFailed)
                };
                step(Transition::Fail { error }, Some(upstream))
            }
            TaskStatus::Running => self.later_or_time_out(claim, Some(upstream)),
            TaskStatus::Unrecognized => {
                warn!(operation_id = %claim.operation.id, "the cloud gave a task status that no document names");
                self.later_or_time_out(claim, Some(upstream))
            }
        }
    }

    /// The key of an operation's fingerprints, unless the credentials that it came from have been replaced since.
    fn fingerprints_of(&self, operation: &Operation) -> Option<&FingerprintKey> {
        let id = operation.fingerprint_key_id.as_deref();
        (id == Some(self.fingerprints.id())).then_some(&self.fingerprints)
    }

    /// The cloud's words about a change, unless they repeat the pre-shared key that it set. Nobody here has that key
    /// any more, so the words are held against its fingerprint.
    fn without_key(&self, claim: &Claim, mut upstream: Upstream) -> Upstream {
        let Some(fingerprint) = claim.operation.changes.key_fingerprint() else { return upstream };
        let fingerprints = self.fingerprints_of(&claim.operation);
        for text in [&mut upstream.message, &mut upstream.code_desc].into_iter().flatten() {
            if fingerprints.is_none_or(|key| key.is_key_in(text, fingerprint)) {
                *text = WITHHELD.into();
            }
        }
        upstream
    }

    /// The task ended well: reads the tunnel back, more than once if it does not look right at first.
    async fn read_back(&self, claim: &Claim, task: Upstream) -> Next {
        let operation = &claim.operation;
        let again = claim.read_backs + 1 < READ_BACKS;
        failpoint::at!("read-back.before");
        let tunnel = self.cloud.tunnel(&operation.tunnel, Priority::Poll).await;
        failpoint::at!("read-back.answered");
        let verification = match tunnel {
            Ok(tunnel) => {
                let comparison =
                    verify::compare(&operation.changes, &tunnel, self.fingerprints_of(operation));
                if !comparison.differences.is_empty() && again {
                    return Next::Later { read_back: true };
                }
                comparison.verdict()
            }
            Err(_) if again => return Next::Later { read_back: true },
            Err(error) => Verification::Unavailable { reason: Some(error.to_string()) },
        };
        step(Transition::Succeed { verification }, Some(task))
    }

    /// Nobody knows whether the change happened: reads the tunnel until it tells, or until the change can't turn up
    /// any more.
    async fn settle(&self, claim: &Claim) -> Next {
        let operation = &claim.operation;
        let tunnel = self.cloud.tunnel(&operation.tunnel, Priority::Poll).await;
        failpoint::at!("settle.answered");
        let tunnel = match tunnel {
            Ok(tunnel) => tunnel,
            Err(ReadError { failure: ReadFailure::NotFound, upstream }) if self.is_settled(claim) => {
                let upstream = self.without_key(claim, upstream);
                let error = OperationError {
                    detail: "the cloud has no such tunnel".into(),
                    ..outcome::error(ErrorCode::NotApplied)
                };
                return step(Transition::Fail { error }, Some(upstream));
            }
            Err(error) => {
                return self.later_or_time_out(claim, Some(self.without_key(claim, error.upstream)));
            }
        };
        self.judge(claim, &tunnel)
    }

    fn judge(&self, claim: &Claim, tunnel: &Tunnel) -> Next {
        let comparison =
            verify::compare(&claim.operation.changes, tunnel, self.fingerprints_of(&claim.operation));
        if tunnel.is_in_transition() {
            return self.later_or_time_out(claim, None);
        }
        if comparison.is_confirmed() {
            let verification = comparison.verdict();
            return step(Transition::Succeed { verification }, Some(seen(None)));
        }
        let verdict = comparison.verdict();
        if !self.is_settled(claim) {
            return self.later_or_time_out(claim, Some(seen(Some(verdict))));
        }
        if matches!(verdict, Verification::Diverged { .. }) {
            let error = outcome::error(ErrorCode::NotApplied);
            return step(Transition::Fail { error }, Some(seen(Some(verdict))));
        }
        let error = OperationError {
            detail: "what was changed can't be read back, so nobody can tell whether it happened".into(),
            ..outcome::error(ErrorCode::TaskTimeout)
        };
        step(Transition::TimeOut { error }, Some(seen(Some(verdict))))
    }

    /// True once a change that was sent without an answer can't turn up any more. One that the cloud took can, for as
    /// long as a task may last.
    fn is_settled(&self, claim: &Claim) -> bool {
        let is_taken = matches!(claim.operation.state, State::Running { .. });
        !is_taken && self.age(claim.operation.updated_at) >= self.rules.settle_window
    }

    fn later_or_time_out(&self, claim: &Claim, upstream: Option<Upstream>) -> Next {
        if self.age(claim.operation.updated_at) < self.rules.task_timeout {
            return LATER;
        }
        step(Transition::TimeOut { error: outcome::error(ErrorCode::TaskTimeout) }, upstream)
    }

    fn age(&self, since: Timestamp) -> Duration {
        self.clock.now().since(since)
    }

    /// The wait before look number `polls`: growing by half each time up to the ceiling, and jittered downwards, so
    /// that operations which began together do not stay together.
    pub(super) fn poll_wait(&self, polls: u32) -> Duration {
        let growth = 1.5_f64.powi(i32::try_from(polls.min(64)).unwrap_or(64));
        let ceiling = self.rules.poll_max_interval.as_secs_f64();
        let wait = (self.rules.poll_interval.as_secs_f64() * growth).min(ceiling);
        Duration::from_secs_f64(wait * (0.75 + 0.25 * self.chance.fraction()))
    }
}

/// What the log keeps of a look at the tunnel.
fn seen(verification: Option<Verification>) -> Upstream {
    Upstream { verification, ..Upstream::of_tunnel_read() }
}
