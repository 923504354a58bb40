//! Checking the chain: every hash is computed anew, every place looked at, and a kept checkpoint found again.

use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::Instant;

use crate::domain::chain;
use crate::domain::event::Event;
use crate::domain::principal::VpcScope;

use super::ledger::{Checkpoint, EventFilter, Ledger, LedgerError, Order};

/// Events that are read at a time: memory stays constant however long the log is.
const BLOCK: u32 = 2000;

/// What is wrong with a row, or with its absence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Break {
    #[error("an event is missing, or stands in another place: seq {expected} was expected here")]
    Gap { expected: i64 },
    #[error(
        "its prev_hash is not the hash of the event before it: a row was changed, removed, inserted or moved"
    )]
    PrevHash,
    #[error("its hash does not fit its columns: the row was changed")]
    Hash,
    #[error("a column does not hold what it promises: the row was changed")]
    Unreadable,
    #[error("the log ends before the checkpoint: its tail was cut off")]
    CutOff,
    #[error("its hash is not the one in the checkpoint: the log was written anew")]
    Checkpoint,
}

/// What checking showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Whole: so many events, of which the newest stands there.
    Whole { events: u64, newest: Option<Checkpoint> },
    /// The first bad row.
    Broken { seq: i64, why: Break },
}

/// Follows a chain event by event.
#[derive(Debug)]
pub struct Walk {
    events: u64,
    newest: Option<Checkpoint>,
    checkpoint: Option<Checkpoint>,
}

impl Walk {
    /// Begins before the first event.
    #[must_use]
    pub const fn new(checkpoint: Option<Checkpoint>) -> Self {
        Self { events: 0, newest: None, checkpoint }
    }

    /// Takes the next event.
    ///
    /// # Errors
    /// If the chain is broken at this event.
    pub fn step(&mut self, event: &Event) -> Result<(), Break> {
        let expected = self.newest.map_or(1, |newest| newest.seq.saturating_add(1));
        if event.row.seq != expected {
            return Err(Break::Gap { expected });
        }
        let before = self.newest.map_or(chain::BEFORE_FIRST, |newest| newest.hash);
        if event.prev_hash != before {
            return Err(Break::PrevHash);
        }
        if chain::hash(&event.prev_hash, &event.row) != Some(event.hash) {
            return Err(Break::Hash);
        }
        if let Some(kept) = self.checkpoint
            && kept.seq == event.row.seq
            && kept.hash != event.hash
        {
            return Err(Break::Checkpoint);
        }
        self.events += 1;
        self.newest = Some(Checkpoint { seq: event.row.seq, hash: event.hash, at: event.row.occurred_at });
        Ok(())
    }

    /// Takes a block of events; gives the first bad row, if there is one.
    fn through(mut self, events: &[Event]) -> Result<Self, (i64, Break)> {
        for event in events {
            self.step(event).map_err(|why| (event.row.seq, why))?;
        }
        Ok(self)
    }

    /// Ends after the last event.
    #[must_use]
    pub fn end(self) -> Verdict {
        let last = self.newest.map_or(0, |newest| newest.seq);
        match self.checkpoint {
            Some(kept) if kept.seq > last => Verdict::Broken { seq: last + 1, why: Break::CutOff },
            _ => Verdict::Whole { events: self.events, newest: self.newest },
        }
    }
}

/// Checks the whole log.
///
/// # Errors
/// If the ledger could not be read.
pub async fn verify(ledger: &dyn Ledger, checkpoint: Option<Checkpoint>) -> Result<Verdict, LedgerError> {
    let walk = Walk::new(checkpoint);
    match follow(ledger, walk, u64::MAX, None).await? {
        Followed::Broken { seq, why } => Ok(Verdict::Broken { seq, why }),
        Followed::ToTheEnd(walk) | Followed::ToTheLimit(walk) => Ok(walk.end()),
    }
}

/// A stretch of the chain that is checked at a time, so that a log of any length can be checked in short calls.
#[derive(Debug, Clone, Copy)]
pub struct Segment {
    /// Seq and hash of the event that it follows, which is looked at too; `None` begins before the first event.
    pub after: Option<(i64, [u8; 32])>,
    /// Events at the most.
    pub limit: u32,
    /// When that much time has gone it ends after the block at hand.
    pub time_limit: Duration,
}

/// What checking a stretch showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// Whole up to `last`, the event before the stretch if there was none in it.
    Whole { events: u64, last: Option<Checkpoint>, is_end: bool },
    /// The first bad row.
    Broken { seq: i64, why: Break },
}

/// Checks a stretch of the log.
///
/// # Errors
/// If the ledger could not be read.
pub async fn verify_segment(ledger: &dyn Ledger, segment: Segment) -> Result<Checked, LedgerError> {
    let deadline = Instant::now() + segment.time_limit;
    let before = match segment.after {
        None => None,
        Some((seq, hash)) => match place(ledger, seq, hash).await? {
            Ok(before) => Some(before),
            Err((seq, why)) => return Ok(Checked::Broken { seq, why }),
        },
    };
    let walk = Walk { newest: before, ..Walk::new(None) };
    let whole = |walk: Walk, is_end| Checked::Whole { events: walk.events, last: walk.newest, is_end };
    Ok(match follow(ledger, walk, segment.limit.into(), Some(deadline)).await? {
        Followed::Broken { seq, why } => Checked::Broken { seq, why },
        Followed::ToTheEnd(walk) => whole(walk, true),
        Followed::ToTheLimit(walk) => whole(walk, false),
    })
}

/// The place of an event that somebody kept, if the log still has it so.
async fn place(
    ledger: &dyn Ledger,
    seq: i64,
    hash: [u8; 32],
) -> Result<Result<Checkpoint, (i64, Break)>, LedgerError> {
    match ledger.event(seq, &VpcScope::All).await {
        Ok(Some(event)) if event.hash == hash => Ok(Ok(Checkpoint { seq, hash, at: event.row.occurred_at })),
        Ok(Some(_)) => Ok(Err((seq, Break::Checkpoint))),
        Ok(None) => {
            let last = ledger.checkpoint().await?.map_or(0, |newest| newest.seq);
            // One that is missing in the middle was removed; one beyond the end was cut off.
            let why = if last > seq { Break::Gap { expected: seq } } else { Break::CutOff };
            Ok(Err((if last > seq { seq } else { last + 1 }, why)))
        }
        Err(LedgerError::UnreadableEvent(seq)) => Ok(Err((seq, Break::Unreadable))),
        Err(error) => Err(error),
    }
}

/// How following the chain ended.
enum Followed {
    ToTheEnd(Walk),
    ToTheLimit(Walk),
    Broken { seq: i64, why: Break },
}

/// Takes the events that follow, block by block. A block is computed on a thread of its own while the next one is read.
async fn follow(
    ledger: &dyn Ledger,
    mut walk: Walk,
    limit: u64,
    deadline: Option<Instant>,
) -> Result<Followed, LedgerError> {
    let mut after = walk.newest.map(|newest| newest.seq);
    let (mut left, mut size) = (limit, BLOCK);
    let mut block = read(ledger, after, size, left).await;
    loop {
        let events = match block {
            Ok(events) => events,
            // Those before it in the block come first.
            Err(LedgerError::UnreadableEvent(_)) if size > 1 => {
                size = 1;
                block = read(ledger, after, size, left).await;
                continue;
            }
            Err(LedgerError::UnreadableEvent(seq)) => {
                return Ok(Followed::Broken { seq, why: Break::Unreadable });
            }
            Err(error) => return Err(error),
        };
        let Some(last) = events.last() else {
            return Ok(Followed::ToTheEnd(walk));
        };
        after = Some(last.row.seq);
        left -= events.len() as u64;
        // The block at hand is always finished, so that every call gets on.
        let is_over = left == 0 || deadline.is_some_and(|deadline| Instant::now() >= deadline);
        let computing = spawn_blocking(move || walk.through(&events));
        let ahead = async { if is_over { None } else { Some(read(ledger, after, size, left).await) } };
        let (next, computed) = tokio::join!(ahead, computing);
        match computed.map_err(|failed| LedgerError::Unavailable(Box::new(failed)))? {
            Ok(whole) => walk = whole,
            Err((seq, why)) => return Ok(Followed::Broken { seq, why }),
        }
        match next {
            Some(next) => block = next,
            None => return Ok(Followed::ToTheLimit(walk)),
        }
    }
}

/// The next block of so many events.
async fn read(
    ledger: &dyn Ledger,
    after: Option<i64>,
    size: u32,
    left: u64,
) -> Result<Vec<Event>, LedgerError> {
    let size = u32::try_from(left).unwrap_or(size).min(size);
    ledger.events(&VpcScope::All, &EventFilter::default(), Order::OldestFirst, after, size).await
}
