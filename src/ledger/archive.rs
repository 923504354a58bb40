//! Rows of `archived_segments`.

use crate::service::ledger::{ArchivedSegment, LedgerError};

use super::columns::StoredRow;

/// The columns of a segment.
pub(super) const SEGMENT: &str =
    "first_seq, last_seq, last_hash, last_at, events_sha256, operations, operations_sha256";

/// The newest segment.
pub(super) const NEWEST: &str = "FROM archived_segments ORDER BY last_seq DESC LIMIT 1";

pub(super) fn segment_of<R: StoredRow>(row: &R) -> Result<ArchivedSegment, LedgerError> {
    let number = |column: &str| {
        row.number(column)?.ok_or_else(|| LedgerError::Corrupt(format!("archived_segments, column {column}")))
    };
    let hash = |column: &str| row.hash(column, "archived_segments");
    Ok(ArchivedSegment {
        first_seq: number("first_seq")?,
        last_seq: number("last_seq")?,
        last_hash: hash("last_hash")?,
        last_at: row.timestamp("last_at")?,
        events_sha256: hash("events_sha256")?,
        operations: number("operations")?,
        operations_sha256: hash("operations_sha256")?,
    })
}
