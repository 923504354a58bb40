//! Writing. Each step is one guarded change of one operation with its event, in one transaction. Only steps write
//! operations. Events come from steps and from changes of API keys.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio::sync::broadcast;
use uuid::Uuid;

use crate::domain::event::{EventKind, NewEvent, Origin, Upstream};
use crate::domain::operation::{Operation, OperationId, Transition};
use crate::domain::timestamp::Timestamp;

use super::error::LedgerError;
use super::ready::NotReady;

/// How long an `Idempotency-Key` is kept.
pub const IDEMPOTENCY_WINDOW: Duration = Duration::from_secs(24 * 60 * 60);

/// Identity of a request: two requests are the same if their identities are equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestIdentity {
    /// SHA-256 of the request without its secret.
    pub sha256: Vec<u8>,
    /// The secret in the request, if it contains one.
    pub secret: Option<SecretIdentity>,
}

/// The keyed fingerprint of a secret. A reader of the table can't test guesses of the secret against it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretIdentity {
    pub fingerprint: String,
    /// Id of the key that the fingerprint was computed with.
    pub key_id: String,
}

/// Identifies a repeated request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// [`crate::domain::principal::Principal::id`].
    pub principal_id: String,
    pub key: String,
    pub request: RequestIdentity,
}

/// The first request with an `Idempotency-Key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstRequest {
    pub request: RequestIdentity,
    /// The operation in its current state.
    pub operation: Operation,
}

impl FirstRequest {
    /// The outcome of a later request with the same key.
    #[must_use]
    pub fn answer(&self, asked: &Idempotency) -> Written {
        let (first, asked) = (&self.request, &asked.request);
        if first.sha256 != asked.sha256 {
            return Written::KeyReused;
        }
        match (&first.secret, &asked.secret) {
            // Fingerprints with different keys are not comparable.
            (Some(first), Some(asked)) if first.key_id != asked.key_id => {
                Written::KeyUnverifiable(self.operation.id)
            }
            (first, asked) if first == asked => Written::Repeated(Box::new(self.operation.clone())),
            _ => Written::KeyReused,
        }
    }
}

/// Opens an operation: writes it as `pending`, with its `requested` event.
#[derive(Debug, Clone)]
pub struct Opening {
    /// In state `Pending`.
    pub operation: Operation,
    pub origin: Origin,
    pub event_id: Uuid,
    /// The lock that the operation holds until it is final. Only one operation at a time holds a lock.
    pub lock_id: String,
    /// `seq` of the newest event when the tunnel was read. Guard: no operation that held the lock has a newer event.
    pub read_seq: Option<i64>,
    pub idempotency: Option<Idempotency>,
    /// Until this time only the opener works on the operation (fencing token 0). Afterwards a tracker may claim it.
    pub lease_until: Timestamp,
}

/// Moves an operation to its next state.
#[derive(Debug, Clone)]
pub struct Advance {
    /// The operation as the caller knows it. The guard compares its status with the stored one.
    pub operation: Operation,
    pub transition: Transition,
    pub upstream: Option<Upstream>,
    /// The request that caused the step; empty for a step in the background.
    pub origin: Origin,
    pub event_id: Uuid,
    /// The parameters of the call that was sent.
    pub sent: Option<Value>,
    /// The fencing token of the caller's lease.
    pub fence: i64,
    pub now: Timestamp,
    /// When the tracker polls the operation next, unless it is final then. The step ends the lease.
    pub due_at: Timestamp,
}

/// One write.
#[derive(Debug, Clone)]
pub enum Step {
    Open(Box<Opening>),
    Advance(Box<Advance>),
    /// An event that belongs to no operation (`denied`).
    Record(Box<NewEvent>),
}

/// The outcome of a step that the ledger processed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    Opened,
    /// The same request was made before with this `Idempotency-Key`; contains its operation in its current state.
    Repeated(Box<Operation>),
    /// A different request was made before with this `Idempotency-Key`.
    KeyReused,
    /// A request with this `Idempotency-Key` was made before. The two are equal apart from their secrets, which are not
    /// comparable.
    KeyUnverifiable(OperationId),
    /// An operation on the tunnel has an event newer than the read of the tunnel. Nothing was written.
    ReadStale,
    /// Another operation on the same tunnel is not final.
    InProgress(OperationId),
    /// The operation in its new state.
    Advanced(Box<Operation>),
    /// The guard failed: the operation's status or the lease has changed. Nothing was written.
    Stale,
    Recorded,
}

/// The outcome of accepting a loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AcceptedLoss {
    Accepted,
    /// No loss is noted. Nothing was written.
    NothingLost,
    /// Another event is the newest. Nothing was written.
    NotNewest(i64),
}

/// Writes steps.
#[async_trait]
pub trait Steps: Send + Sync + 'static {
    /// Writes one step, durable on return. Concurrent steps share a transaction.
    async fn write(&self, step: Step) -> Result<Written, LedgerError>;

    /// Ids of operations that took a step in this process and, if the store notifies, in other replicas. Messages can
    /// be lost.
    fn steps(&self) -> broadcast::Receiver<OperationId>;

    /// `seq` of the newest event; 0 if there is none.
    async fn newest_seq(&self) -> Result<i64, LedgerError>;

    /// The first request with an `Idempotency-Key`; `None` if the key is new or older than [`IDEMPOTENCY_WINDOW`].
    async fn first_request(
        &self,
        principal_id: &str,
        key: &str,
        now: Timestamp,
    ) -> Result<Option<FirstRequest>, LedgerError>;

    /// Deletes up to `limit` idempotency keys created before `before`; returns how many.
    async fn forget_idempotency_keys(&self, before: Timestamp, limit: u32) -> Result<u64, LedgerError>;

    /// Accepts that the log went back to the event `after`, which must be the newest one. Writes `event`, with the lost
    /// heads in its `changes`.
    async fn accept_loss(&self, after: i64, event: NewEvent) -> Result<AcceptedLoss, LedgerError>;

    /// The database's clock; `None` if the ledger has no clock but the process's own.
    async fn time(&self) -> Result<Option<Timestamp>, LedgerError>;

    /// Saves what the process has to remember after its end.
    async fn close(&self);

    /// Fails unless the ledger is migrated and writable, and its log did not go back.
    async fn ready(&self) -> Result<(), NotReady>;
}

/// An event of this operation, with its actor, tunnel, route and outcome.
#[must_use]
pub fn event_of(operation: &Operation, id: Uuid, event: EventKind, now: Timestamp) -> NewEvent {
    NewEvent {
        operation_id: Some(operation.id),
        origin: Origin {
            request_id: operation.request_id.clone(),
            trace_id: operation.trace_id.clone(),
            ..Origin::default()
        },
        tunnel: Some(operation.tunnel.clone()),
        route: Some(operation.route.clone()),
        outcome: Some(operation.outcome()),
        reason: operation.reason.clone(),
        rollback_of: operation.rollback_of,
        ..NewEvent::new(id, event, operation.requested_by.clone(), now)
    }
}
