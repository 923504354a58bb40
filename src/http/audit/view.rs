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
    id: uuid::Uuid,
    #[schema(value_type = String, format = DateTime)]
    occurred_at: Timestamp,
    event: EventKind,
    operation_id: Option<uuid::Uuid>,
    /// The caller that requested it: the API key's name.
    #[schema(example = "netops-ci")]
    actor: String,
    actor_kind: ActorKind,
    /// Only in events that were written during the request.
    source_ip: Option<String>,
    user_agent: Option<String>,
    request_id: Option<String>,
    trace_id: Option<String>,
    vpc_id: String,
    gateway_id: String,
    tunnel_id: String,
    /// The requested changes; secrets as keyed fingerprints.
    #[schema(value_type = Option<Object>)]
    changes: Option<Value>,
    /// The cloud's answer.
    #[schema(value_type = Option<Object>)]
    upstream: Option<Value>,
    /// The hash of the previous event, in hex.
    prev_hash: String,
    /// SHA-256 over `prev_hash` and this event, in hex.
    hash: String,
}
