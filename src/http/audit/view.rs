//! Events as JSON, NDJSON and CSV: in the API and in the export the same bytes.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::domain::event::{Event, EventRow};
use crate::domain::fingerprint::hex;
use crate::domain::timestamp::Timestamp;

/// The columns, in the order of the table.
pub const COLUMNS: &[&str] = &[
    "seq",
    "id",
    "occurred_at",
    "event",
    "operation_id",
    "actor",
    "actor_kind",
    "source_ip",
    "user_agent",
    "request_id",
    "trace_id",
    "vpc_id",
    "gateway_id",
    "tunnel_id",
    "changes",
    "upstream",
    "prev_hash",
    "hash",
];

/// One line of the audit log: every column of `audit_events`.
#[derive(Serialize)]
pub struct EventView<'a> {
    #[serde(flatten)]
    row: &'a EventRow,
    prev_hash: String,
    hash: String,
}

impl<'a> From<&'a Event> for EventView<'a> {
    fn from(event: &'a Event) -> Self {
        Self { row: &event.row, prev_hash: hex(&event.prev_hash), hash: hex(&event.hash) }
    }
}

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
    event: crate::domain::event::EventKind,
    operation_id: Option<uuid::Uuid>,
    /// Who asked for it: the API key's name.
    #[schema(example = "netops-ci")]
    actor: String,
    actor_kind: crate::domain::event::ActorKind,
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

/// An event as one line of NDJSON, with its line end.
#[must_use]
pub fn ndjson(event: &Event) -> Vec<u8> {
    // Texts, numbers and JSON values always have a JSON form.
    let mut line = serde_json::to_vec(&EventView::from(event)).unwrap_or_default();
    line.push(b'\n');
    line
}

/// The header line of the CSV.
#[must_use]
pub fn csv_header() -> Vec<u8> {
    csv_line(COLUMNS)
}

/// An event as one record of CSV; an absent value is an empty field, JSON stands as text.
#[must_use]
pub fn csv(event: &Event) -> Vec<u8> {
    let row = &event.row;
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let json = |value: &Option<Value>| value.as_ref().map(ToString::to_string).unwrap_or_default();
    csv_line(&[
        row.seq.to_string(),
        row.id.to_string(),
        row.occurred_at.to_string(),
        row.event.clone(),
        row.operation_id.map(|id| id.to_string()).unwrap_or_default(),
        row.actor.clone(),
        row.actor_kind.clone(),
        row.source_ip.map(|ip| ip.to_string()).unwrap_or_default(),
        text(&row.user_agent),
        text(&row.request_id),
        text(&row.trace_id),
        row.vpc_id.clone(),
        row.gateway_id.clone(),
        row.tunnel_id.clone(),
        json(&row.changes),
        json(&row.upstream),
        hex(&event.prev_hash),
        hex(&event.hash),
    ])
}

/// A record of CSV.
pub fn csv_line<T: AsRef<[u8]>>(fields: &[T]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Writing to memory does not fail.
    let _ = writer.write_record(fields);
    writer.into_inner().unwrap_or_default()
}
