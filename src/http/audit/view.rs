//! An event, as the OpenAPI document describes it.

use serde_json::Value;
use utoipa::ToSchema;

use crate::domain::event::{ActorKind, EventKind};
use crate::domain::timestamp::Timestamp;

/// One line of the audit log: every column of `audit_events`.
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
    /// Who asked for it: the API key's name.
    #[schema(example = "netops-ci")]
    actor: String,
    actor_kind: ActorKind,
    /// Only in events that were written while the request lasted.
    source_ip: Option<String>,
    user_agent: Option<String>,
    request_id: Option<String>,
    trace_id: Option<String>,
    vpc_id: String,
    gateway_id: String,
    tunnel_id: String,
    /// What was asked for; a secret stands as its keyed fingerprint.
    #[schema(value_type = Option<Object>)]
    changes: Option<Value>,
    /// What the cloud said.
    #[schema(value_type = Option<Object>)]
    upstream: Option<Value>,
    /// The hash of the event before, in hex.
    prev_hash: String,
    /// SHA-256 over `prev_hash` and this event, in hex.
    hash: String,
}
