//! Finding the first row in which operations and events differ. Compares each operation with its events, column by column.

use std::collections::HashMap;

use serde_json::Value;

use crate::domain::operation::{OperationId, Status};
use crate::domain::stored::{CanonicalEvent, CanonicalOperation, StoredEvent, StoredOperation};
use crate::service::ledger::{EventBlock, LedgerError, OperationBlock, Snapshot};

use super::blocks::{BLOCK, computed};
use super::columns::{Latest, Request, status_after};
use super::leftovers::is_leftover;
use super::verdict::{Break, Row};

/// Operations that are compared at a time, each with a few events.
const OPERATIONS: u32 = 500;

/// Finds the first bad row: of the operations in order of their ids, then of the events.
///
/// The events up to `archived_to` are archived.
pub(super) async fn first_bad_row(
    snapshot: &mut dyn Snapshot,
    archived_to: i64,
) -> Result<Option<(Row, Break)>, LedgerError> {
    let mut after = None;
    loop {
        let rows = snapshot.operations(after, OPERATIONS).await?;
        if rows.count() == 0 {
            break;
        }
        let ids: Vec<OperationId> =
            (0..rows.count()).filter_map(|index| rows.operation(index).ok()).map(|row| row.id).collect();
        after = ids.last().copied();
        let events = snapshot.events_of(&ids).await?;
        let found = computed(move || first_bad_operation(&*rows, &*events, archived_to)).await?;
        if found.is_some() {
            return Ok(found);
        }
    }
    event_without_operation(snapshot, archived_to > 0).await
}

/// Finds the first step whose operation is missing: a `requested` event, or any step if `requested` may be archived.
async fn event_without_operation(
    snapshot: &mut dyn Snapshot,
    is_cut: bool,
) -> Result<Option<(Row, Break)>, LedgerError> {
    let mut after = i64::MIN;
    loop {
        let events = snapshot.events(after, BLOCK).await?;
        let mut requests = Vec::new();
        for index in 0..events.count() {
            let event = match events.event(index) {
                Ok(event) => event,
                Err(seq) => return Ok(Some((Row::Event(seq), Break::Unreadable))),
            };
            after = event.seq;
            if status_after(&event).is_some_and(|status| is_cut || status == Status::Pending)
                && let Some(id) = event.operation_id
            {
                requests.push((id, event.seq));
            }
        }
        if events.count() == 0 {
            return Ok(None);
        }
        drop(events);
        let ids: Vec<OperationId> = requests.iter().map(|(id, _)| *id).collect();
        let rows = snapshot.operations_of(&ids).await?;
        let there: Vec<OperationId> =
            (0..rows.count()).filter_map(|index| rows.operation(index).ok()).map(|row| row.id).collect();
        if let Some((_, seq)) = requests.iter().find(|(id, _)| !there.contains(id)) {
            return Ok(Some((Row::Event(*seq), Break::OperationMissing)));
        }
    }
}

/// Compares operations with their events.
fn first_bad_operation(
    rows: &dyn OperationBlock,
    events: &dyn EventBlock,
    archived_to: i64,
) -> Option<(Row, Break)> {
    let mut steps: HashMap<OperationId, Vec<StoredEvent<'_>>> = HashMap::new();
    for index in 0..events.count() {
        match events.event(index) {
            Ok(event) if status_after(&event).is_some() => {
                let id = event.operation_id.unwrap_or_default();
                steps.entry(id).or_default().push(event);
            }
            Ok(_) => {}
            Err(seq) => return Some((Row::Event(seq), Break::Unreadable)),
        }
    }
    for index in 0..rows.count() {
        let row = match rows.operation(index) {
            Ok(row) => row,
            Err(id) => return Some((Row::Operation(id), Break::Unreadable)),
        };
        let steps = steps.get(&row.id).map_or(&[][..], Vec::as_slice);
        if steps.is_empty() && is_leftover(row.last_seq, archived_to) {
            continue;
        }
        let is_cut = archived_to > 0 && steps.first().and_then(status_after) != Some(Status::Pending);
        if let Some(seq) = illegal_step(steps, is_cut) {
            return Some((Row::Event(seq), Break::Step));
        }
        if let Some(why) = difference(&row, steps, is_cut) {
            return Some((Row::Operation(row.id.to_string()), why));
        }
    }
    None
}

/// The `seq` of the first event that its operation can't take. `requested` comes first, unless the first steps are
/// archived, and nothing after a final status.
fn illegal_step(steps: &[StoredEvent<'_>], is_cut: bool) -> Option<i64> {
    let mut before = None;
    for step in steps {
        let status = status_after(step)?;
        let is_legal = match before {
            None => is_cut || status == Status::Pending,
            Some(before) => status != Status::Pending && !Status::is_final(before),
        };
        if !is_legal {
            return Some(step.seq);
        }
        before = Some(status);
    }
    None
}

/// The first column of an operation that is not what its events say.
fn difference(row: &StoredOperation<'_>, steps: &[StoredEvent<'_>], is_cut: bool) -> Option<Break> {
    let (Some(first), Some(last)) = (steps.first(), steps.last()) else { return Some(Break::NoEvents) };
    let (mut requested, mut newest) = (CanonicalEvent::default(), CanonicalEvent::default());
    let mut canonical = CanonicalOperation::default();
    if canonical.write(row).is_err() || requested.write(first).is_err() || newest.write(last).is_err() {
        return Some(Break::Unreadable);
    }
    let asked = (Request::of_operation(row, &canonical), Request::of_event(first, &requested));
    let status = status_after(last)?;
    let latest = (Latest::of_operation(row, &canonical), Latest::of_event(last, status, &newest));
    let column = outcome_column(latest.0.outcome, latest.1.outcome)
        .or_else(|| if is_cut { None } else { request_column(&asked.0, &asked.1) })
        .or_else(|| latest_column(&latest.0, &latest.1))?;
    Some(Break::Operation { column })
}

fn outcome_column(row: &[u8], event: &[u8]) -> Option<&'static str> {
    if row == event {
        return None;
    }
    let value = |text| serde_json::from_slice::<Value>(text).unwrap_or_default();
    let (row, event) = (value(row), value(event));
    let columns = ["status", "task_id", "error", "verification"];
    Some(columns.into_iter().find(|column| row[column] != event[column]).unwrap_or("outcome"))
}

fn request_column(row: &Request<'_>, event: &Request<'_>) -> Option<&'static str> {
    let columns = [
        ("vpc_id", row.vpc_id == event.vpc_id),
        ("gateway_id", row.gateway_id == event.gateway_id),
        ("tunnel_id", row.tunnel_id == event.tunnel_id),
        ("account", row.account == event.account),
        ("region", row.region == event.region),
        ("api", row.api == event.api),
        ("changes", row.changes == event.changes),
        ("before", row.before == event.before),
        ("reason", row.reason == event.reason),
        ("rollback_of", row.rollback_of == event.rollback_of),
        ("requested_by", row.requested_by == event.requested_by),
        ("actor_id", row.actor_id == event.actor_id),
        ("actor_kind", row.actor_kind == event.actor_kind),
        ("request_id", row.request_id == event.request_id),
        ("trace_id", row.trace_id == event.trace_id),
        ("created_at", row.created_at == event.created_at),
    ];
    columns.into_iter().find(|(_, is_same)| !is_same).map(|(column, _)| column)
}

fn latest_column(row: &Latest<'_>, event: &Latest<'_>) -> Option<&'static str> {
    let columns = [
        ("updated_at", row.updated_at == event.updated_at),
        ("finished_at", row.finished_at == event.finished_at),
        ("last_seq", row.last_seq == event.last_seq),
    ];
    columns.into_iter().find(|(_, is_same)| !is_same).map(|(column, _)| column)
}
