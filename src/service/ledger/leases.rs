//! Unfinished operations, shared between replicas by leases.

use async_trait::async_trait;

use crate::domain::event::Route;
use crate::domain::operation::{Operation, Status};
use crate::domain::timestamp::Timestamp;

use super::error::LedgerError;

/// An unfinished operation, held under a lease.
#[derive(Debug, Clone)]
pub struct Claim {
    pub operation: Operation,
    /// Since when the operation is due.
    pub due_at: Timestamp,
    /// The fencing token. A write with an older token changes nothing.
    pub fence: i64,
    /// Polls since the operation entered its status.
    pub polls: u32,
    pub reads: Reads,
}

/// A read of the tunnel that did not end the operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// After the cloud's task succeeded: the tunnel is not as requested.
    Different,
    /// No task tells how the change ended, and the tunnel does not either.
    Open,
    /// After the cloud's task succeeded: the tunnel could not be read.
    Failed,
}

/// Reads since the operation entered its status. Each kind has its own count: reads of one kind do not count as reads of
/// another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reads {
    pub different: u32,
    pub open: u32,
    pub failed: u32,
}

/// How many operations to claim. The youngest have places of their own, so that a backlog does not delay new operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Places {
    /// For the operations that were opened last.
    pub youngest: u32,
    /// For the operation that is due for the longest time, and after it those of the same gateway, because one read shows
    /// them all.
    pub oldest: u32,
}

/// The unfinished operations, counted for metrics.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Unfinished operations by status.
    pub unfinished: Vec<(Status, u64)>,
    /// The same operations by account, region and API.
    pub by_route: Vec<(Route, u64)>,
    /// When the oldest unfinished operation was opened.
    pub oldest: Option<Timestamp>,
    /// Since when the most overdue operation is due; `None` if none is due.
    pub oldest_due: Option<Timestamp>,
}

/// Shares the unfinished operations between replicas.
#[async_trait]
pub trait Leases: Send + Sync + 'static {
    /// Claims unfinished operations that are due and not leased. Each claim gets a lease until `lease_until` and a new
    /// fencing token. `holder` only labels the row for people who read the table.
    async fn claim(
        &self,
        holder: &str,
        now: Timestamp,
        lease_until: Timestamp,
        places: Places,
    ) -> Result<Vec<Claim>, LedgerError>;

    /// Releases a claim and schedules its next poll for `due_at`; false if the lease was lost.
    async fn snooze(&self, claim: &Claim, read: Option<Read>, due_at: Timestamp)
    -> Result<bool, LedgerError>;

    /// When the next unfinished operation can be claimed; `None` if there is none.
    async fn next_due(&self) -> Result<Option<Timestamp>, LedgerError>;

    /// Counts the unfinished operations.
    async fn backlog(&self, now: Timestamp) -> Result<Backlog, LedgerError>;
}
