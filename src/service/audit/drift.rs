//! Comparing the open differences with the events that reported them.

use std::collections::HashMap;

use serde_json::Value;

use crate::domain::changes::Changes;
use crate::domain::event::EventKind;
use crate::domain::operation::OperationId;
use crate::domain::stored::StoredEvent;
use crate::domain::timestamp::Timestamp;
use crate::service::ledger::StoredDrift;

use super::verdict::{Break, Row};

/// The columns of an open difference.
#[derive(Debug, PartialEq, Eq)]
struct Columns {
    vpc_id: String,
    gateway_id: String,
    tunnel_id: String,
    account: String,
    region: String,
    api: String,
    set: Value,
    observed: Value,
    since: Timestamp,
    seq: i64,
}

/// The differences that are open after the events so far, by operation and pointer. Memory grows with them.
#[derive(Debug, Default)]
pub(super) struct Told(HashMap<(OperationId, String), Columns>);

impl Told {
    /// Follows an event.
    ///
    /// # Errors
    /// If the event is about drift and does not say what such an event says.
    pub(super) fn step(&mut self, event: &StoredEvent<'_>) -> Result<(), Break> {
        match EventKind::from_word(event.event) {
            Some(EventKind::DriftDetected) => self.detected(event).ok_or(Break::DriftEvent),
            Some(EventKind::DriftResolved) => self.resolved(event).ok_or(Break::DriftEvent),
            _ => Ok(()),
        }
    }

    fn detected(&mut self, event: &StoredEvent<'_>) -> Option<()> {
        let (set, observed) = (fields(event.before?)?, fields(event.changes?)?);
        let text = |column: Option<&str>| column.map(str::to_owned);
        for (pointer, set) in set.fields() {
            let observed = observed.fields().find(|(other, _)| *other == pointer)?.1.clone();
            let columns = Columns {
                vpc_id: text(event.vpc_id)?,
                gateway_id: text(event.gateway_id)?,
                tunnel_id: text(event.tunnel_id)?,
                account: text(event.account)?,
                region: text(event.region)?,
                api: text(event.api)?,
                set: set.clone(),
                observed,
                since: event.occurred_at,
                seq: event.seq,
            };
            self.0.insert((event.operation_id?, pointer), columns);
        }
        Some(())
    }

    /// The event that reported the difference may be archived.
    fn resolved(&mut self, event: &StoredEvent<'_>) -> Option<()> {
        let had = fields(event.before?)?;
        for (pointer, _) in had.fields() {
            self.0.remove(&(event.operation_id?, pointer));
        }
        Some(())
    }

    /// The first row of `drift` that the events do not tell, or the first open difference without a row. Rows whose events
    /// are archived, up to `archived_to`, can't be compared.
    pub(super) fn first_wrong(
        mut self,
        mut rows: Vec<StoredDrift>,
        archived_to: i64,
    ) -> Option<(Row, Break)> {
        rows.sort_by(|one, other| (one.seq, &one.pointer).cmp(&(other.seq, &other.pointer)));
        for row in rows {
            let told = self.0.remove(&(row.operation_id, row.pointer.clone()));
            if told.is_none() && row.seq <= archived_to {
                continue;
            }
            let name = format!("{} of {}", row.pointer, row.tunnel_id);
            if told.is_none() || told != columns(row) {
                return Some((Row::Drift(name), Break::Drift));
            }
        }
        let missing = self.0.into_values().map(|columns| columns.seq).min()?;
        Some((Row::Event(missing), Break::DriftMissing))
    }
}

fn columns(row: StoredDrift) -> Option<Columns> {
    Some(Columns {
        vpc_id: row.vpc_id,
        gateway_id: row.gateway_id,
        tunnel_id: row.tunnel_id,
        account: row.account,
        region: row.region,
        api: row.api,
        set: serde_json::from_str(&row.set).ok()?,
        observed: serde_json::from_str(&row.observed).ok()?,
        since: row.since,
        seq: row.seq,
    })
}

fn fields(text: &str) -> Option<Changes> {
    serde_json::from_str(text).ok()
}
