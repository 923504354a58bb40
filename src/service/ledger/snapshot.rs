//! Reading the whole ledger as it was at one moment.

use async_trait::async_trait;

use crate::domain::operation::OperationId;
use crate::domain::stored::{StoredEvent, StoredOperation};
use crate::domain::timestamp::Timestamp;

use super::archive::ArchivedSegment;
use super::error::LedgerError;

/// The row of `chain_head`: position and hash of the newest event. The hash is as stored, whatever its length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredHead {
    pub seq: i64,
    pub hash: Vec<u8>,
}

/// A row of `audit_hours`: the events that a list by time searches for this hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredHour {
    pub start: Timestamp,
    pub first_seq: i64,
    pub last_seq: i64,
}

/// A row of `drift`, without its lock, which no event has. JSON is text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDrift {
    pub pointer: String,
    pub vpc_id: String,
    pub gateway_id: String,
    pub tunnel_id: String,
    pub account: String,
    pub region: String,
    pub api: String,
    pub operation_id: OperationId,
    pub set: String,
    pub observed: String,
    pub since: Timestamp,
    pub seq: i64,
}

/// Events in order of `seq`, encoded as the store delivered them.
pub trait EventBlock: Send + Sync {
    fn count(&self) -> usize;

    /// Decodes an event. The error is the `seq` of a row with a value that its column does not allow.
    fn event(&self, index: usize) -> Result<StoredEvent<'_>, i64>;
}

/// Operations in order of their ids, likewise.
pub trait OperationBlock: Send + Sync {
    fn count(&self) -> usize;

    /// Decodes an operation. The error is the id of a row with a value that its column does not allow.
    fn operation(&self, index: usize) -> Result<StoredOperation<'_>, String>;
}

/// Reads the ledger as it was when the snapshot was taken. Each call has a time limit of its own.
#[async_trait]
pub trait Snapshot: Send {
    /// `None` if the row is missing.
    async fn head(&mut self) -> Result<Option<StoredHead>, LedgerError>;

    async fn hours(&mut self) -> Result<Vec<StoredHour>, LedgerError>;

    /// The VPCs that lists limited to VPCs look for; `None` if the store finds them in the log.
    async fn vpcs(&mut self) -> Result<Option<Vec<String>>, LedgerError>;

    /// The open differences. None if the ledger is older than the table.
    async fn drift(&mut self) -> Result<Vec<StoredDrift>, LedgerError>;

    /// The archived segments, oldest first.
    async fn archived(&mut self) -> Result<Vec<ArchivedSegment>, LedgerError>;

    /// Up to `limit` events after `after`.
    async fn events(&mut self, after: i64, limit: u32) -> Result<Box<dyn EventBlock>, LedgerError>;

    /// All events of these operations.
    async fn events_of(&mut self, ids: &[OperationId]) -> Result<Box<dyn EventBlock>, LedgerError>;

    /// Up to `limit` operations after `after`.
    async fn operations(
        &mut self,
        after: Option<OperationId>,
        limit: u32,
    ) -> Result<Box<dyn OperationBlock>, LedgerError>;

    /// The operations with these ids. Unknown ids are left out.
    async fn operations_of(&mut self, ids: &[OperationId]) -> Result<Box<dyn OperationBlock>, LedgerError>;
}

/// Takes snapshots.
#[async_trait]
pub trait Snapshots: Send + Sync + 'static {
    /// A snapshot holds one connection until it is dropped.
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, LedgerError>;
}
