//! What makes lists fast however the rows lie, on both stores. A database's planner guesses how many rows it will have
//! to look at before a page is full; where it guesses wrong it reads the whole table. So each search is put in a form in
//! which the right index is the only one that helps; docs/decisions/008-lists-stay-fast.md tells how.

use async_trait::async_trait;
use uuid::Uuid;

use crate::domain::event::{Event, EventKind};
use crate::domain::operation::{OperationId, Status};
use crate::domain::principal::{VpcPattern, VpcScope};
use crate::domain::timestamp::Timestamp;
use crate::service::ledger::{EventFilter, LedgerError, Order};

/// Events that are looked at in one go, at first and at the most, where their operations' status decides.
const FIRST_WINDOW: u32 = 1_000;
const LARGEST_WINDOW: u32 = 32_000;

/// The VPCs that a caller's rights and a filter leave.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reach<'a> {
    All,
    One(&'a str),
    Matching(&'a [VpcPattern]),
}

/// `None` if nothing is left.
pub(super) fn reach<'a>(vpcs: &'a VpcScope, vpc_id: Option<&'a str>) -> Option<Reach<'a>> {
    match (vpcs, vpc_id) {
        (_, Some(vpc)) => vpcs.allows(vpc).then_some(Reach::One(vpc)),
        (VpcScope::All, None) => Some(Reach::All),
        (VpcScope::Matching(patterns), None) => (!patterns.is_empty()).then_some(Reach::Matching(patterns)),
    }
}

/// A bound on time-ordered ids that stands for a moment. An id holds whole milliseconds: if the moment does not, the
/// time itself has to be looked at too.
pub(super) struct IdBound {
    pub(super) id: Uuid,
    pub(super) is_exact: bool,
}

fn id_at(millis: i64) -> Uuid {
    // Ids hold 48 bits of milliseconds; what is earlier or later than all of them sorts so.
    let millis = u128::try_from(millis.max(0)).unwrap_or_default();
    Uuid::from_u128(millis.min((1 << 48) - 1) << 80)
}

/// What was made at the moment or later has this id or a greater one.
pub(super) fn id_from(at: Timestamp) -> IdBound {
    let micros = at.as_micros();
    IdBound { id: id_at(micros.div_euclid(1000)), is_exact: micros.rem_euclid(1000) == 0 }
}

/// What was made before the moment has a smaller id.
pub(super) fn id_before(at: Timestamp) -> IdBound {
    let micros = at.as_micros();
    let is_exact = micros.rem_euclid(1000) == 0;
    IdBound { id: id_at(micros.div_euclid(1000) + i64::from(!is_exact)), is_exact }
}

/// A search for events.
#[derive(Clone, Copy)]
pub(super) struct Search<'a> {
    pub(super) reach: Reach<'a>,
    /// Its `vpc_id` stands in `reach`, its `status` is left to the caller.
    pub(super) filter: &'a EventFilter,
    /// Only events of these operations.
    pub(super) within: Option<&'a [OperationId]>,
    pub(super) order: Order,
    pub(super) after: Option<i64>,
    /// What `created_after` and `created_before` leave of the log, both inclusive. Not all of it need fit them.
    pub(super) seqs: (i64, i64),
    pub(super) limit: u32,
}

impl Search<'_> {
    /// True if each VPC is best looked through by itself, in an index that begins with it.
    pub(super) fn goes_by_vpc(&self) -> bool {
        let filter = self.filter;
        let has_few = |kind| {
            use EventKind::{Requested, Submitted, Succeeded, VerificationConfirmed};
            !matches!(kind, Requested | Submitted | Succeeded | VerificationConfirmed)
        };
        matches!(self.reach, Reach::Matching(_))
            && self.within.is_none()
            && filter.tunnel_id.is_none()
            && filter.operation_id.is_none()
            && (filter.requested_by.is_some() || !filter.event.is_some_and(has_few))
    }
}

/// An event that was found.
pub(super) struct Found {
    pub(super) seq: i64,
    /// True if its operation is in the status that was asked about, or none was.
    pub(super) fits: bool,
}

/// Where a page begins that does not begin at the newest event.
#[derive(Debug, Clone, Copy)]
pub(super) enum Edge {
    Seq(i64),
    Time(Timestamp),
}

/// What the stores do for a list of events.
#[async_trait]
pub(super) trait EventStore: Sync {
    async fn search(&self, search: Search<'_>, status: Option<Status>) -> Result<Vec<Found>, LedgerError>;

    /// The part of the log that holds every event of this time; `None` if there is none.
    async fn seqs(
        &self,
        created_after: Option<Timestamp>,
        created_before: Option<Timestamp>,
    ) -> Result<Option<(i64, i64)>, LedgerError>;

    /// The events, in no order.
    async fn by_seq(&self, seqs: &[i64]) -> Result<Vec<Event>, LedgerError>;

    /// The operations that are in a status.
    async fn in_status(&self, status: Status) -> Result<Vec<OperationId>, LedgerError>;

    /// Operations whose event of this kind stands at the edge or later, and which had begun before it.
    async fn across(
        &self,
        search: Search<'_>,
        kind: EventKind,
        edge: Edge,
    ) -> Result<Vec<OperationId>, LedgerError>;
}

/// One page of events.
pub(super) async fn events(
    store: &impl EventStore,
    vpcs: &VpcScope,
    filter: &EventFilter,
    order: Order,
    after: Option<i64>,
    limit: u32,
) -> Result<Vec<Event>, LedgerError> {
    let Some(reach) = reach(vpcs, filter.vpc_id.as_deref()) else { return Ok(Vec::new()) };
    let seqs = match (filter.created_after, filter.created_before) {
        (None, None) => Some((0, i64::MAX)),
        (from, before) => store.seqs(from, before).await?,
    };
    let Some(seqs) = seqs else { return Ok(Vec::new()) };
    let search = Search { reach, filter, within: None, order, after, seqs, limit };
    let seqs = match filter.status {
        None => seqs_of(store.search(search, None).await?),
        Some(status) => in_status(store, search, status).await?,
    };
    if seqs.is_empty() {
        return Ok(Vec::new());
    }
    let mut events = store.by_seq(&seqs).await?;
    events.sort_unstable_by_key(|event| event.row.seq);
    if order == Order::NewestFirst {
        events.reverse();
    }
    Ok(events)
}

fn seqs_of(found: Vec<Found>) -> Vec<i64> {
    found.into_iter().filter(|found| found.fits).map(|found| found.seq).collect()
}

/// Events of operations that are in a status now.
async fn in_status(
    store: &impl EventStore,
    search: Search<'_>,
    status: Status,
) -> Result<Vec<i64>, LedgerError> {
    if let Some(kind) = search.filter.event {
        match kind.status_after() {
            None => return Ok(Vec::new()),
            // These kinds are in an operation that has ended so, and in no other.
            Some(ended) if ended.is_final() && ended == status => {
                return Ok(seqs_of(store.search(search, None).await?));
            }
            Some(ended) if ended.is_final() => return Ok(Vec::new()),
            Some(_) => {}
        }
    }
    let Some(last) = last_step(status) else {
        // Few operations are under way.
        let within = store.in_status(status).await?;
        return Ok(seqs_of(store.search(Search { within: Some(&within), ..search }, None).await?));
    };
    let mut seqs = Vec::new();
    // Where each VPC is looked through by itself, each gives as much as the window holds.
    let first = if search.goes_by_vpc() { search.limit * 4 } else { FIRST_WINDOW };
    let (mut after, mut window) = (search.after, first);
    loop {
        let found = store.search(Search { after, limit: window, ..search }, Some(status)).await?;
        let (looked_at, newest) = (found.len(), found.last().map(|found| found.seq));
        seqs.extend(seqs_of(found));
        let limit = search.limit as usize;
        if seqs.len() >= limit || looked_at < window as usize {
            seqs.truncate(limit);
            return Ok(seqs);
        }
        if search.order == Order::NewestFirst && search.filter.event.is_none() {
            return by_last_step(store, search, last).await;
        }
        after = newest;
        window = (window * 4).min(LARGEST_WINDOW);
    }
}

/// The kind of event that an operation in this status has, and that no step but a verification follows.
const fn last_step(status: Status) -> Option<EventKind> {
    match status {
        Status::Pending | Status::Running | Status::Unknown => None,
        Status::Succeeded => Some(EventKind::Succeeded),
        Status::Failed => Some(EventKind::Failed),
        Status::TimedOut => Some(EventKind::TimedOut),
        Status::Rejected => Some(EventKind::Rejected),
    }
}

/// A page where matches are rare. The newest events of the operations that ended so are events of those that ended
/// last: as many operations as the page has events are enough, and those that were under way where the page begins.
async fn by_last_step(
    store: &impl EventStore,
    search: Search<'_>,
    last: EventKind,
) -> Result<Vec<i64>, LedgerError> {
    let filter = EventFilter { event: Some(last), ..search.filter.clone() };
    let ends = seqs_of(store.search(Search { filter: &filter, ..search }, None).await?);
    let ends = if ends.is_empty() { Vec::new() } else { store.by_seq(&ends).await? };
    let mut within: Vec<OperationId> = ends.iter().filter_map(|event| event.row.operation_id).collect();
    let edges = [search.after.map(Edge::Seq), search.filter.created_before.map(Edge::Time)];
    for edge in edges.into_iter().flatten() {
        within.extend(store.across(search, last, edge).await?);
    }
    Ok(seqs_of(store.search(Search { within: Some(&within), ..search }, None).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_lie_on_the_side_of_a_bound_on_which_their_times_lie() {
        let at = |micros: i64| Timestamp::from_micros(1_700_000_000_000_000 + micros);
        for micros in [0, 1, 999, 1000, 1001, 5000] {
            let bound = at(micros);
            for made in [0, 500, 999, 1000, 1500, 2000, 4999, 5000, 6000].map(at) {
                let millis = u64::try_from(made.as_micros() / 1000).expect("after 1970");
                let id = uuid::Builder::from_unix_timestamp_millis(millis, &[7; 10]).into_uuid();
                let (from, before) = (id_from(bound), id_before(bound));
                assert!(made < bound || id >= from.id, "{made} from {bound}");
                assert!(made >= bound || id < before.id, "{made} before {bound}");
                assert!(!from.is_exact || (id >= from.id) == (made >= bound));
                assert!(!before.is_exact || (id < before.id) == (made < bound));
            }
        }
        assert_eq!(id_from(Timestamp::from_micros(-5)).id, Uuid::nil());
    }
}
