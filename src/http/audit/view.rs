//! An event, as the OpenAPI document describes it.

use serde_json::Value;
use utoipa::ToSchema;

use crate::domain::event::{ActorKind, EventKind};
use crate::domain::timestamp::Timestamp;

/// One event of the audit log: every column of `audit_events`.
#[derive(ToSchema)]
#[schema(as = AuditEvent)]
#[allow(dead_code, reason = "describes EventView to the OpenAPI document")]
pub struct EventSchema {
    /// Gap-free, in commit order.
    #[schema(example = 1)]
    seq: i64,
    /// The set of columns that `hash` covers.
    #[schema(example = 1)]
    format: i32,
    id: uuid::Uuid,
    #[schema(value_type = String, format = DateTime)]
    occurred_at: Timestamp,
    event: EventKind,
    operation_id: Option<uuid::Uuid>,
    /// The caller that requested it: the API key's name.
    #[schema(example = "netops-ci")]
    actor: String,
    /// Distinguishes actors of the same name: the API key's id.
    actor_id: Option<String>,
    actor_kind: ActorKind,
    /// Only in events that were written during the request.
    source_ip: Option<String>,
    user_agent: Option<String>,
    request_id: Option<String>,
    trace_id: Option<String>,
    /// `null`, like the other ids, in an event without a tunnel.
    #[schema(example = "vpc-03vihbk9")]
    vpc_id: Option<String>,
    gateway_id: Option<String>,
    tunnel_id: Option<String>,
    /// The cloud account of the tunnel.
    #[schema(example = "default")]
    account: Option<String>,
    #[schema(example = "ap-guangzhou")]
    region: Option<String>,
    /// The version of the cloud's API.
    #[schema(example = "2.0")]
    api: Option<String>,
    /// The requested changes; secrets as keyed fingerprints.
    #[schema(value_type = Option<Object>)]
    changes: Option<Value>,
    /// The tunnel's values before the change, with the fields of `changes`; `null` if the tunnel was not read.
    #[schema(value_type = Option<Object>)]
    before: Option<Value>,
    /// The parameters of the call that was sent, by the cloud's names and without the common ones; secrets as keyed
    /// fingerprints.
    #[schema(value_type = Option<Object>)]
    sent: Option<Value>,
    /// The operation's `status`, `task_id`, `error` and `verification` after this step.
    #[schema(value_type = Option<Object>)]
    outcome: Option<Value>,
    /// The caller's reason for the change.
    reason: Option<String>,
    /// The operation that the event's operation rolls back.
    rollback_of: Option<uuid::Uuid>,
    /// The cloud's answer.
    #[schema(value_type = Option<Object>)]
    upstream: Option<Value>,
    /// The hash of the previous event, in hex.
    prev_hash: String,
    /// SHA-256 over `prev_hash` and this event, in hex.
    hash: String,
}
