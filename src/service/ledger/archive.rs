//! Moving old events out of the ledger.

use async_trait::async_trait;

use crate::domain::event::NewEvent;
use crate::domain::operation::OperationId;
use crate::domain::timestamp::Timestamp;

use super::error::LedgerError;
use super::lists::Checkpoint;

/// A part of the log that is in files, and no longer in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchivedSegment {
    pub first_seq: i64,
    pub last_seq: i64,
    /// Hash of the last event: the `prev_hash` of the next one.
    pub last_hash: [u8; 32],
    /// Time of the last event.
    pub last_at: Timestamp,
    /// SHA-256 of the file with the events.
    pub events_sha256: [u8; 32],
    /// Operations that ended in this segment.
    pub operations: i64,
    /// SHA-256 of the file with the operations.
    pub operations_sha256: [u8; 32],
}

impl ArchivedSegment {
    /// Position and hash of the last event.
    #[must_use]
    pub const fn end(&self) -> Checkpoint {
        Checkpoint { seq: self.last_seq, hash: self.last_hash, at: self.last_at }
    }
}

/// A range of `seq`, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    pub first_seq: i64,
    pub last_seq: i64,
}

/// What became of an attempt to remove a segment from the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removal {
    /// The segment is no longer in the ledger; an event says so.
    Removed,
    /// Nothing was removed: this operation has events in the segment and is unfinished.
    Unfinished(OperationId),
    /// Nothing was removed: this webhook entry has passed the events up to `seq` only.
    Undelivered { webhook: String, seq: i64 },
    /// Nothing was removed: the segment is not the oldest partition of the log.
    NotOldest,
}

/// Moves old events out of the ledger.
#[async_trait]
pub trait Archive: Send + Sync + 'static {
    /// The oldest partitions whose events all occurred before `before`; `None` if the store can't remove events.
    async fn archivable(&self, before: Timestamp) -> Result<Option<Vec<Range>>, LedgerError>;

    /// The archived segment with the greatest `seq`.
    async fn newest_archived(&self) -> Result<Option<ArchivedSegment>, LedgerError>;

    /// Removes the events of a segment and notes the segment, with `event`, in one transaction.
    async fn remove_events(&self, segment: &ArchivedSegment, event: NewEvent)
    -> Result<Removal, LedgerError>;

    /// Deletes up to `limit` final operations whose events are all archived; returns how many.
    async fn remove_operations(&self, limit: u32) -> Result<u64, LedgerError>;
}
