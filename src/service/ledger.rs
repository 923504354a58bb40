//! What the service needs of the ledger: the store of operations and events. Every step is one write: a guarded
//! change of the operation with its events, in one transaction. Nothing else writes either table.

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::broadcast;
use uuid::Uuid;

use crate::domain::bucket::Bucket;
use crate::domain::event::{Actor, Event, EventKind, NewEvent, Origin, Upstream};
use crate::domain::operation::{Operation, OperationId, Status, Transition};
use crate::domain::principal::{Grant, VpcScope};
use crate::domain::timestamp::Timestamp;

/// How long an `Idempotency-Key` is kept.
pub const IDEMPOTENCY_WINDOW: Duration = Duration::from_secs(24 * 60 * 60);

/// What makes a repeated request known again.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Idempotency {
    /// [`crate::domain::principal::Principal::id`].
    pub principal_id: String,
    pub key: String,
    /// Keyed, so that nobody who reads the table can guess a secret with it.
    pub fingerprint: Vec<u8>,
}

/// Opens an operation: writes it as `pending`, with its `requested` event.
#[derive(Debug, Clone)]
pub struct Opening {
    /// In state `Pending`.
    pub operation: Operation,
    pub origin: Origin,
    pub event_id: Uuid,
    /// What it holds until it is final; nobody else gets it meanwhile.
    pub lock_id: String,
    pub idempotency: Option<Idempotency>,
    /// Until then the opener alone deals with it (fencing token 0); after that a tracker takes it over.
    pub lease_until: Timestamp,
}

/// Moves an operation on.
#[derive(Debug, Clone)]
pub struct Advance {
    /// As the caller knows it: the guard is that it is still so.
    pub operation: Operation,
    pub transition: Transition,
    pub upstream: Option<Upstream>,
    /// Who caused it: the request's origin while the request lasts, nothing in the background.
    pub origin: Origin,
    /// Ids of the events: a transition has one or two of them.
    pub event_ids: [Uuid; 2],
    /// The lease under which it is done.
    pub fence: i64,
    pub now: Timestamp,
    /// When the tracker looks at it next, if it is not final then. The lease is given back.
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

/// What became of a write that the ledger could carry out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    Opened,
    /// The same request came before under this `Idempotency-Key`: its operation as it is now.
    Repeated(Box<Operation>),
    /// Another request came before under this `Idempotency-Key`.
    KeyReused,
    /// An operation on the same tunnel is not final.
    InProgress(OperationId),
    /// The operation in its new state.
    Advanced(Box<Operation>),
    /// The guard did not hold: somebody else has moved it on, or holds the lease. Nothing was written.
    Stale,
    Recorded,
}

/// Why the ledger could not do it. The details are for the log; a consumer is told `ledger_unavailable`.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// It could not be reached, was too slow, or refused; nothing is known to have been written.
    #[error("the ledger is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A row does not hold what its columns promise.
    #[error("the ledger holds a row that cannot be read: {0}")]
    Corrupt(String),
    /// An event's columns do not hold what they promise.
    #[error("event {0} cannot be read")]
    UnreadableEvent(i64),
}

/// An operation to look at, held under a lease.
#[derive(Debug, Clone)]
pub struct Claim {
    pub operation: Operation,
    /// The fencing token: a write under an older one changes nothing.
    pub fence: i64,
    /// How often it was looked at before, without an end.
    pub polls: u32,
    /// How often the tunnel was read back after the task ended well.
    pub read_backs: u32,
}

/// Newest first; `None` filters nothing.
#[derive(Debug, Clone, Default)]
pub struct OperationFilter {
    pub vpc_id: Option<String>,
    pub tunnel_id: Option<String>,
    pub status: Option<Status>,
    pub requested_by: Option<String>,
    /// Inclusive.
    pub created_after: Option<Timestamp>,
    /// Exclusive.
    pub created_before: Option<Timestamp>,
}

/// The order of a walk through the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    NewestFirst,
    OldestFirst,
}

/// `None` filters nothing.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    pub operation_id: Option<OperationId>,
    pub event: Option<EventKind>,
    pub vpc_id: Option<String>,
    pub tunnel_id: Option<String>,
    /// The operation's status now.
    pub status: Option<Status>,
    /// The event's `actor`.
    pub requested_by: Option<String>,
    /// Inclusive, of `occurred_at`.
    pub created_after: Option<Timestamp>,
    /// Exclusive, of `occurred_at`.
    pub created_before: Option<Timestamp>,
}

/// Events of one kind in one stretch of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventCount {
    /// When the stretch begins.
    pub from: Timestamp,
    /// An [`EventKind`]'s word; any text, if somebody tampered with the rows.
    pub event: String,
    pub count: u64,
}

/// The newest event's place in the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    pub seq: i64,
    pub hash: [u8; 32],
    pub at: Timestamp,
}

/// An API key as it is stored: never the token itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    pub id: Uuid,
    pub name: String,
    pub token_sha256: [u8; 32],
    pub grants: Vec<Grant>,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

/// How the unfinished work stands, for metrics.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Operations that are not final, by status.
    pub unfinished: Vec<(Status, u64)>,
    /// When the oldest of them was opened.
    pub oldest: Option<Timestamp>,
    /// When the work that has waited longest was due; `None` if nothing is due.
    pub oldest_due: Option<Timestamp>,
}

/// The store of operations and events. Every method has a time limit of its own.
#[async_trait]
pub trait Ledger: Send + Sync + 'static {
    /// Writes one step. Steps that come at the same time share a transaction; when this answers, it is durable.
    async fn write(&self, step: Step) -> Result<Written, LedgerError>;

    /// Takes up to `limit` unfinished operations that are due and that nobody holds, oldest due first, each under a
    /// lease with a new fencing token. `holder` is for people who look at the table.
    async fn claim(
        &self,
        holder: &str,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Claim>, LedgerError>;

    /// Gives a claim back, to be looked at again at `due_at`. False if the lease was lost.
    async fn snooze(&self, claim: &Claim, read_back: bool, due_at: Timestamp) -> Result<bool, LedgerError>;

    /// When the next unfinished operation is due or its lease ends; `None` if there is none.
    async fn next_due(&self) -> Result<Option<Timestamp>, LedgerError>;

    /// One operation, if its VPC is among those.
    async fn operation(&self, id: OperationId, vpcs: &VpcScope) -> Result<Option<Operation>, LedgerError>;

    /// Those of these operations that there are, in no order.
    async fn operations_by_id(&self, ids: &[OperationId]) -> Result<Vec<Operation>, LedgerError>;

    /// All events of these operations, oldest first.
    async fn events_of(&self, ids: &[OperationId]) -> Result<Vec<Event>, LedgerError>;

    /// Operations, newest first, that come after `after` in that order.
    async fn operations(
        &self,
        vpcs: &VpcScope,
        filter: &OperationFilter,
        after: Option<OperationId>,
        limit: u32,
    ) -> Result<Vec<Operation>, LedgerError>;

    /// One event, if its VPC is among those.
    async fn event(&self, seq: i64, vpcs: &VpcScope) -> Result<Option<Event>, LedgerError>;

    /// Events that come after `after` in the order.
    async fn events(
        &self,
        vpcs: &VpcScope,
        filter: &EventFilter,
        order: Order,
        after: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Event>, LedgerError>;

    /// Events counted by stretch of time and by kind, in that order. Stretches without any are left out.
    async fn event_counts(
        &self,
        vpcs: &VpcScope,
        filter: &EventFilter,
        bucket: Bucket,
    ) -> Result<Vec<EventCount>, LedgerError>;

    /// The newest event's place in the chain; `None` if there is no event.
    async fn checkpoint(&self) -> Result<Option<Checkpoint>, LedgerError>;

    /// Forgets up to `limit` idempotency keys that are older than that; says how many it were.
    async fn forget_idempotency_keys(&self, before: Timestamp, limit: u32) -> Result<u64, LedgerError>;

    /// How the unfinished work stands.
    async fn backlog(&self, now: Timestamp) -> Result<Backlog, LedgerError>;

    /// Fails unless the ledger is migrated and can be written.
    async fn ready(&self) -> Result<(), LedgerError>;

    /// Ids of operations that took a step, in this process and, where the store tells, in others. Only makes things
    /// faster: a message may be missing.
    fn steps(&self) -> broadcast::Receiver<OperationId>;

    /// Stores a new API key; false if its name is taken by one that is not revoked.
    async fn create_key(&self, key: &ApiKey) -> Result<bool, LedgerError>;

    /// The key with this token's SHA-256, revoked or not.
    async fn key_by_token(&self, token_sha256: &[u8; 32]) -> Result<Option<ApiKey>, LedgerError>;

    /// All keys, oldest first.
    async fn keys(&self) -> Result<Vec<ApiKey>, LedgerError>;

    /// Revokes the key of this name that is not revoked yet; false if there is none.
    async fn revoke_key(&self, name: &str, now: Timestamp) -> Result<bool, LedgerError>;
}

/// The events that a step writes besides its own columns: who, where and when are the operation's.
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
