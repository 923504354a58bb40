//! The result of a verification.

use std::fmt;
use std::path::PathBuf;

use crate::service::ledger::{Checkpoint, LedgerError};

/// A row of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// A row of `audit_events`, by its `seq`.
    Event(i64),
    /// A row of `operations`, by its `id`.
    Operation(String),
    /// The row of `chain_head`.
    Head,
    /// A row of `drift`, by its field and tunnel.
    Drift(String),
    /// An archived segment, by its first and last `seq`.
    Segment(i64, i64),
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(seq) => write!(f, "seq {seq}"),
            Self::Operation(id) => write!(f, "operation {id}"),
            Self::Head => f.write_str("chain_head"),
            Self::Drift(name) => write!(f, "drift {name}"),
            Self::Segment(first, last) => write!(f, "segment {first} to {last}"),
        }
    }
}

/// What is wrong with a row, or with its absence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Break {
    #[error("an event is missing or at another position: seq {expected} was expected here")]
    Gap { expected: i64 },
    #[error(
        "its prev_hash is not the hash of the event before it: a row was changed, removed, inserted or moved"
    )]
    PrevHash,
    #[error("its hash does not fit its columns: the row was changed")]
    Hash,
    #[error("a column contains a value that it does not allow: the row was changed")]
    Unreadable,
    #[error("the log ends before the checkpoint: its tail was cut off")]
    CutOff,
    #[error("its hash is not the one in the checkpoint: the log was rewritten")]
    Checkpoint,
    #[error("the log ends before event {head}, which chain_head names: its tail was cut off")]
    TailGone { head: i64 },
    #[error("it does not name the newest event: it was changed or removed, or events were added without it")]
    Head,
    #[error("audit_hours does not cover it: lists by time leave it out")]
    Hours,
    #[error("audit_vpcs does not contain its VPC: lists limited to some VPCs leave it out")]
    Vpcs,
    #[error("its operation has no `requested` event before it, or was final already: the event was forged")]
    Step,
    #[error("its operation is missing: the row of `operations` was removed")]
    OperationMissing,
    #[error("it has no events: the row was inserted, or its id was changed")]
    NoEvents,
    #[error("all of its events are archived, but no file contains it: the row was inserted, or changed")]
    OperationInNoFile,
    #[error("it is not what the file of its segment says: the row was changed")]
    OperationArchived,
    #[error("events up to {to} are archived, but it is in audit_events: the row was inserted")]
    Archived { to: i64 },
    #[error("its {column} is not what its events say: the row was changed")]
    Operation { column: &'static str },
    #[error("it does not say what an event about drift says: the event was forged")]
    DriftEvent,
    #[error(
        "no event drift_detected says what the row of `drift` says, or drift_resolved ended it: the row was inserted or changed"
    )]
    Drift,
    #[error(
        "the row of `drift` is missing that it tells, and no event drift_resolved ended it: the row was removed"
    )]
    DriftMissing,
    #[error("no event log_archived says what archived_segments says of it: the row was inserted or changed")]
    Boundary,
    #[error(
        "archived_segments does not continue where the segment before it ends: a row was changed or removed"
    )]
    SegmentOrder,
    #[error("its file of {0} is not the one that was archived: its SHA-256 is another one")]
    SegmentFile(&'static str),
    #[error("its file does not contain exactly its events")]
    SegmentEvents,
    #[error("its operations are not what its events say")]
    SegmentOperations,
}

/// What was not verified, because it is archived and the files were not given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NotVerified {
    /// The last archived event; 0 if all events were verified.
    pub archived_to: i64,
    pub segments: u64,
    /// Operations of which some events are archived: only their newest event was compared.
    pub partly_archived: u64,
    /// Operations whose events are all archived, and which are not deleted yet: only the files say what they must be.
    pub leftover: u64,
    /// The checkpoint's event is archived.
    pub is_checkpoint_archived: bool,
}

/// A verdict, with what it does not cover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub verdict: Verdict,
    pub not_verified: NotVerified,
}

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A file of an archived segment is missing, or not the one that was archived.
    #[error("segment {first} to {last}: {}: {problem}", .file.display())]
    File { first: i64, last: i64, file: PathBuf, problem: String },
}

/// What verification of the whole ledger showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Everything fits together.
    Whole { events: u64, newest: Option<Checkpoint> },
    /// The first bad row.
    Broken { row: Row, why: Break },
}
