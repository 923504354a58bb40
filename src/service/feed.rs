//! The feed: every event as it is committed. One loop reads new events for all followers, so a follower that has caught up
//! needs no queries and holds no database connection.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::broadcast;

use crate::domain::event::{Event, EventRow};
use crate::domain::principal::VpcScope;

use super::Service;
use super::export::EventView;
use super::ledger::{EventFilter, LedgerError, Order};

pub use super::followers::{Block, Entry, News};

/// Events per query.
const BLOCK: u32 = 100;

/// The newest event that was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    seq: i64,
    /// `None` for an empty log.
    hash: Option<[u8; 32]>,
}

/// A page of a follower that catches up.
pub struct Page {
    pub entries: Vec<Entry>,
    /// The follower has seen every event up to this seq.
    pub position: i64,
    /// False if more events may be waiting.
    pub is_last: bool,
}

impl From<Event> for Entry {
    fn from(event: Event) -> Self {
        // Texts, numbers and JSON values always have a JSON form.
        let json = serde_json::to_string(&EventView::from(&event)).unwrap_or_default();
        Self { event, json }
    }
}

impl EventFilter {
    /// True if the filter lets an event through. `status` is compared with the status after the event's step: a feed
    /// passes each event once, when it is committed.
    #[must_use]
    pub fn passes(&self, row: &EventRow) -> bool {
        fn is<T: PartialEq + ?Sized>(wanted: Option<&T>, value: Option<&T>) -> bool {
            wanted.is_none() || wanted == value
        }
        let status = || row.outcome.as_ref()?.get("status")?.as_str();
        is(self.operation_id.as_ref(), row.operation_id.as_ref())
            && is(self.event.map(|kind| kind.as_str()), Some(row.event.as_str()))
            && is(self.vpc_id.as_deref(), row.vpc_id.as_deref())
            && is(self.tunnel_id.as_deref(), row.tunnel_id.as_deref())
            && is(self.requested_by.as_deref(), Some(row.actor.as_str()))
            && is(self.account.as_deref(), row.account.as_deref())
            && (self.status.is_none() || self.status.map(|status| status.as_str()) == status())
            && self.created_after.is_none_or(|after| row.occurred_at >= after)
            && self.created_before.is_none_or(|before| row.occurred_at < before)
    }
}

/// True if a caller with this scope may read the event. Events about no tunnel need the scope for all VPCs.
#[must_use]
pub fn is_readable(vpcs: &VpcScope, row: &EventRow) -> bool {
    match (&row.vpc_id, vpcs) {
        (_, VpcScope::All) => true,
        (Some(vpc), scope) => scope.allows(vpc),
        (None, VpcScope::Matching(_)) => false,
    }
}

impl Service {
    /// Receives the blocks from now on. Call this before reading the ledger, so that no event is missed in between.
    #[must_use]
    pub fn follow_log(&self) -> broadcast::Receiver<News> {
        self.feed.news.subscribe()
    }

    /// True if there is a follower.
    #[must_use]
    pub fn is_followed(&self) -> bool {
        self.feed.news.receiver_count() > 0
    }

    /// Seq of the newest event; 0 for an empty log.
    ///
    /// # Errors
    /// If the ledger could not be read.
    pub async fn newest_seq(&self) -> Result<i64, LedgerError> {
        let newest = self.ledger.checkpoint().await?.map_or(0, |newest| newest.seq);
        self.feed.newest.fetch_max(newest, Ordering::Relaxed);
        Ok(newest)
    }

    /// Begins to publish after the newest event. Followers that have not seen it read the ledger.
    ///
    /// # Errors
    /// If the ledger could not be read.
    pub async fn begin_to_publish(&self) -> Result<Published, LedgerError> {
        // Before the read: an event that a follower sees meanwhile is no sign of a log that went back.
        let seen = self.feed.newest.load(Ordering::Relaxed);
        let newest = self.newest_published().await?;
        if newest.seq < seen {
            return Ok(self.went_back(newest));
        }
        let block = Block { after: newest.seq, last: newest.seq, entries: Vec::new() };
        let _ = self.feed.news.send(News::Block(Arc::new(block)));
        Ok(newest)
    }

    async fn newest_published(&self) -> Result<Published, LedgerError> {
        let newest = self.ledger.checkpoint().await?;
        Ok(Published { seq: newest.map_or(0, |newest| newest.seq), hash: newest.map(|newest| newest.hash) })
    }

    /// Publishes the next block. `None` if there is no newer event.
    ///
    /// # Errors
    /// If the ledger could not be read.
    pub async fn publish(&self, published: Published) -> Result<Option<Published>, LedgerError> {
        let (all, filter) = (VpcScope::All, EventFilter::default());
        let events =
            self.ledger.events(&all, &filter, Order::OldestFirst, Some(published.seq), BLOCK).await?;
        let Some((first, last)) = events.first().zip(events.last()) else {
            let newest = self.newest_published().await?;
            return match newest.seq >= published.seq {
                true => Ok(None),
                false => Ok(Some(self.went_back(newest))),
            };
        };
        let follows =
            first.row.seq == published.seq + 1 && published.hash.is_none_or(|hash| hash == first.prev_hash);
        let newest = Published { seq: last.row.seq, hash: Some(last.hash) };
        if !follows {
            return Ok(Some(self.went_back(newest)));
        }
        let entries = events.into_iter().map(Entry::from).collect();
        let block = Block { after: published.seq, last: newest.seq, entries };
        self.feed.newest.fetch_max(newest.seq, Ordering::Relaxed);
        // There may be no follower left.
        let _ = self.feed.news.send(News::Block(Arc::new(block)));
        Ok(Some(newest))
    }

    fn went_back(&self, newest: Published) -> Published {
        self.feed.newest.store(newest.seq, Ordering::Relaxed);
        let _ = self.feed.news.send(News::WentBack);
        newest
    }

    /// The next events after `position` that a follower may read and its filter lets through.
    ///
    /// # Errors
    /// If the ledger could not be read.
    pub async fn catch_up(
        &self,
        vpcs: &VpcScope,
        filter: &EventFilter,
        position: i64,
    ) -> Result<Page, LedgerError> {
        let _permit = self.feed.readers.acquire().await;
        // Before the page: events up to this one are committed, so the page misses none of them.
        let newest = self.newest_seq().await?;
        let in_any_status = EventFilter { status: None, ..filter.clone() };
        let order = Order::OldestFirst;
        let events = self.ledger.events(vpcs, &in_any_status, order, Some(position), BLOCK).await?;
        let is_last = events.len() < BLOCK as usize;
        let read = events.last().map_or(position, |event| event.row.seq);
        let position = if is_last { read.max(newest) } else { read };
        let entries = events.into_iter().filter(|event| filter.passes(&event.row)).map(Entry::from).collect();
        Ok(Page { entries, position, is_last })
    }
}
