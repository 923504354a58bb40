//! Reading operations and audit events: one by one, in lists, and counted.

use async_trait::async_trait;

use crate::domain::bucket::Bucket;
use crate::domain::event::{Event, EventKind};
use crate::domain::operation::{Operation, OperationId, Status};
use crate::domain::principal::VpcScope;
use crate::domain::timestamp::Timestamp;

use super::error::LedgerError;

/// A filter on operations. `None` matches all.
#[derive(Debug, Clone, Default)]
pub struct OperationFilter {
    pub vpc_id: Option<String>,
    pub tunnel_id: Option<String>,
    pub status: Option<Status>,
    pub requested_by: Option<String>,
    /// The name of an account.
    pub account: Option<String>,
    /// The id of the request that opened the operation. No index has it.
    pub request_id: Option<String>,
    /// Inclusive.
    pub created_after: Option<Timestamp>,
    /// Exclusive.
    pub created_before: Option<Timestamp>,
}

/// The order of a list of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    NewestFirst,
    OldestFirst,
}

/// A filter on events. `None` matches all.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    pub operation_id: Option<OperationId>,
    pub event: Option<EventKind>,
    pub vpc_id: Option<String>,
    pub tunnel_id: Option<String>,
    /// The operation's current status.
    pub status: Option<Status>,
    /// The event's `actor`.
    pub requested_by: Option<String>,
    /// The name of an account.
    pub account: Option<String>,
    /// Inclusive, compared with `occurred_at`.
    pub created_after: Option<Timestamp>,
    /// Exclusive, compared with `occurred_at`.
    pub created_before: Option<Timestamp>,
}

/// The number of events of one kind in one bucket of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventCount {
    /// Start of the bucket.
    pub from: Timestamp,
    /// An [`EventKind`]'s word, or any other text if the row was tampered with.
    pub event: String,
    pub count: u64,
}

/// Position and hash of the newest event in the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    pub seq: i64,
    pub hash: [u8; 32],
    pub at: Timestamp,
}

/// Reads operations and events.
#[async_trait]
pub trait Lists: Send + Sync + 'static {
    /// One operation, if its VPC is in `vpcs`.
    async fn operation(&self, id: OperationId, vpcs: &VpcScope) -> Result<Option<Operation>, LedgerError>;

    /// The operations with these ids, in no order. Unknown ids are left out.
    async fn operations_by_id(&self, ids: &[OperationId]) -> Result<Vec<Operation>, LedgerError>;

    /// All events of these operations, oldest first.
    async fn events_of(&self, ids: &[OperationId]) -> Result<Vec<Event>, LedgerError>;

    /// Operations older than `after`, newest first.
    async fn operations(
        &self,
        vpcs: &VpcScope,
        filter: &OperationFilter,
        after: Option<OperationId>,
        limit: u32,
    ) -> Result<Vec<Operation>, LedgerError>;

    /// One event, if its VPC is in `vpcs`.
    async fn event(&self, seq: i64, vpcs: &VpcScope) -> Result<Option<Event>, LedgerError>;

    /// Events that follow `after` in `order`.
    async fn events(
        &self,
        vpcs: &VpcScope,
        filter: &EventFilter,
        order: Order,
        after: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Event>, LedgerError>;

    /// Counts events by bucket and kind, sorted by both. Empty buckets are left out.
    async fn event_counts(
        &self,
        vpcs: &VpcScope,
        filter: &EventFilter,
        bucket: Bucket,
    ) -> Result<Vec<EventCount>, LedgerError>;

    /// Position and hash of the newest event; `None` if there is no event.
    async fn checkpoint(&self) -> Result<Option<Checkpoint>, LedgerError>;
}
