//! A change on its way: prepared, committed, sent at most once, and its answer committed.
//!
//! Everything that can refuse a change does so before anything is written: the reason, the `Idempotency-Key`, the call
//! budget, the read of the tunnel.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;
use tracing::{error, warn};

use crate::domain::changes::Changes;
use crate::domain::event::{Origin, Upstream};
use crate::domain::operation::{ErrorCode, Operation, OperationError, State, Transition};
use crate::domain::principal::VpcScope;
use crate::failpoint;

use super::cloud::{Permit, Reply, SendLease, Sent, Slot};
use super::idempotency::of_repeated;
use super::ledger::{Advance, Idempotency, LedgerError, Opening, Step, Written};
use super::prepare::Prepared;
pub use super::request::{Modified, Modify, ModifyError, Retry, Rollback};
use super::{Service, outcome};

/// The fencing token of the request that opened an operation.
const OPENER: i64 = 0;
/// What an opener's lease lasts beyond the call's time limit.
const LEASE_MARGIN: Duration = Duration::from_secs(5);
/// First wait before an answer that the ledger did not take is written again.
const WRITE_AGAIN: Duration = Duration::from_millis(100);
/// How often a tunnel is read before a change gives up because other changes of it end meanwhile.
const READS: u32 = 3;

/// An operation that was opened and whose change may be sent.
struct Opened {
    operation: Operation,
    lease: SendLease,
}

impl Service {
    /// Carries out a patch, or the patch that rolls an operation back, up to the cloud's answer.
    ///
    /// # Errors
    /// Where no operation came of it.
    pub async fn modify(&self, request: Modify) -> Result<Modified, ModifyError> {
        let changes = Changes::of(&request.patch, &self.fingerprints);
        let idempotency = self.idempotency(&request, &changes);
        if let Some(asked) = &idempotency
            && let Some(modified) = self.repeated(asked).await?
        {
            return Ok(modified);
        }
        self.check_reason(request.reason.as_deref())?;
        self.check_old_key(&request)?;
        for _ in 0..READS {
            let prepared = self.prepare(&request, &changes).await?;
            let is_last = prepared.before.is_some();
            let slot = request.cloud.reserve(&request.principal.id, is_last).await?;
            match self.open(&request, &changes, &prepared, idempotency.clone()).await? {
                Ok(opened) => return Ok(self.send(&request, opened, prepared, slot).await),
                Err(Written::ReadStale) => {}
                Err(written) => return of_repeated(written),
            }
        }
        Err(OperationError {
            detail: "the tunnel was changed each time it was read; nothing was sent, try again later".into(),
            ..outcome::error(ErrorCode::TunnelUnreadable)
        }
        .into())
    }

    /// Refuses a change without the reason that the operator requires.
    pub(super) fn check_reason(&self, reason: Option<&str>) -> Result<(), ModifyError> {
        match &self.rules.require_reason {
            Some(pattern) if !reason.is_some_and(|reason| pattern.is_match(reason)) => {
                Err(ModifyError::ReasonRequired { pattern: pattern.to_string() })
            }
            _ => Ok(()),
        }
    }

    /// How long an opener may hold an operation: one call to the cloud and the writes around it.
    fn opening_lease(request: &Modify) -> Duration {
        request.cloud.timeout() + LEASE_MARGIN * 2
    }

    /// Commits the intent, before a byte of the change goes to the cloud.
    async fn open(
        &self,
        request: &Modify,
        changes: &Changes,
        prepared: &Prepared,
        idempotency: Option<Idempotency>,
    ) -> Result<Result<Opened, Written>, LedgerError> {
        let lease = Self::opening_lease(request);
        // Both are of the time before the commit, which may take long, or a suspended machine.
        let (monotonic, wall, now) = (Instant::now(), self.clock.wall(), self.clock.now());
        let operation = Operation {
            id: self.chance.id(now),
            tunnel: request.path.clone(),
            route: request.cloud.route(),
            changes: changes.clone(),
            before: prepared.before.clone(),
            fingerprint_key_id: Some(self.fingerprints.id().to_owned()),
            reason: request.reason.clone(),
            rollback_of: request.rollback.as_ref().map(|rollback| rollback.of.id),
            requested_by: request.principal.actor.clone(),
            request_id: request.origin.request_id.clone(),
            trace_id: request.origin.trace_id.clone(),
            created_at: now,
            updated_at: now,
            finished_at: None,
            state: State::Pending,
        };
        let opening = Opening {
            operation: operation.clone(),
            origin: request.origin.clone(),
            event_id: self.chance.id(now),
            lock_id: prepared.lock_id.clone(),
            read_seq: prepared.read_seq,
            idempotency,
            lease_until: now.plus(lease),
        };
        failpoint::at!("open.before-write");
        let written = self.ledger.write(Step::Open(Box::new(opening))).await?;
        failpoint::at!("open.committed");
        // Past this moment the call could end after a tracker has taken over.
        let left = LEASE_MARGIN;
        Ok(match written {
            Written::Opened => Ok(Opened {
                operation,
                lease: SendLease { monotonic: monotonic + left, wall: wall.plus(left) },
            }),
            other => Err(other),
        })
    }

    /// Sends the change and commits the answer.
    async fn send(
        &self,
        request: &Modify,
        opened: Opened,
        prepared: Prepared,
        slot: Box<dyn Slot>,
    ) -> Modified {
        let Opened { operation, lease } = opened;
        // The answer may be written for as long as the call may take after the last moment at which it may begin.
        let until = lease.monotonic + request.cloud.timeout() + LEASE_MARGIN;
        failpoint::at!("change.before-call");
        let permit = Permit { slot, opened_at: operation.created_at, lease };
        let reply = request.cloud.modify(&prepared.change, permit).await;
        failpoint::at!("change.answered");
        let sent = match reply.sent {
            Sent::Unreachable | Sent::TooLate => None,
            Sent::Accepted { .. } | Sent::Refused(_) | Sent::Unknown => {
                Some(Value::Object(request.cloud.sent(&prepared.change, &self.fingerprints)))
            }
        };
        let transition = outcome::of(&reply);
        let Reply { upstream, .. } = reply;
        let operation = self.conclude(operation, transition, upstream, sent, &request.origin, until).await;
        match operation.state {
            State::Rejected { .. } => Modified::Rejected(operation),
            _ => Modified::Accepted(operation),
        }
    }

    /// Commits the answer. The change may have been sent, so a ledger that fails is asked again until the lease is
    /// over; after that the operation is the tracker's.
    async fn conclude(
        &self,
        operation: Operation,
        transition: Transition,
        upstream: Upstream,
        sent: Option<Value>,
        origin: &Origin,
        until: Instant,
    ) -> Operation {
        let now = self.clock.now();
        let advance = Advance {
            operation: operation.clone(),
            transition,
            upstream: Some(upstream),
            sent,
            origin: origin.clone(),
            event_id: self.chance.id(now),
            fence: OPENER,
            now,
            due_at: self.first_due(&operation.route),
        };
        let mut wait = WRITE_AGAIN;
        loop {
            match self.ledger.write(Step::Advance(Box::new(advance.clone()))).await {
                Ok(Written::Advanced(operation)) => {
                    failpoint::at!("conclude.committed");
                    return *operation;
                }
                Ok(other) => {
                    warn!(operation_id = %operation.id, ?other, "the answer came too late: a tracker has taken over");
                    return self.as_it_is(operation).await;
                }
                Err(error) if Instant::now() + wait < until => {
                    warn!(operation_id = %operation.id, error = crate::causes::chain(&error),
                        "the cloud's answer could not be written; retrying");
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(Duration::from_secs(2));
                }
                Err(error) => {
                    error!(operation_id = %operation.id, error = crate::causes::chain(&error),
                        "the cloud's answer could not be written; the tracker will read the tunnel");
                    return operation;
                }
            }
        }
    }

    /// The operation as the ledger has it, or as it was last known.
    async fn as_it_is(&self, operation: Operation) -> Operation {
        match self.ledger.operation(operation.id, &VpcScope::All).await {
            Ok(Some(now)) => now,
            Ok(None) | Err(_) => operation,
        }
    }
}
