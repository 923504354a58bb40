//! Verification of the audit log: the chain, and whether the other tables fit the log.

mod archived;
mod blocks;
mod columns;
mod drift;
mod hours;
mod leftovers;
mod operations;
mod search;
mod segment;
mod verdict;
mod walk;

use std::collections::HashSet;
use std::hash::RandomState;

use crate::domain::chain::BEFORE_FIRST;
use crate::domain::stored::StoredEvent;

use super::ledger::{ArchivedSegment, Checkpoint, Ledger, LedgerError, Snapshot, StoredHead};

use archived::Boundaries;
pub use archived::{Archived, Boundary, SegmentFault};
use blocks::{BLOCK, through};
pub use blocks::{Follow, Followed, Stretch, computed, follow};
pub use columns::status_after;
use drift::Told;
use hours::{Hours, Vpcs};
use operations::{FromEvents, FromRows};
pub use segment::{Checked, Segment, verify_segment};
pub use verdict::{Break, NotVerified, Report, Row, Verdict, VerifyError};
pub use walk::Walk;

/// Follows the chain, and notes what the other tables must contain.
struct Log {
    walk: Walk,
    /// `None` in the archived part, which no list reads.
    hours: Option<(Hours, Vpcs)>,
    /// The last archived event.
    archived_to: i64,
    operations: FromEvents,
    boundaries: Boundaries,
    told: Told,
}

impl Follow for Log {
    fn follow(&mut self, event: &StoredEvent<'_>) -> Result<(), Break> {
        if self.hours.is_some() && (1..=self.archived_to).contains(&event.seq) {
            return Err(Break::Archived { to: self.archived_to });
        }
        let canonical = self.walk.step(event)?;
        if let Some((hours, vpcs)) = &mut self.hours {
            if !hours.cover(event) {
                return Err(Break::Hours);
            }
            if !vpcs.cover(event) {
                return Err(Break::Vpcs);
            }
        }
        self.boundaries.step(event);
        self.told.step(event)?;
        self.operations.step(event, canonical)
    }
}

/// Why the verification ends before its end.
enum Ended {
    Broken(Row, Break),
    Failed(VerifyError),
}

impl<E: Into<VerifyError>> From<E> for Ended {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Verifies the whole ledger as [`verify_with`] does, without the files of archived segments.
///
/// # Errors
/// If the ledger could not be read.
pub async fn verify(ledger: &dyn Ledger, checkpoint: Option<Checkpoint>) -> Result<Verdict, LedgerError> {
    match verify_with(ledger, checkpoint, None).await {
        Ok(report) => Ok(report.verdict),
        Err(VerifyError::Ledger(error)) => Err(error),
        Err(error @ VerifyError::File { .. }) => Err(LedgerError::Unavailable(Box::new(error))),
    }
}

/// Verifies the whole ledger in one snapshot: every event's hash and position, the checkpoint, `chain_head`, `audit_hours`, `audit_vpcs`,
/// `archived_segments`, `drift`, and every operation against its events. With `archive` the log begins with event 1, else with the
/// first event that is not archived.
///
/// # Errors
/// If the ledger or a file could not be read.
pub async fn verify_with(
    ledger: &dyn Ledger,
    checkpoint: Option<Checkpoint>,
    archive: Option<&mut dyn Archived>,
) -> Result<Report, VerifyError> {
    let mut not_verified = NotVerified::default();
    let verdict = match verified(ledger, checkpoint, archive, &mut not_verified).await {
        Ok(verdict) => verdict,
        Err(Ended::Broken(row, why)) => Verdict::Broken { row, why },
        Err(Ended::Failed(error)) => return Err(error),
    };
    Ok(Report { verdict, not_verified })
}

async fn verified(
    ledger: &dyn Ledger,
    checkpoint: Option<Checkpoint>,
    archive: Option<&mut dyn Archived>,
    not_verified: &mut NotVerified,
) -> Result<Verdict, Ended> {
    let mut snapshot = ledger.snapshot().await?;
    let head = snapshot.head().await?;
    let segments = snapshot.archived().await?;
    if let Some((row, why)) = out_of_order(&segments) {
        return Err(Ended::Broken(row, why));
    }
    let boundary = segments.last().map(ArchivedSegment::end);
    let archived_to = boundary.map_or(0, |boundary| boundary.seq);
    let has_files = archive.is_some();
    let start = boundary.filter(|_| !has_files);
    if let Some(start) = start {
        not_verified.archived_to = start.seq;
        not_verified.segments = segments.len() as u64;
        not_verified.is_checkpoint_archived = checkpoint.is_some_and(|kept| kept.seq < start.seq);
        if checkpoint.is_some_and(|kept| kept.seq == start.seq && kept.hash != start.hash) {
            return Err(Ended::Broken(Row::Event(start.seq), Break::Checkpoint));
        }
    }
    let key = RandomState::new();
    let mut log = Log {
        walk: Walk::new(start, checkpoint),
        hours: None,
        archived_to,
        operations: FromEvents::new(key.clone(), start.is_some()),
        boundaries: Boundaries::default(),
        told: Told::default(),
    };
    let mut compared = None;
    if let Some(archive) = archive {
        // Before the files, so that only leftover rows are in memory.
        let rows = FromRows::new(key.clone(), archived_to, HashSet::new()).before_files();
        let mut rows = add_rows(&mut *snapshot, rows).await?.map_err(unreadable)?.of_files();
        for segment in &segments {
            (log, rows) = follow_segment(archive, segment, log, rows).await?;
        }
        compared = Some(rows);
    }
    log.hours = Some((Hours::new(snapshot.hours().await?), Vpcs::new(snapshot.vpcs().await?)));
    // From the lowest row on: an event of the archived part must not be there.
    let rest = Stretch { after: i64::MIN, limit: u64::MAX, deadline: None };
    let mut log = match follow(&mut *snapshot, rest, log).await? {
        Followed::Broken { seq, why } => return Err(Ended::Broken(Row::Event(seq), why)),
        Followed::ToTheEnd(log) | Followed::ToTheLimit(log) => log,
    };
    if let Some((row, why)) = end(&log.walk, head.as_ref()) {
        return Err(Ended::Broken(row, why));
    }
    if let Some(wrong) = log.boundaries.first_wrong(&segments, has_files) {
        return Err(Ended::Broken(Row::Segment(wrong.first_seq, wrong.last_seq), Break::Boundary));
    }
    let drift = snapshot.drift().await?;
    if let Some((row, why)) = log.told.first_wrong(drift, if has_files { 0 } else { archived_to }) {
        return Err(Ended::Broken(row, why));
    }
    let (events, newest) = (log.walk.events, log.walk.newest);
    let partly = log.operations.take_partly();
    not_verified.partly_archived = partly.len() as u64;
    let sum = log.operations.sum();
    let rows = match compared {
        Some(rows) => rows,
        None => {
            let rows = FromRows::new(key, archived_to, partly);
            add_rows(&mut *snapshot, rows).await?.map_err(unreadable)?
        }
    };
    let leftover = rows.wrong_leftover();
    if rows.sum() == sum && leftover.is_none() {
        not_verified.leftover = rows.not_compared();
        return Ok(Verdict::Whole { events, newest });
    }
    let found =
        if rows.sum() == sum { None } else { search::first_bad_row(&mut *snapshot, archived_to).await? };
    match (found.or(leftover), segments.first()) {
        (Some((row, why)), _) => Err(Ended::Broken(row, why)),
        (None, Some(first)) if has_files => {
            Err(Ended::Broken(Row::Segment(first.first_seq, archived_to), Break::SegmentOperations))
        }
        (None, _) => Err(LedgerError::Corrupt("operations and audit_events differ".into()).into()),
    }
}

fn unreadable(id: String) -> Ended {
    Ended::Broken(Row::Operation(id), Break::Unreadable)
}

/// The first segment that does not begin where the one before it ends.
fn out_of_order(segments: &[ArchivedSegment]) -> Option<(Row, Break)> {
    let mut next = 1;
    for segment in segments {
        if segment.first_seq != next || segment.last_seq < next {
            return Some((Row::Segment(segment.first_seq, segment.last_seq), Break::SegmentOrder));
        }
        next = segment.last_seq.saturating_add(1);
    }
    None
}

/// Follows a segment's events, and adds up its operations.
async fn follow_segment(
    archive: &mut dyn Archived,
    segment: &ArchivedSegment,
    mut log: Log,
    mut rows: FromRows,
) -> Result<(Log, FromRows), Ended> {
    let row = Row::Segment(segment.first_seq, segment.last_seq);
    let fault = |fault: SegmentFault| match fault {
        SegmentFault::Changed(kind) => Ended::Broken(row.clone(), Break::SegmentFile(kind)),
        SegmentFault::File { file, problem } => Ended::Failed(VerifyError::File {
            first: segment.first_seq,
            last: segment.last_seq,
            file,
            problem,
        }),
        SegmentFault::Ledger(error) => error.into(),
    };
    archive.open(segment).await.map_err(fault)?;
    loop {
        let block = archive.events(BLOCK).await.map_err(fault)?;
        if block.count() == 0 {
            break;
        }
        let followed = computed(move || through(log, &*block)).await?;
        log = followed.map_err(|(seq, why)| Ended::Broken(Row::Event(seq), why))?;
    }
    let end = log.walk.newest.map(|newest| (newest.seq, newest.hash));
    if end != Some((segment.last_seq, segment.last_hash)) {
        return Err(Ended::Broken(row, Break::SegmentEvents));
    }
    loop {
        let block = archive.operations(BLOCK).await.map_err(fault)?;
        if block.count() == 0 {
            return Ok((log, rows));
        }
        let added = computed(move || rows.add_all(&*block)).await?;
        rows = added.map_err(unreadable)?;
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

/// Adds the rows of `operations`. The error is the id of an unreadable row.
async fn add_rows(
    snapshot: &mut dyn Snapshot,
    mut rows: FromRows,
) -> Result<Result<FromRows, String>, LedgerError> {
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
    Ok(Ok(rows))
}
