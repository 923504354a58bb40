//! Writing. Each step is one guarded change of one operation with its events, in one transaction. Only steps write
//! operations and events.

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::broadcast;
use uuid::Uuid;

use crate::domain::event::{Actor, EventKind, NewEvent, Origin, Upstream};
use crate::domain::operation::{Operation, OperationId, Transition};
use crate::domain::timestamp::Timestamp;

use super::error::LedgerError;

/// How long an `Idempotency-Key` is kept.
pub const IDEMPOTENCY_WINDOW: Duration = Duration::from_secs(24 * 60 * 60);

/// Identifies a repeated request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Idempotency {
    /// [`crate::domain::principal::Principal::id`].
    pub principal_id: String,
    pub key: String,
    /// A keyed hash of the request: a reader of the table can't test guesses of a secret against it.
    pub fingerprint: Vec<u8>,
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
    /// A transition writes one or two events.
    pub event_ids: [Uuid; 2],
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
    /// Another operation on the same tunnel is not final.
    InProgress(OperationId),
    /// The operation in its new state.
    Advanced(Box<Operation>),
    /// The guard failed: the operation's status or the lease has changed. Nothing was written.
    Stale,
    Recorded,
}

/// Writes steps.
#[async_trait]
pub trait Steps: Send + Sync + 'static {
    /// Writes one step, durable on return. Concurrent steps share a transaction.
    async fn write(&self, step: Step) -> Result<Written, LedgerError>;

    /// Ids of operations that took a step in this process and, if the store notifies, in other replicas. Messages can
    /// be lost.
    fn steps(&self) -> broadcast::Receiver<OperationId>;

    /// Deletes up to `limit` idempotency keys created before `before`; returns how many.
    async fn forget_idempotency_keys(&self, before: Timestamp, limit: u32) -> Result<u64, LedgerError>;

    /// Fails unless the ledger is migrated and writable.
    async fn ready(&self) -> Result<(), LedgerError>;
}

/// An event of this operation, without changes or the cloud's answer.
#[must_use]
pub fn event_of(operation: &Operation, id: Uuid, event: EventKind, now: Timestamp) -> NewEvent {
    NewEvent {
        id,
        occurred_at: now,
        event,
        operation_id: Some(operation.id),
        actor: Actor { name: operation.requested_by.name.clone(), kind: operation.requested_by.kind },
        origin: Origin {
            request_id: operation.request_id.clone(),
            trace_id: operation.trace_id.clone(),
            ..Origin::default()
        },
        tunnel: operation.tunnel.clone(),
        changes: None,
        upstream: None,
    }
}
