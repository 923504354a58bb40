//! The columns of an operation, as its events and as its row say.

use crate::domain::event::EventKind;
use crate::domain::operation::{OperationId, Status};
use crate::domain::stored::{CanonicalEvent, CanonicalOperation, StoredEvent, StoredOperation};
use crate::domain::timestamp::Timestamp;

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
