//! The tables by which lists find events: `audit_hours`, where in the log an hour's events are, and `audit_vpcs`, the VPCs
//! that the log has.

use std::collections::{HashMap, HashSet};

use crate::domain::stored::StoredEvent;
use crate::domain::timestamp::Timestamp;
use crate::service::ledger::StoredHour;

/// Microseconds of an hour.
const HOUR: i64 = 3_600_000_000;

/// The hours of the log: some 24 bytes for each hour with events.
#[derive(Debug)]
pub(super) struct Hours {
    rows: HashMap<Timestamp, (i64, i64)>,
    /// The row of the previous event, which the next event mostly shares.
    last: Option<StoredHour>,
}

impl Hours {
    pub(super) fn new(rows: Vec<StoredHour>) -> Self {
        let rows = rows.into_iter().map(|row| (row.start, (row.first_seq, row.last_seq))).collect();
        Self { rows, last: None }
    }

    /// True if a list by time finds the event.
    pub(super) fn cover(&mut self, event: &StoredEvent<'_>) -> bool {
        let micros = event.occurred_at.as_micros();
        let start = Timestamp::from_micros(micros - micros.rem_euclid(HOUR));
        if self.last.is_none_or(|last| last.start != start) {
            let row = self.rows.get(&start);
            self.last = row.map(|&(first_seq, last_seq)| StoredHour { start, first_seq, last_seq });
        }
        self.last.is_some_and(|row| (row.first_seq..=row.last_seq).contains(&event.seq))
    }
}

/// The VPCs of the log.
#[derive(Debug)]
pub(super) struct Vpcs(Option<HashSet<String>>);

impl Vpcs {
    /// `None` if the store has no such table.
    pub(super) fn new(rows: Option<Vec<String>>) -> Self {
        Self(rows.map(|rows| rows.into_iter().collect()))
    }

    /// True if a list limited to VPCs finds the event.
    pub(super) fn cover(&self, event: &StoredEvent<'_>) -> bool {
        match (&self.0, event.vpc_id) {
            (Some(vpcs), Some(vpc)) => vpcs.contains(vpc),
            _ => true,
        }
    }
}
