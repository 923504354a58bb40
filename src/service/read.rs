//! Reading operations and events, and waiting for an operation's end.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::bucket::Bucket;
use crate::domain::event::Event;
use crate::domain::operation::{Operation, OperationId, Status};
use crate::domain::principal::VpcScope;

use super::Service;
use super::audit::{self, Checked, Segment};
use super::ledger::{
    ArchivedSegment, Checkpoint, EventCount, EventFilter, LedgerError, NotReady, OperationFilter, Order,
};
use super::watched::Snapshot;

/// The unfinished work, for metrics.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unfinished {
    /// Operations that are not final, by status.
    pub by_status: Vec<(Status, u64)>,
    /// Those whose account is gone, by its name.
    pub without_account: BTreeMap<String, u64>,
    /// Age of the oldest of them; zero if there is none.
    pub oldest_age: Duration,
    /// How long the most overdue operation has been due; zero if none is.
    pub lag: Duration,
}

impl Service {
    /// One operation, if the caller may see its VPC.
    pub async fn operation(
        &self,
        id: OperationId,
        vpcs: &VpcScope,
    ) -> Result<Option<Operation>, LedgerError> {
        self.ledger.operation(id, vpcs).await
    }

    /// Waits until the operation is final or `enough` ends; returns the operation in its current state. The wait holds no
    /// database connection.
    pub async fn wait(
        &self,
        id: OperationId,
        vpcs: &VpcScope,
        enough: impl Future<Output = ()>,
    ) -> Result<Option<Operation>, LedgerError> {
        let mut watcher = self.watch(id);
        let operation = self.operation(id, vpcs).await?;
        if operation.as_ref().is_none_or(|operation| operation.status().is_final()) {
            return Ok(operation);
        }
        let ended = async {
            loop {
                let snapshot = watcher.changed().await;
                if snapshot.operation.status().is_final() {
                    return snapshot.operation.clone();
                }
            }
        };
        tokio::select! {
            operation = ended => Ok(Some(operation)),
            // A step of another replica may not have been notified.
            () = enough => self.operation(id, vpcs).await,
        }
    }

    /// One operation with its steps so far, if the caller may see its VPC.
    pub async fn snapshot(&self, id: OperationId, vpcs: &VpcScope) -> Result<Option<Snapshot>, LedgerError> {
        // The operation first: steps that are read later include all that led to its state.
        let Some(operation) = self.operation(id, vpcs).await? else { return Ok(None) };
        let events = self.ledger.events_of(&[id]).await?;
        Ok(Some(Snapshot { operation, events }))
    }

    /// Operations, newest first.
    pub async fn operations(
        &self,
        vpcs: &VpcScope,
        filter: &OperationFilter,
        after: Option<OperationId>,
        limit: u32,
    ) -> Result<Vec<Operation>, LedgerError> {
        self.ledger.operations(vpcs, filter, after, limit).await
    }

    /// One event, if the caller may see its VPC.
    pub async fn event(&self, seq: i64, vpcs: &VpcScope) -> Result<Option<Event>, LedgerError> {
        self.ledger.event(seq, vpcs).await
    }

    /// Events in the given order.
    pub async fn events(
        &self,
        vpcs: &VpcScope,
        filter: &EventFilter,
        order: Order,
        after: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Event>, LedgerError> {
        self.ledger.events(vpcs, filter, order, after, limit).await
    }

    /// Counts events by time bucket and kind.
    pub async fn event_counts(
        &self,
        vpcs: &VpcScope,
        filter: &EventFilter,
        bucket: Bucket,
    ) -> Result<Vec<EventCount>, LedgerError> {
        self.ledger.event_counts(vpcs, filter, bucket).await
    }

    /// Verifies a segment of the chain.
    pub async fn verify_segment(&self, segment: Segment) -> Result<Checked, LedgerError> {
        audit::verify_segment(&*self.ledger, segment).await
    }

    /// Position and hash of the newest event.
    pub async fn checkpoint(&self) -> Result<Option<Checkpoint>, LedgerError> {
        self.ledger.checkpoint().await
    }

    /// The archived segment with the greatest `seq`.
    pub async fn newest_archived(&self) -> Result<Option<ArchivedSegment>, LedgerError> {
        self.ledger.newest_archived().await
    }

    /// The unfinished work of all replicas.
    pub async fn unfinished(&self) -> Result<Unfinished, LedgerError> {
        let now = self.clock.now();
        let backlog = self.ledger.backlog(now).await?;
        let mut without_account = BTreeMap::new();
        for (route, operations) in backlog.by_route {
            if self.accounts.of_route(&route).is_none() {
                *without_account.entry(route.account).or_default() += operations;
            }
        }
        Ok(Unfinished {
            by_status: backlog.unfinished,
            without_account,
            oldest_age: backlog.oldest.map(|oldest| now.since(oldest)).unwrap_or_default(),
            lag: backlog.oldest_due.map(|due| now.since(due)).unwrap_or_default(),
        })
    }

    /// Fails unless the ledger is migrated and writable.
    pub async fn ready(&self) -> Result<(), NotReady> {
        self.ledger.ready().await
    }
}
