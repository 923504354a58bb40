//! A sweep under way: the pages that are left to read, and what becomes of pages that can't be read.

use std::collections::{BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use crate::domain::timestamp::Timestamp;

use super::plan::{self, Part, Place};
use crate::service::cloud::{ReadFailure, Refusal, TunnelPage};

/// Later reads of a page that could not be read, in the same sweep.
const RETRIES: u8 = 2;
/// Pages that are read again in one sweep, at most.
const MOST_UNREAD: usize = 100;

/// A sweep under way.
#[derive(Debug)]
pub(super) struct Run {
    pub began_at: Timestamp,
    pub next_at: Timestamp,
    /// Calls made.
    pub calls: usize,
    pub watched: u64,
    /// No page was given up.
    pub is_whole: bool,
    parts: VecDeque<Part>,
    /// Entries of the first part that were read, or put off.
    offset: usize,
    /// Pages that could not be read. They are read again after all parts.
    unread: VecDeque<Unread>,
    compared: BTreeSet<String>,
    /// Tunnels that an earlier holder of the sweep compared.
    compared_before: u64,
}

/// Pages of a list that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Unread {
    part: Part,
    /// Entries before the first of them.
    offset: usize,
    /// Entries before the page after the last of them; `None`: up to the end of the list.
    end: Option<usize>,
    failures: u8,
}

/// A run as the ledger stores it, for the process that goes on with it.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    /// `None`: only unread pages are left.
    next: Option<Place>,
    /// Pages of that list that are left, as far as is known.
    pages: usize,
    unread: Vec<StoredUnread>,
    is_whole: bool,
    compared: u64,
    calls: usize,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredUnread {
    first: Place,
    pages: usize,
    end: Option<usize>,
    failures: u8,
}

impl Run {
    /// A new sweep.
    pub(super) fn new(parts: Vec<Part>, watched: u64, now: Timestamp) -> Self {
        Self {
            began_at: now,
            next_at: now,
            calls: 0,
            watched,
            is_whole: true,
            parts: parts.into(),
            offset: 0,
            unread: VecDeque::new(),
            compared: BTreeSet::new(),
            compared_before: 0,
        }
    }

    /// The sweep that another process, or this one, has not ended. `None` if the text can't be read.
    pub(super) fn resumed(mut self, stored: &str, began_at: Timestamp) -> Option<Self> {
        let stored: Stored = serde_json::from_str(stored).ok()?;
        let parts = Vec::from(std::mem::take(&mut self.parts));
        let unread = stored.unread.into_iter().map(|unread| {
            let (part, offset) = unread.first.part(&parts)?;
            let part = Part { pages: unread.pages, ..part };
            Some(Unread { part, offset, end: unread.end, failures: unread.failures })
        });
        let unread: Vec<Option<Unread>> = unread.collect();
        self.began_at = began_at;
        self.is_whole = stored.is_whole && unread.iter().all(Option::is_some);
        self.unread = unread.into_iter().flatten().collect();
        self.compared_before = stored.compared;
        self.calls = stored.calls;
        if let Some(place) = stored.next {
            let (parts, offset) = plan::from_place(parts, &place);
            (self.parts, self.offset) = (parts.into(), offset);
            if let Some(part) = self.parts.front_mut().filter(|_| offset > 0) {
                part.pages = stored.pages;
            }
        }
        Some(self)
    }

    /// The text that [`Self::resumed`] reads; `None` if nothing is left.
    pub(super) fn stored(&self) -> Option<String> {
        let unread = self.unread.iter().map(|unread| StoredUnread {
            first: Place::of(&unread.part, unread.offset),
            pages: unread.part.pages,
            end: unread.end,
            failures: unread.failures,
        });
        let stored = Stored {
            next: self.parts.front().map(|part| Place::of(part, self.offset)),
            pages: self.parts.front().map_or(0, |part| part.pages),
            unread: unread.collect(),
            is_whole: self.is_whole,
            compared: self.compared(),
            calls: self.calls,
        };
        (!self.has_ended()).then(|| serde_json::to_string(&stored).ok()).flatten()
    }

    pub(super) fn has_ended(&self) -> bool {
        self.parts.is_empty() && self.unread.is_empty()
    }

    /// Calls that are left, as far as is known.
    pub(super) fn calls_left(&self) -> usize {
        let pages = |part: &Part| part.pages;
        self.parts.iter().map(pages).chain(self.unread.iter().map(|unread| pages(&unread.part))).sum()
    }

    /// The list to read next, and the entries before the page.
    pub(super) fn next(&self) -> Option<(Part, usize)> {
        match self.parts.front() {
            Some(part) => Some((part.clone(), self.offset)),
            None => self.unread.front().map(|unread| (unread.part.clone(), unread.offset)),
        }
    }

    /// Adds tunnels that were compared.
    pub(super) fn add(&mut self, compared: Vec<String>) {
        self.compared.extend(compared);
    }

    /// Tunnels that were compared. A tunnel that moved to a later page while another process took over counts twice.
    pub(super) fn compared(&self) -> u64 {
        (self.compared_before + self.compared.len() as u64).min(self.watched)
    }

    /// The page was read: goes on to the next one.
    pub(super) fn advance(&mut self, page: &TunnelPage, page_size: usize) {
        let Some((part, offset)) = self.next() else { return };
        let pages = page.total.map(|total| total.div_ceil(page_size.max(1)));
        let is_dear = pages.is_some_and(|pages| pages > plan::calls(&part.instead));
        if offset == 0 && !part.instead.is_empty() && is_dear {
            return self.replace(part.instead);
        }
        let offset = offset + page.tunnels.len();
        let left = page.total.map(|total| total.saturating_sub(offset).div_ceil(page_size.max(1)).max(1));
        if let Some(part) = self.parts.front_mut() {
            self.offset = offset;
            part.pages = left.unwrap_or(part.pages);
            if page.is_last {
                self.drop_first();
            }
        } else if let Some(unread) = self.unread.front_mut() {
            (unread.offset, unread.failures) = (offset, 0);
            let to_the_end = left.filter(|_| unread.end.is_none());
            unread.part.pages = to_the_end.unwrap_or(1);
            if page.is_last || unread.end.is_some_and(|end| offset >= end) {
                self.drop_first();
            }
        }
    }

    /// The page could not be read. Returns true if the account's credentials were refused the list of all tunnels.
    pub(super) fn failed(&mut self, failure: ReadFailure, page_size: usize) -> bool {
        let Some((part, offset)) = self.next() else { return false };
        // Rights may be limited to some gateways.
        if matches!(failure, ReadFailure::Refused(Refusal::Credentials | Refusal::Other))
            && !part.instead.is_empty()
        {
            self.replace(part.instead);
            return failure == ReadFailure::Refused(Refusal::Credentials);
        }
        if !may_pass(failure) {
            // The list as a whole is refused, or there is none.
            self.is_whole &= failure == ReadFailure::NotFound;
            self.drop_first();
        } else if self.parts.is_empty() {
            self.retry_later();
        } else {
            self.put_off(part, offset, page_size);
        }
        false
    }

    /// No account answers for the list any more.
    pub(super) fn skip(&mut self) {
        self.is_whole = false;
        self.drop_first();
    }

    /// Leaves the page to the end of the sweep, and goes on with the next page of its list, if one is known.
    fn put_off(&mut self, part: Part, offset: usize, page_size: usize) {
        // The first page of an account says whether its gateways take fewer calls.
        let decides = offset == 0 && !part.instead.is_empty();
        let after = offset + page_size;
        let goes_on = part.pages > 1 && !decides;
        let instead = if decides { part.instead } else { Vec::new() };
        let pages = if goes_on { 1 } else { part.pages };
        let part = Part { instead, pages, ..part };
        if self.unread.len() < MOST_UNREAD {
            self.unread.push_back(Unread { part, offset, end: goes_on.then_some(after), failures: 1 });
        } else {
            self.is_whole = false;
        }
        match self.parts.front_mut() {
            Some(part) if goes_on => (self.offset, part.pages) = (after, part.pages - 1),
            _ => self.drop_first(),
        }
    }

    /// An unread page failed again.
    fn retry_later(&mut self) {
        let Some(mut unread) = self.unread.pop_front() else { return };
        unread.failures = unread.failures.saturating_add(1);
        if unread.failures <= RETRIES {
            self.unread.push_back(unread);
        } else {
            self.is_whole = false;
        }
    }

    /// Reads these parts instead of the first list.
    fn replace(&mut self, parts: Vec<Part>) {
        self.drop_first();
        for part in parts.into_iter().rev() {
            self.parts.push_front(part);
        }
    }

    fn drop_first(&mut self) {
        if self.parts.pop_front().is_some() {
            self.offset = 0;
        } else {
            self.unread.pop_front();
        }
    }
}

/// True if a later read may succeed. A refusal stays one within a sweep, and each of the gateway's credentials counts.
fn may_pass(failure: ReadFailure) -> bool {
    match failure {
        ReadFailure::NotFound => false,
        ReadFailure::NoBudget { .. } | ReadFailure::NoLedger | ReadFailure::NoAnswer => true,
        ReadFailure::Refused(refusal) => matches!(
            refusal,
            Refusal::WrongState | Refusal::RateLimited | Refusal::Expired | Refusal::Unavailable
        ),
    }
}

#[cfg(test)]
mod tests;
