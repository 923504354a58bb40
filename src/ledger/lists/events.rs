//! A page of events.

use crate::domain::event::{Event, EventKind};
use crate::domain::operation::{OperationId, Status};
use crate::domain::principal::VpcScope;
use crate::ledger::columns::StoredRow;
use crate::service::ledger::{EventFilter, LedgerError, Order};

use super::reach::reach;
use super::search::{Edge, Found, Search};
use super::sql;
use super::store::ListStore;

/// Events that one statement checks for their operation's status: at first, and at most.
const FIRST_WINDOW: u32 = 1_000;
const LARGEST_WINDOW: u32 = 32_000;

/// One page of events.
pub(super) async fn events<S: ListStore>(
    store: &S,
    vpcs: &VpcScope,
    filter: &EventFilter,
    order: Order,
    after: Option<i64>,
    limit: u32,
) -> Result<Vec<Event>, LedgerError> {
    let Some(reach) = reach(vpcs, filter.vpc_id.as_deref()) else { return Ok(Vec::new()) };
    let Some(seqs) = seq_range(store, filter).await? else { return Ok(Vec::new()) };
    let search = Search { reach, filter, within: None, order, after, seqs, limit };
    let seqs = match filter.status {
        None => matches_of(store, &search).await?,
        Some(status) => matches_in_status(store, search, status).await?,
    };
    let mut events = by_seq(store, &seqs).await?;
    events.sort_unstable_by_key(|event| event.row.seq);
    if order == Order::NewestFirst {
        events.reverse();
    }
    Ok(events)
}

/// Range of `seq` that contains every event of the filter's time; `None` if there is none.
pub(super) async fn seq_range<S: ListStore>(
    store: &S,
    filter: &EventFilter,
) -> Result<Option<(i64, i64)>, LedgerError> {
    let (after, before) = (filter.created_after, filter.created_before);
    if after.is_none() && before.is_none() {
        return Ok(Some((0, i64::MAX)));
    }
    let rows = store.fetch(sql::seq_range(S::DIALECT, after, before)).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(row.number("first")?.zip(row.number("last")?))
}

async fn by_seq<S: ListStore>(store: &S, seqs: &[i64]) -> Result<Vec<Event>, LedgerError> {
    if seqs.is_empty() {
        return Ok(Vec::new());
    }
    store.fetch(sql::events_by_seq(S::DIALECT, seqs)).await?.iter().map(StoredRow::event).collect()
}

async fn found<S: ListStore>(
    store: &S,
    search: &Search<'_>,
    status: Option<Status>,
) -> Result<Vec<Found>, LedgerError> {
    let found = |row: &S::Row| -> Result<Found, LedgerError> {
        Ok(Found { seq: row.number("seq")?.unwrap_or_default(), fits: row.flag("fits")? })
    };
    store.fetch(sql::search(S::DIALECT, search, status)).await?.iter().map(found).collect()
}

fn fitting(found: Vec<Found>) -> impl Iterator<Item = i64> {
    found.into_iter().filter(|found| found.fits).map(|found| found.seq)
}

/// The numbers of the events that a search finds.
async fn matches_of<S: ListStore>(store: &S, search: &Search<'_>) -> Result<Vec<i64>, LedgerError> {
    Ok(fitting(found(store, search, None).await?).collect())
}

/// The numbers of the events that a search finds and whose operation is in `status` now.
async fn matches_in_status<S: ListStore>(
    store: &S,
    search: Search<'_>,
    status: Status,
) -> Result<Vec<i64>, LedgerError> {
    if let Some(kind) = search.filter.event {
        match kind.status_after() {
            None if kind.is_drift() && status == Status::Succeeded => {
                return matches_of(store, &search).await;
            }
            None => return Ok(Vec::new()),
            // An operation with an event of this kind is in this status for ever.
            Some(ended) if ended.is_final() && ended == status => {
                return matches_of(store, &search).await;
            }
            Some(ended) if ended.is_final() => return Ok(Vec::new()),
            Some(_) => {}
        }
    }
    let Some(last) = last_step(status) else {
        // Few operations are unfinished.
        let rows = store.fetch(sql::operations_in_status(S::DIALECT, status)).await?;
        let within = ids_of(&rows)?;
        return matches_of(store, &Search { within: Some(&within), ..search }).await;
    };
    let mut seqs = Vec::new();
    // A search by VPC reads a whole window of each VPC.
    let first = if search.is_by_vpc() { search.limit * 4 } else { FIRST_WINDOW };
    let (mut after, mut window) = (search.after, first);
    loop {
        let found = found(store, &Search { after, limit: window, ..search }, Some(status)).await?;
        let (checked, newest) = (found.len(), found.last().map(|found| found.seq));
        seqs.extend(fitting(found));
        let limit = search.limit as usize;
        if seqs.len() >= limit || checked < window as usize {
            seqs.truncate(limit);
            return Ok(seqs);
        }
        if search.order == Order::NewestFirst && search.filter.event.is_none() {
            return matches_by_last_step(store, search, last).await;
        }
        after = newest;
        window = (window * 4).min(LARGEST_WINDOW);
    }
}

fn ids_of<R: StoredRow>(rows: &[R]) -> Result<Vec<OperationId>, LedgerError> {
    rows.iter().map(|row| row.uuid("id")).collect()
}

/// The kind of event that moves an operation into this final status.
const fn last_step(status: Status) -> Option<EventKind> {
    match status {
        Status::Pending | Status::Running | Status::Unknown => None,
        Status::Succeeded => Some(EventKind::Succeeded),
        Status::Diverged => Some(EventKind::Diverged),
        Status::Failed => Some(EventKind::Failed),
        Status::TimedOut => Some(EventKind::TimedOut),
        Status::Rejected => Some(EventKind::Rejected),
    }
}

/// A page where matches are rare. Its events belong to the operations that reached the status last, at most one
/// operation for each event of the page, to operations that were unfinished where the page begins, and, if they are about
/// drift, to operations that succeeded whenever it was.
async fn matches_by_last_step<S: ListStore>(
    store: &S,
    search: Search<'_>,
    last: EventKind,
) -> Result<Vec<i64>, LedgerError> {
    let drift = [EventKind::DriftDetected, EventKind::DriftResolved];
    let drift = drift.into_iter().filter(|_| last == EventKind::Succeeded);
    let mut within: Vec<OperationId> = Vec::new();
    for kind in std::iter::once(last).chain(drift) {
        let filter = EventFilter { event: Some(kind), ..search.filter.clone() };
        let ends = matches_of(store, &Search { filter: &filter, ..search }).await?;
        within.extend(by_seq(store, &ends).await?.iter().filter_map(|event| event.row.operation_id));
    }
    let edges = [search.after.map(Edge::Seq), search.filter.created_before.map(Edge::Time)];
    for edge in edges.into_iter().flatten() {
        let rows = store.fetch(sql::operations_across(S::DIALECT, &search, last, edge)).await?;
        within.extend(ids_of(&rows)?);
    }
    matches_of(store, &Search { within: Some(&within), ..search }).await
}
