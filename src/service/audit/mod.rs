//! Verification of the audit log: the chain, and whether the other tables fit the log.

mod blocks;
mod hours;
mod operations;
mod search;
mod segment;
mod verdict;
mod walk;

use std::hash::RandomState;

use crate::domain::chain::BEFORE_FIRST;
use crate::domain::stored::StoredEvent;

use super::ledger::{Checkpoint, Ledger, LedgerError, Snapshot, StoredHead};

use blocks::{BLOCK, Follow, Followed, Stretch, computed, follow};
use hours::Hours;
use operations::{FromEvents, FromRows};
pub use segment::{Checked, Segment, verify_segment};
pub use verdict::{Break, Row, Verdict};
use walk::Walk;

/// Follows the chain, and notes what the other tables must contain.
struct Log {
    walk: Walk,
    hours: Hours,
    operations: FromEvents,
}

impl Follow for Log {
    fn follow(&mut self, event: &StoredEvent<'_>) -> Result<(), Break> {
        let canonical = self.walk.step(event)?;
        if !self.hours.cover(event) {
            return Err(Break::Hours);
        }
        self.operations.step(event, canonical)
    }
}

/// Verifies the whole ledger in one snapshot: every event's hash and position, the checkpoint, `chain_head`, `audit_hours`,
/// and every operation against its events.
///
/// # Errors
/// If the ledger could not be read.
pub async fn verify(ledger: &dyn Ledger, checkpoint: Option<Checkpoint>) -> Result<Verdict, LedgerError> {
    let mut snapshot = ledger.snapshot().await?;
    let head = snapshot.head().await?;
    let key = RandomState::new();
    let log = Log {
        walk: Walk::new(None, checkpoint),
        hours: Hours::new(snapshot.hours().await?),
        operations: FromEvents::new(key.clone()),
    };
    let everything = Stretch { after: i64::MIN, limit: u64::MAX, deadline: None };
    let log = match follow(&mut *snapshot, everything, log).await? {
        Followed::Broken { seq, why } => return Ok(Verdict::Broken { row: Row::Event(seq), why }),
        Followed::ToTheEnd(log) | Followed::ToTheLimit(log) => log,
    };
    if let Some((row, why)) = end(&log.walk, head.as_ref()) {
        return Ok(Verdict::Broken { row, why });
    }
    let (events, newest) = (log.walk.events, log.walk.newest);
    let sum = log.operations.sum();
    match sum_of_rows(&mut *snapshot, key).await? {
        Ok(rows) if rows == sum => Ok(Verdict::Whole { events, newest }),
        Ok(_) => match search::first_bad_row(&mut *snapshot).await? {
            Some((row, why)) => Ok(Verdict::Broken { row, why }),
            None => Err(LedgerError::Corrupt("operations and audit_events differ".into())),
        },
        Err(id) => Ok(Verdict::Broken { row: Row::Operation(id), why: Break::Unreadable }),
    }
}

/// Compares the end of the log with the checkpoint and with `chain_head`.
fn end(walk: &Walk, head: Option<&StoredHead>) -> Option<(Row, Break)> {
    let seq = walk.newest.map_or(0, |newest| newest.seq);
    if walk.cut_off().is_some() {
        return Some((Row::Event(seq + 1), Break::CutOff));
    }
    let hash = walk.newest.map_or(BEFORE_FIRST, |newest| newest.hash);
    match head {
        Some(head) if head.seq > seq => Some((Row::Event(seq + 1), Break::TailGone { head: head.seq })),
        Some(head) if head.seq == seq && head.hash == hash => None,
        _ => Some((Row::Head, Break::Head)),
    }
}

/// Adds up the rows of `operations`. The error is the id of an unreadable row.
async fn sum_of_rows(
    snapshot: &mut dyn Snapshot,
    key: RandomState,
) -> Result<Result<u64, String>, LedgerError> {
    let mut rows = FromRows::new(key);
    let mut block = snapshot.operations(None, BLOCK).await?;
    while block.count() > 0 {
        // `None` only if the last row is unreadable, which ends the loop below.
        let after = block.operation(block.count() - 1).ok().map(|last| last.id);
        let work = computed(move || rows.add_all(&*block));
        let (next, added) = tokio::join!(snapshot.operations(after, BLOCK), work);
        match added? {
            Ok(added) => rows = added,
            Err(id) => return Ok(Err(id)),
        }
        block = next?;
    }
    Ok(Ok(rows.sum()))
}
