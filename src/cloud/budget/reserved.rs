//! The calls that were reserved in the ledger and have not been granted.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::rate::WINDOW;

/// A reserved call can't be used for longer than this after the ledger read its clock.
const USABLE: Duration = WINDOW;
/// How late a reserved call may start, at least; one interval of the calls where that is longer. Later it would start
/// beside too many calls that other replicas reserved. Commits usually end within it: each change that misses its slot
/// costs a second one.
const LATENESS: Duration = Duration::from_millis(250);
/// A reservation is asked for when the calls that are reserved last no longer than this.
const LEAD: Duration = Duration::from_millis(150);
/// The ledger has failed when a reservation has been unanswered for this long.
pub(super) const FAILED_AFTER: Duration = Duration::from_secs(1);
/// A reservation takes at most what a quarter of a second holds, so that replicas take turns.
const RESERVATIONS_A_SECOND: usize = 4;

/// A reserved call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The earliest start.
    at: Instant,
    /// The latest start. After a pause of the process, calls that were due in it would otherwise start together with those
    /// of other replicas.
    until: Instant,
}

impl Place {
    /// From when on no call may start any more.
    pub(super) fn end(&self) -> Instant {
        self.until + Duration::from_millis(1)
    }

    /// True if no call may start any more.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.until < now
    }
}

/// The reserved calls of this replica.
#[derive(Debug, Default)]
pub(super) struct Reserved {
    /// In the order of their times.
    places: VecDeque<Place>,
    /// The end of the last reservation.
    end: Option<Instant>,
    /// Time between two calls of this replica, with the calls of other replicas in between.
    pace: Duration,
    /// How long the last reservation took.
    round_trip: Duration,
    /// When the first reservation was asked for that the ledger has not answered.
    unanswered_since: Option<Instant>,
    /// When the last reservation failed.
    failed_at: Option<Instant>,
}

impl Reserved {
    /// A reservation begins.
    pub(super) fn asked(&mut self, now: Instant) {
        // A failure before a quiet time says nothing about the ledger now.
        let goes_on = self.failed_at.is_some_and(|at| now.saturating_duration_since(at) < FAILED_AFTER);
        if !goes_on {
            self.unanswered_since = Some(now);
        }
        self.unanswered_since.get_or_insert(now);
    }

    /// A reservation failed.
    pub(super) fn failed(&mut self, now: Instant) {
        self.failed_at = Some(now);
    }

    /// Adds `count` calls that were asked for at `asked_at`. The first may start after `wait`.
    pub(super) fn add(
        &mut self,
        asked_at: Instant,
        now: Instant,
        wait: Duration,
        count: u32,
        interval: Duration,
    ) {
        self.unanswered_since = None;
        self.failed_at = None;
        self.round_trip = now.saturating_duration_since(asked_at);
        let lateness = interval.max(LATENESS);
        for number in 0..count {
            // The ledger read its clock between the two times: no call starts early, and none is used late.
            let wait = wait + interval * number;
            let at = now + wait;
            self.places.push_back(Place { at, until: (at + lateness).min(asked_at + wait + USABLE) });
        }
        let end = now + wait + interval * count;
        let start = self.end.map_or(now, |end| end.max(now));
        self.pace = (end.saturating_duration_since(start) / count.max(1)).max(interval);
        self.end = Some(end);
    }

    /// True if the ledger does not answer.
    pub(super) fn is_failing(&self, now: Instant) -> bool {
        self.unanswered_since.is_some_and(|since| now.saturating_duration_since(since) >= FAILED_AFTER)
    }

    /// Takes a call that may start now.
    pub(super) fn take(&mut self, now: Instant) -> Option<Place> {
        while self.places.front().is_some_and(|place| place.is_over(now)) {
            self.places.pop_front();
        }
        self.places.pop_front_if(|place| place.at <= now)
    }

    /// Gives a call back that did not start.
    pub(super) fn give_back(&mut self, place: Place) {
        self.places.push_front(place);
    }

    /// When the next reserved call may start.
    pub(super) fn next(&self) -> Option<Instant> {
        self.places.front().map(|place| place.at)
    }

    /// How many calls to reserve for `waiting` ones at this rate, and when; `None` if enough are reserved.
    pub(super) fn wanted(&self, waiting: usize, rate: usize, now: Instant) -> Option<(u32, Instant)> {
        let missing = waiting.checked_sub(self.places.len()).filter(|missing| *missing > 0)?;
        let count = missing.min((rate / RESERVATIONS_A_SECOND).max(1));
        let lead = LEAD.max(self.round_trip * 2).min(WINDOW);
        let when = self.places.back().and_then(|last| last.at.checked_sub(lead)).unwrap_or(now);
        Some((u32::try_from(count).unwrap_or(u32::MAX), when))
    }

    /// When a call may start that has so many before it, as far as is known.
    pub(super) fn expected(&self, ahead: usize, now: Instant) -> Instant {
        if let Some(place) = self.places.get(ahead) {
            return place.at.max(now);
        }
        let later = u32::try_from(ahead - self.places.len()).unwrap_or(u32::MAX);
        self.end.map_or(now, |end| end.max(now)) + self.pace.saturating_mul(later)
    }
}
