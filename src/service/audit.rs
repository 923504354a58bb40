//! Checking the chain: every hash is computed anew, every place looked at, and a kept checkpoint found again.

use crate::domain::chain;
use crate::domain::event::Event;
use crate::domain::principal::VpcScope;

use super::ledger::{Checkpoint, EventFilter, Ledger, LedgerError, Order};

/// Events that are read at a time: memory stays constant however long the log is.
const BLOCK: u32 = 1000;

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
    let mut walk = Walk::new(checkpoint);
    let mut after = None;
    let mut size = BLOCK;
    loop {
        let filter = EventFilter::default();
        let block = match ledger.events(&VpcScope::All, &filter, Order::OldestFirst, after, size).await {
            Ok(block) => block,
            // Those before it in the block come first.
            Err(LedgerError::UnreadableEvent(_)) if size > 1 => {
                size = 1;
                continue;
            }
            Err(LedgerError::UnreadableEvent(seq)) => {
                return Ok(Verdict::Broken { seq, why: Break::Unreadable });
            }
            Err(error) => return Err(error),
        };
        let Some(last) = block.last() else {
            return Ok(walk.end());
        };
        after = Some(last.row.seq);
        for event in &block {
            if let Err(why) = walk.step(event) {
                return Ok(Verdict::Broken { seq: event.row.seq, why });
            }
        }
    }
}
