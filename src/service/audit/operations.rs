//! Comparing operations with their events, in one pass over each table.
//!
//! The columns of an operation come from its `requested` event and from its newest event. Both passes hash these columns
//! with a random key and add the hashes up: two equal sums mean that the tables agree, except with a probability of 2^-64.
//! Memory grows with the operations that are unfinished at the same time, not with the log. If the sums differ,
//! [`super::search`] finds the row.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use crate::domain::canonical::NotCanonical;
use crate::domain::event::EventKind;
use crate::domain::operation::{OperationId, Status};
use crate::domain::stored::{CanonicalEvent, CanonicalOperation, StoredEvent, StoredOperation};
use crate::domain::timestamp::Timestamp;
use crate::service::ledger::OperationBlock;

use super::verdict::Break;

/// The columns that an operation has from its `requested` event. JSON is canonical.
#[derive(Hash, PartialEq, Eq)]
pub(super) struct Request<'a> {
    pub(super) vpc_id: Option<&'a str>,
    pub(super) gateway_id: Option<&'a str>,
    pub(super) tunnel_id: Option<&'a str>,
    pub(super) account: Option<&'a str>,
    pub(super) region: Option<&'a str>,
    pub(super) api: Option<&'a str>,
    pub(super) changes: &'a [u8],
    pub(super) before: &'a [u8],
    pub(super) reason: Option<&'a str>,
    pub(super) rollback_of: Option<OperationId>,
    pub(super) requested_by: &'a str,
    pub(super) actor_id: Option<&'a str>,
    pub(super) actor_kind: &'a str,
    pub(super) request_id: Option<&'a str>,
    pub(super) trace_id: Option<&'a str>,
    pub(super) created_at: Timestamp,
}

/// The columns that an operation has from its newest event. JSON is canonical.
#[derive(Hash, PartialEq, Eq)]
pub(super) struct Latest<'a> {
    /// `status`, `task_id`, `error` and `verification`.
    pub(super) outcome: &'a [u8],
    pub(super) updated_at: Timestamp,
    pub(super) finished_at: Option<Timestamp>,
    pub(super) last_seq: i64,
}

/// The status after an event; `None` if the event is not a step of an operation.
#[must_use]
pub fn status_after(event: &StoredEvent<'_>) -> Option<Status> {
    EventKind::from_word(event.event)?.status_after()
}

impl<'a> Request<'a> {
    pub(super) fn of_event(event: &StoredEvent<'a>, canonical: &'a CanonicalEvent) -> Self {
        Self {
            vpc_id: event.vpc_id,
            gateway_id: event.gateway_id,
            tunnel_id: event.tunnel_id,
            account: event.account,
            region: event.region,
            api: event.api,
            changes: canonical.changes(),
            before: canonical.before(),
            reason: event.reason,
            rollback_of: event.rollback_of,
            requested_by: event.actor,
            actor_id: event.actor_id,
            actor_kind: event.actor_kind,
            request_id: event.request_id,
            trace_id: event.trace_id,
            created_at: event.occurred_at,
        }
    }

    pub(super) fn of_operation(operation: &StoredOperation<'a>, canonical: &'a CanonicalOperation) -> Self {
        Self {
            vpc_id: Some(operation.vpc_id),
            gateway_id: Some(operation.gateway_id),
            tunnel_id: Some(operation.tunnel_id),
            account: Some(operation.account),
            region: Some(operation.region),
            api: Some(operation.api),
            changes: canonical.changes(),
            before: canonical.before(),
            reason: operation.reason,
            rollback_of: operation.rollback_of,
            requested_by: operation.requested_by,
            actor_id: operation.actor_id,
            actor_kind: operation.actor_kind,
            request_id: operation.request_id,
            trace_id: operation.trace_id,
            created_at: operation.created_at,
        }
    }
}

impl<'a> Latest<'a> {
    pub(super) fn of_event(event: &StoredEvent<'a>, status: Status, canonical: &'a CanonicalEvent) -> Self {
        Self {
            outcome: canonical.outcome(),
            updated_at: event.occurred_at,
            finished_at: status.is_final().then_some(event.occurred_at),
            last_seq: event.seq,
        }
    }

    pub(super) fn of_operation(operation: &StoredOperation<'a>, canonical: &'a CanonicalOperation) -> Self {
        Self {
            outcome: canonical.outcome(),
            updated_at: operation.updated_at,
            finished_at: operation.finished_at,
            last_seq: operation.last_seq,
        }
    }
}

/// The sum over the operations that the events describe.
#[derive(Debug)]
pub(super) struct FromEvents {
    key: RandomState,
    /// Operations that are not final yet, with the hashes of their request and of their newest event.
    unfinished: HashMap<OperationId, (u64, u64)>,
    /// True if the events before the first are archived: operations may have begun there.
    is_cut: bool,
    /// Operations that began in the archived part.
    partly: HashSet<OperationId>,
    sum: u64,
}

/// In the place of the request's hash, for an operation whose `requested` event is archived.
const ARCHIVED: u64 = 0;

impl FromEvents {
    pub(super) fn new(key: RandomState, is_cut: bool) -> Self {
        Self { key, unfinished: HashMap::new(), is_cut, partly: HashSet::new(), sum: 0 }
    }

    /// The operations whose first events are archived.
    pub(super) fn take_partly(&mut self) -> HashSet<OperationId> {
        std::mem::take(&mut self.partly)
    }

    /// Follows an event.
    ///
    /// # Errors
    /// If an operation can't take this step.
    pub(super) fn step(&mut self, event: &StoredEvent<'_>, canonical: &CanonicalEvent) -> Result<(), Break> {
        let (Some(id), Some(status)) = (event.operation_id, status_after(event)) else { return Ok(()) };
        let latest = self.key.hash_one(Latest::of_event(event, status, canonical));
        if status == Status::Pending {
            let request = self.key.hash_one(Request::of_event(event, canonical));
            return match self.unfinished.insert(id, (request, latest)) {
                Some(_) => Err(Break::Step),
                None => Ok(()),
            };
        }
        if self.is_cut && !self.unfinished.contains_key(&id) {
            self.partly.insert(id);
            self.unfinished.insert(id, (ARCHIVED, latest));
        }
        if status.is_final() {
            let (request, _) = self.unfinished.remove(&id).ok_or(Break::Step)?;
            self.sum = self.sum.wrapping_add(self.key.hash_one((id, request, latest)));
        } else {
            self.unfinished.get_mut(&id).ok_or(Break::Step)?.1 = latest;
        }
        Ok(())
    }

    /// The sum, after the last event.
    pub(super) fn sum(self) -> u64 {
        let Self { key, unfinished, sum, .. } = self;
        unfinished
            .into_iter()
            .fold(sum, |sum, (id, (request, latest))| sum.wrapping_add(key.hash_one((id, request, latest))))
    }
}

/// The sum over the rows of `operations`.
#[derive(Debug)]
pub(super) struct FromRows {
    key: RandomState,
    canonical: CanonicalOperation,
    /// Operations of which only the newest event is compared.
    partly: HashSet<OperationId>,
    /// The last archived event. Rows whose last event is not newer are not added.
    archived_to: i64,
    leftover: u64,
    sum: u64,
}

impl FromRows {
    pub(super) fn new(key: RandomState) -> Self {
        Self {
            key,
            canonical: CanonicalOperation::default(),
            partly: HashSet::new(),
            archived_to: 0,
            leftover: 0,
            sum: 0,
        }
    }

    /// From here on the rows are those of the ledger, where the events up to `archived_to` are archived.
    pub(super) fn after(self, archived_to: i64, partly: HashSet<OperationId>) -> Self {
        Self { archived_to, partly, ..self }
    }

    /// Rows whose events are all archived.
    pub(super) const fn leftover(&self) -> u64 {
        self.leftover
    }

    /// Adds the rows of a block. The error is the id of an unreadable row.
    pub(super) fn add_all(mut self, block: &dyn OperationBlock) -> Result<Self, String> {
        for index in 0..block.count() {
            let operation = block.operation(index)?;
            self.add(&operation).map_err(|_| operation.id.to_string())?;
        }
        Ok(self)
    }

    fn add(&mut self, operation: &StoredOperation<'_>) -> Result<(), NotCanonical> {
        if operation.last_seq <= self.archived_to {
            self.leftover += 1;
            return Ok(());
        }
        self.canonical.write(operation)?;
        let request = match self.partly.contains(&operation.id) {
            true => ARCHIVED,
            false => self.key.hash_one(Request::of_operation(operation, &self.canonical)),
        };
        let latest = self.key.hash_one(Latest::of_operation(operation, &self.canonical));
        self.sum = self.sum.wrapping_add(self.key.hash_one((operation.id, request, latest)));
        Ok(())
    }

    pub(super) const fn sum(&self) -> u64 {
        self.sum
    }
}
