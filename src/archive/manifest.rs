//! The manifest of a segment, its last file: a segment without one is unfinished.

use serde::{Deserialize, Serialize};

use crate::domain::fingerprint::{from_hex, hex};
use crate::domain::timestamp::Timestamp;
use crate::service::ledger::{ArchivedSegment, Range};

/// The number of the files' form.
pub const FORMAT: u32 = 1;

/// A file of a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    pub name: String,
    /// Lines, which are events or operations.
    pub lines: u64,
    /// Of the compressed file.
    pub bytes: u64,
    /// Of the compressed file, in hex.
    pub sha256: String,
}

/// What a segment contains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub format: u32,
    pub first_seq: i64,
    pub last_seq: i64,
    /// Times of the first and of the last event.
    pub first_at: Timestamp,
    pub last_at: Timestamp,
    /// Hash of the event before the first; 64 zeros before event 1.
    pub prev_hash: String,
    /// Hash of the last event.
    pub last_hash: String,
    pub events: FileEntry,
    pub operations: FileEntry,
}

impl Manifest {
    /// The segment as the ledger notes it; `None` if the manifest is not valid.
    #[must_use]
    pub fn segment(&self) -> Option<ArchivedSegment> {
        Some(ArchivedSegment {
            first_seq: self.first_seq,
            last_seq: self.last_seq,
            last_hash: from_hex(&self.last_hash)?,
            last_at: self.last_at,
            events_sha256: from_hex(&self.events.sha256)?,
            operations: i64::try_from(self.operations.lines).ok()?,
            operations_sha256: from_hex(&self.operations.sha256)?,
        })
    }
}

/// The names of a segment's files. Seqs have twelve digits, so that names sort.
pub fn events_name(range: Range) -> String {
    format!("events-{:012}-{:012}.ndjson.gz", range.first_seq, range.last_seq)
}

pub fn operations_name(range: Range) -> String {
    format!("operations-{:012}-{:012}.ndjson.gz", range.first_seq, range.last_seq)
}

pub fn manifest_name(range: Range) -> String {
    format!("segment-{:012}-{:012}.json", range.first_seq, range.last_seq)
}

/// A finished file's entry.
pub fn entry(name: String, lines: u64, bytes: u64, sha256: &[u8; 32]) -> FileEntry {
    FileEntry { name, lines, bytes, sha256: hex(sha256) }
}
