//! A patch on its way: committed, sent at most once, and its answer committed.

use std::time::Duration;

use tokio::time::Instant;
use tracing::{error, warn};

use crate::domain::changes::Changes;
use crate::domain::etag::Precondition;
use crate::domain::event::{Origin, Upstream};
use crate::domain::ids::TunnelPath;
use crate::domain::operation::{ErrorCode, Operation, OperationId, State, Transition};
use crate::domain::patch::Patch;
use crate::domain::principal::Principal;
use crate::domain::tunnel::Tunnel;
use crate::failpoint;

use super::cloud::{Priority, ReadError, ReadFailure};
use super::ledger::{Advance, Idempotency, LedgerError, Opening, Step, Written};
use super::prepare::Unprepared;
use super::tunnels::TunnelError;
use super::{Service, outcome};

/// The fencing token of the request that opened an operation.
const OPENER: i64 = 0;
/// What has to stay of the opener's lease when the change is sent, beyond the call's own time limit.
const LEASE_MARGIN: Duration = Duration::from_secs(5);
/// First wait before an answer that the ledger did not take is written again.
const WRITE_AGAIN: Duration = Duration::from_millis(100);

/// A request to change a tunnel, already authorized.
#[derive(Debug, Clone)]
pub struct Modify {
    pub principal: Principal,
    pub path: TunnelPath,
    pub patch: Patch,
    pub origin: Origin,
    /// The `Idempotency-Key`, unquoted.
    pub idempotency_key: Option<String>,
    /// What has to hold of the tunnel before anything is sent (`If-Match`).
    pub if_match: Option<Precondition>,
}

/// What a request to change a tunnel led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Modified {
    /// Sent: `running`, or `unknown` if no answer tells. `pending` if the ledger failed after the change was sent:
    /// the tracker will find out.
    Accepted(Operation),
    /// Nothing was changed: `rejected`.
    Rejected(Operation),
    /// The same request came before under this `Idempotency-Key`: its operation as it is now, in any state but
    /// `pending`.
    Repeated(Operation),
}

/// Why a request led to no operation.
#[derive(Debug, thiserror::Error)]
pub enum ModifyError {
    /// An operation on the same tunnel is not final.
    #[error("operation {0} on this tunnel is not final")]
    InProgress(OperationId),
    /// Another request came before under this `Idempotency-Key`.
    #[error("this Idempotency-Key was used for another request")]
    KeyReused,
    /// The first request under this `Idempotency-Key` is still being sent.
    #[error("the first request with this Idempotency-Key is still being sent")]
    KeyInFlight(OperationId),
    /// Which tunnel the path means could not be read: nothing was sent.
    #[error(transparent)]
    Unread(#[from] TunnelError),
    /// The ledger could not be written before the call: nothing was sent.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl Service {
    /// Carries out a patch up to the cloud's answer.
    ///
    /// # Errors
    /// Where no operation came of it; then nothing was sent.
    pub async fn modify(&self, request: Modify) -> Result<Modified, ModifyError> {
        let lease = self.lease();
        let opened_at = Instant::now();
        let operation = match self.open(&request, lease).await? {
            Opened::New(operation) => operation,
            Opened::Before(operation) => return Ok(Modified::Repeated(operation)),
        };
        failpoint::at!("open.committed");
        // Whoever is stopped past this moment must not send any more: a tracker may have taken over.
        let send_before = opened_at + (lease - self.rules.upstream_timeout - LEASE_MARGIN);
        let (transition, upstream) = match self.prepare(&request).await {
            Err(Unprepared { error, upstream }) => (Transition::Reject { error }, upstream),
            Ok(_) if Instant::now() >= send_before => (reject(ErrorCode::NotSent), None),
            Ok(change) => {
                failpoint::at!("change.before-call");
                let reply = self.cloud.modify(&change).await;
                failpoint::at!("change.answered");
                (outcome::of(&reply), Some(reply.upstream))
            }
        };
        let operation =
            self.conclude(operation, transition, upstream, &request.origin, opened_at + lease).await;
        Ok(match operation.state {
            State::Rejected { .. } => Modified::Rejected(operation),
            _ => Modified::Accepted(operation),
        })
    }

    /// How long an opener or a tracker may hold an operation: two calls to the cloud and the writes around them.
    pub(super) fn lease(&self) -> Duration {
        self.rules.upstream_timeout * 2 + LEASE_MARGIN * 2
    }

    /// Commits the intent, before a byte goes to the cloud.
    async fn open(&self, request: &Modify, lease: Duration) -> Result<Opened, ModifyError> {
        let lock_id = self.lock_id(&request.path).await?;
        let now = self.clock.now();
        let changes = Changes::of(&request.patch, &self.fingerprints);
        let operation = Operation {
            id: self.chance.id(now),
            tunnel: request.path.clone(),
            fingerprint_key_id: Some(self.fingerprints.id().to_owned()),
            changes,
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
            lock_id,
            idempotency: self.idempotency(request, &operation.changes),
            lease_until: now.plus(lease),
        };
        failpoint::at!("open.before-write");
        match self.ledger.write(Step::Open(Box::new(opening))).await? {
            Written::Opened => Ok(Opened::New(operation)),
            Written::Repeated(before) if before.state == State::Pending => {
                Err(ModifyError::KeyInFlight(before.id))
            }
            Written::Repeated(before) => Ok(Opened::Before(*before)),
            Written::KeyReused => Err(ModifyError::KeyReused),
            Written::InProgress(other) => Err(ModifyError::InProgress(other)),
            Written::Advanced(_) | Written::Stale | Written::Recorded => Err(ModifyError::Ledger(
                LedgerError::Corrupt("an opening was answered like another step".into()),
            )),
        }
    }

    /// What a change at this path holds. Only the cloud knows which tunnel an id of the older form means. A path that it
    /// does not know holds itself, and is refused in the end.
    async fn lock_id(&self, path: &TunnelPath) -> Result<String, TunnelError> {
        let lock = |vpc: &str, tunnel: &str| format!("{vpc}/{tunnel}");
        let as_written = lock(path.vpc_id.as_str(), path.tunnel_id.as_str());
        if path.is_unified() {
            return Ok(as_written);
        }
        match self.cloud.tunnel(path, Priority::Change).await {
            Ok(Tunnel { vpc_ids, tunnel_ids, .. }) => Ok(match (vpc_ids.first(), tunnel_ids.first()) {
                (Some(vpc), Some(tunnel)) => lock(vpc, tunnel),
                _ => as_written,
            }),
            Err(ReadError { failure: ReadFailure::NotFound, .. }) => Ok(as_written),
            Err(error) => Err(outcome::unreadable(&error).into()),
        }
    }

    /// Two requests are the same if they ask for the same changes of the same tunnel under the same `If-Match`; a
    /// secret counts by its keyed fingerprint.
    fn idempotency(&self, request: &Modify, changes: &Changes) -> Option<Idempotency> {
        let key = request.idempotency_key.clone()?;
        let path = &request.path;
        let changes = serde_json::to_vec(changes.members()).unwrap_or_default();
        let mut parts = vec![
            path.vpc_id.as_str().as_bytes(),
            path.gateway_id.as_str().as_bytes(),
            path.tunnel_id.as_str().as_bytes(),
            &changes,
        ];
        let if_match = request.if_match.as_ref().map(ToString::to_string);
        parts.extend(if_match.as_ref().map(|tags| tags.as_bytes()));
        let fingerprint = self.fingerprints.of_request(&parts);
        Some(Idempotency { principal_id: request.principal.id.clone(), key, fingerprint })
    }

    /// Commits the answer. The change may have been sent by now, so a ledger that fails is asked again until the
    /// lease is over; after that the operation is the tracker's.
    async fn conclude(
        &self,
        operation: Operation,
        transition: Transition,
        upstream: Option<Upstream>,
        origin: &Origin,
        until: Instant,
    ) -> Operation {
        let now = self.clock.now();
        let advance = Advance {
            operation: operation.clone(),
            transition,
            upstream,
            origin: origin.clone(),
            event_ids: [self.chance.id(now), self.chance.id(now)],
            fence: OPENER,
            now,
            due_at: now.plus(self.poll_wait(0)),
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
                        "the cloud's answer could not be written; trying again");
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
        match self.ledger.operation(operation.id, &crate::domain::principal::VpcScope::All).await {
            Ok(Some(now)) => now,
            Ok(None) | Err(_) => operation,
        }
    }
}

enum Opened {
    New(Operation),
    Before(Operation),
}

fn reject(code: ErrorCode) -> Transition {
    Transition::Reject { error: outcome::error(code) }
}
