//! Verification of the chain stretch by stretch, so that a log of any length can be verified in short calls. Compares
//! events only; [`super::verify`] also compares the other tables.

use std::time::Duration;

use tokio::time::Instant;

use crate::domain::stored::StoredEvent;
use crate::service::ledger::{ArchivedSegment, Checkpoint, Ledger, LedgerError, Snapshot};

use super::blocks::{Follow, Followed, Stretch, follow};
use super::verdict::Break;
use super::walk::Walk;

/// A stretch of the chain.
#[derive(Debug, Clone, Copy)]
pub struct Segment {
    /// `seq` and hash of the event before the stretch, which is compared too; `None` starts before the first event that is
    /// not archived.
    pub after: Option<(i64, [u8; 32])>,
    /// Maximum number of events.
    pub limit: u32,
    /// After this time the stretch ends with the current block.
    pub time_limit: Duration,
}

/// The result of verifying a stretch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// Whole up to `last`, which is the event before the stretch if the stretch is empty.
    Whole { events: u64, last: Option<Checkpoint>, is_end: bool },
    /// The stretch begins in the archived part, which ends with this `seq`.
    Archived { to: i64 },
    /// The first bad row.
    Broken { seq: i64, why: Break },
}

impl Follow for Walk {
    fn follow(&mut self, event: &StoredEvent<'_>) -> Result<(), Break> {
        self.step(event).map(|_| ())
    }
}

/// Verifies a stretch of the chain.
///
/// # Errors
/// If the ledger could not be read.
pub async fn verify_segment(ledger: &dyn Ledger, segment: Segment) -> Result<Checked, LedgerError> {
    let deadline = Some(Instant::now() + segment.time_limit);
    let mut snapshot = ledger.snapshot().await?;
    let archived = snapshot.archived().await?.last().map(ArchivedSegment::end);
    let before = match (segment.after, archived) {
        (None, archived) => archived,
        (Some((seq, hash)), Some(archived)) if seq <= archived.seq => {
            if seq < archived.seq {
                return Ok(Checked::Archived { to: archived.seq });
            }
            if hash != archived.hash {
                return Ok(Checked::Broken { seq, why: Break::Checkpoint });
            }
            Some(archived)
        }
        (Some((seq, hash)), _) => match find(ledger, &mut *snapshot, seq, hash).await? {
            Ok(before) => Some(before),
            Err((seq, why)) => return Ok(Checked::Broken { seq, why }),
        },
    };
    // From the lowest row on: an event of the archived part must not be there.
    let after = if segment.after.is_some() { before.map_or(i64::MIN, |before| before.seq) } else { i64::MIN };
    let stretch = Stretch { after, limit: segment.limit.into(), deadline };
    let whole = |walk: Walk, is_end| Checked::Whole { events: walk.events, last: walk.newest, is_end };
    Ok(match follow(&mut *snapshot, stretch, Walk::new(before, None)).await? {
        Followed::Broken { seq, why } => Checked::Broken { seq, why },
        Followed::ToTheEnd(walk) => whole(walk, true),
        Followed::ToTheLimit(walk) => whole(walk, false),
    })
}

/// Finds the event before a stretch.
async fn find(
    ledger: &dyn Ledger,
    snapshot: &mut dyn Snapshot,
    seq: i64,
    hash: [u8; 32],
) -> Result<Result<Checkpoint, (i64, Break)>, LedgerError> {
    let found = snapshot.events(seq.saturating_sub(1), 1).await?;
    if found.count() == 0 {
        let last = ledger.checkpoint().await?.map_or(0, |newest| newest.seq);
        return Ok(Err((last + 1, Break::CutOff)));
    }
    Ok(match found.event(0) {
        Ok(event) if event.seq != seq => Err((seq, Break::Gap { expected: seq })),
        Ok(event) if event.hash != hash => Err((seq, Break::Checkpoint)),
        Ok(event) => Ok(Checkpoint { seq, hash, at: event.occurred_at }),
        Err(seq) => Err((seq, Break::Unreadable)),
    })
}
