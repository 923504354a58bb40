//! The result of a verification.

use std::fmt;

use crate::service::ledger::Checkpoint;

/// A row of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// A row of `audit_events`, by its `seq`.
    Event(i64),
    /// A row of `operations`, by its `id`.
    Operation(String),
    /// The row of `chain_head`.
    Head,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(seq) => write!(f, "seq {seq}"),
            Self::Operation(id) => write!(f, "operation {id}"),
            Self::Head => f.write_str("chain_head"),
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
    #[error("its operation has no `requested` event before it, or was final already: the event was forged")]
    Step,
    #[error("its operation is missing: the row of `operations` was removed")]
    OperationMissing,
    #[error("it has no events: the row was inserted, or its id was changed")]
    NoEvents,
    #[error("its {column} is not what its events say: the row was changed")]
    Operation { column: &'static str },
}

/// What verification of the whole ledger showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Everything fits together.
    Whole { events: u64, newest: Option<Checkpoint> },
    /// The first bad row.
    Broken { row: Row, why: Break },
}
