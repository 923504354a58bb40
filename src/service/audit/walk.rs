//! Following the chain event by event.

use crate::domain::canonical::NotCanonical;
use crate::domain::chain;
use crate::domain::stored::{CanonicalEvent, StoredEvent};
use crate::service::ledger::Checkpoint;

use super::verdict::Break;

/// Follows a chain event by event.
#[derive(Debug)]
pub struct Walk {
    /// Events that were followed.
    pub(super) events: u64,
    /// The event that was followed last.
    pub(super) newest: Option<Checkpoint>,
    checkpoint: Option<Checkpoint>,
    canonical: CanonicalEvent,
}

impl Walk {
    /// Starts after `newest`; `None` starts before the first event.
    #[must_use]
    pub fn new(newest: Option<Checkpoint>, checkpoint: Option<Checkpoint>) -> Self {
        Self { events: 0, newest, checkpoint, canonical: CanonicalEvent::default() }
    }

    /// The event that was followed last.
    #[must_use]
    pub const fn newest(&self) -> Option<Checkpoint> {
        self.newest
    }

    /// The `seq` of the event that was followed last.
    pub(super) fn seq(&self) -> i64 {
        self.newest.map_or(0, |newest| newest.seq)
    }

    /// Follows the next event; returns its canonical form.
    ///
    /// # Errors
    /// If the chain is broken at this event.
    pub fn step(&mut self, event: &StoredEvent<'_>) -> Result<&CanonicalEvent, Break> {
        let expected = self.seq().saturating_add(1);
        if event.seq != expected {
            return Err(Break::Gap { expected });
        }
        if event.prev_hash != self.newest.map_or(chain::BEFORE_FIRST, |newest| newest.hash) {
            return Err(Break::PrevHash);
        }
        self.canonical.write(event).map_err(|error| match error {
            NotCanonical::NotJson => Break::Unreadable,
            NotCanonical::Number => Break::Hash,
        })?;
        if self.canonical.hash(&event.prev_hash) != event.hash {
            return Err(Break::Hash);
        }
        if let Some(kept) = self.checkpoint
            && kept.seq == event.seq
            && kept.hash != event.hash
        {
            return Err(Break::Checkpoint);
        }
        self.events += 1;
        self.newest = Some(Checkpoint { seq: event.seq, hash: event.hash, at: event.occurred_at });
        Ok(&self.canonical)
    }

    /// The checkpoint, if the log ends before it.
    pub(super) fn cut_off(&self) -> Option<Checkpoint> {
        self.checkpoint.filter(|kept| kept.seq > self.seq())
    }
}
