//! The archived part of the log: its boundary, and the segments' files where an auditor has them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::domain::event::EventKind;
use crate::domain::fingerprint::hex;
use crate::domain::stored::StoredEvent;
use crate::domain::timestamp::Timestamp;
use crate::service::ledger::{ArchivedSegment, EventBlock, LedgerError, OperationBlock};

/// Why a segment can't be read.
#[derive(Debug)]
pub enum SegmentFault {
    /// The file of `events` or `operations` is not the one that the ledger notes.
    Changed(&'static str),
    /// A file can't be read.
    File {
        file: PathBuf,
        problem: String,
    },
    Ledger(LedgerError),
}

impl SegmentFault {
    #[must_use]
    pub fn file(file: &Path, problem: String) -> Self {
        Self::File { file: file.to_owned(), problem }
    }
}

/// Segments in files.
#[async_trait]
pub trait Archived: Send {
    /// Opens a segment, whose files must be those that the ledger notes.
    async fn open(&mut self, segment: &ArchivedSegment) -> Result<(), SegmentFault>;

    /// The next events of the open segment; none at its end.
    async fn events(&mut self, limit: u32) -> Result<Box<dyn EventBlock>, SegmentFault>;

    /// The next operations of the open segment; none at its end.
    async fn operations(&mut self, limit: u32) -> Result<Box<dyn OperationBlock>, SegmentFault>;
}

/// What the event `log_archived` says about a segment: its `changes.archived`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Boundary {
    pub first_seq: i64,
    pub last_seq: i64,
    pub last_hash: String,
    pub last_at: Timestamp,
    pub events_sha256: String,
    pub operations: i64,
    pub operations_sha256: String,
}

impl Boundary {
    #[must_use]
    pub fn of(segment: &ArchivedSegment) -> Self {
        Self {
            first_seq: segment.first_seq,
            last_seq: segment.last_seq,
            last_hash: hex(&segment.last_hash),
            last_at: segment.last_at,
            events_sha256: hex(&segment.events_sha256),
            operations: segment.operations,
            operations_sha256: hex(&segment.operations_sha256),
        }
    }
}

/// The boundaries that the events name.
#[derive(Debug, Default)]
pub(super) struct Boundaries(HashMap<i64, Boundary>);

#[derive(Deserialize)]
struct Changes {
    archived: Boundary,
}

impl Boundaries {
    pub(super) fn step(&mut self, event: &StoredEvent<'_>) {
        if event.event == EventKind::LogArchived.as_str()
            && let Some(changes) = event.changes
            && let Ok(Changes { archived }) = serde_json::from_str(changes)
        {
            self.0.insert(archived.first_seq, archived);
        }
    }

    /// The first segment that no event names as the ledger does. Without the files, events about older segments may be
    /// archived themselves; the event about the newest segment is in the ledger.
    pub(super) fn first_wrong<'a>(
        &self,
        segments: &'a [ArchivedSegment],
        has_files: bool,
    ) -> Option<&'a ArchivedSegment> {
        let newest = segments.last().map(|segment| segment.first_seq);
        segments.iter().find(|segment| match self.0.get(&segment.first_seq) {
            Some(boundary) => *boundary != Boundary::of(segment),
            None => has_files || Some(segment.first_seq) == newest,
        })
    }
}
