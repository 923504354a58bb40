//! `/audit-events` in the OpenAPI document.
#![allow(dead_code, reason = "the functions carry the descriptions, and are never called")]

use serde_json::{Value, json};

use super::chain::VerificationView;
use super::checkpoint::Checkpoint;
use super::counts::CountsView;
use super::view::EventSchema;
use crate::domain::bucket::Bucket;
use crate::domain::event::EventKind;
use crate::domain::operation::Status;
use crate::http::openapi::answers::{CALLER, problems};
use crate::http::openapi::examples::{ENDED, ID, OPENED, before, changes};
use crate::http::page::Page;
use crate::service::cells::Cells;
use crate::service::export::COLUMNS;

/// A page of events.
type AuditEventPage = Page<EventSchema>;

problems!(ListProblems: CALLER, InvalidQuery, InvalidCursor);
problems!(CountProblems: CALLER, InvalidQuery);
problems!(VerifyProblems: CALLER, InvalidQuery, Archived, VerificationInProgress);
problems!(CheckpointProblems: CALLER, InvalidQuery, NotFound);
problems!(StreamProblems: CALLER, InvalidQuery, InvalidHeader, Archived);
problems!(OneProblems: CALLER, InvalidQuery, NotFound, Archived);

/// Read the audit log
///
/// JSON returns one page, newest first. `Accept: application/x-ndjson` or `text/csv` streams all matching events, oldest
/// first; where old events are archived, the header `Log-Begins` of a stream has the `seq` of the first event that the gateway
/// has. In CSV a value that a spreadsheet would read as a formula begins with `'`, and invisible controls are written `\u202e`;
/// `raw=true` returns the values unchanged.
#[utoipa::path(get, path = "/audit-events", tag = "audit", operation_id = "list_audit_events",
    security(("bearer" = ["audit:read"])),
    params(
        ("operation_id" = Option<uuid::Uuid>, Query, description = "Only events of this operation"),
        ("event" = Option<EventKind>, Query, description = "Only events of this kind"),
        ("vpc_id" = Option<String>, Query, description = "Only this VPC"),
        ("tunnel_id" = Option<String>, Query, description = "Only this tunnel"),
        ("status" = Option<Status>, Query, description = "Only events of operations with this current status"),
        ("requested_by" = Option<String>, Query, description = "Only those requested by this caller"),
        ("account" = Option<String>, Query, description = "Only this account of the cloud"),
        ("created_after" = Option<String>, Query, description = "Only at or after this time (RFC 3339)", format = DateTime),
        ("created_before" = Option<String>, Query, description = "Only before this time (RFC 3339)", format = DateTime),
        ("raw" = Option<bool>, Query, description = "Values unchanged; CSV only"),
        ("bom" = Option<bool>, Query, description = "Begin with a byte order mark, by which Excel reads UTF-8; CSV only"),
        ("limit" = Option<u32>, Query, description = "Items per page; JSON only"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the previous page; JSON only")
    ),
    responses(
        (status = 200, description = "A page, or a stream of all matching events", content(
            (AuditEventPage = "application/json", example = json!(events())),
            (String = "application/x-ndjson", example = json!(ndjson())),
            (String = "text/csv", example = json!(csv())))),
        ListProblems
    ))]
pub fn list_audit_events() {}

/// Follow the audit log
///
/// Server-sent events: every event that you may read and the filters let through, as it is committed, in the order of `seq`
/// and without gaps. A message's `id` is the event's `seq`, its `event` the kind of event (`requested`, `submitted`, …), its
/// `data` an `AuditEvent`. Without `Last-Event-ID` and `after`, the stream begins with the next event.
///
/// A client that lost the connection resumes with `Last-Event-ID`. A stream also closes after five minutes, when the token
/// expires or is revoked (within 20 seconds), when the gateway shuts down, and when the log went back to an older state.
/// Comments (lines that start with `:`) keep the connection alive. A message without `data` contains your position in the
/// log: keep its `id` like any other.
///
/// Steps of operations arrive at once, events of API keys and refusals within 2 seconds. An event without a VPC is sent only
/// if your `audit:read` covers all VPCs.
#[utoipa::path(get, path = "/audit-events/stream", tag = "audit", operation_id = "stream_audit_events",
    security(("bearer" = ["audit:read"])),
    params(
        ("after" = Option<i64>, Query, description = "Start after the event with this `seq`; 0 is the beginning of the log", minimum = 0),
        ("Last-Event-ID" = Option<String>, Header, description = "The `id` of the last message that you received; takes precedence over `after`"),
        ("operation_id" = Option<uuid::Uuid>, Query, description = "Only events of this operation"),
        ("event" = Option<EventKind>, Query, description = "Only events of this kind"),
        ("vpc_id" = Option<String>, Query, description = "Only this VPC"),
        ("tunnel_id" = Option<String>, Query, description = "Only this tunnel"),
        ("status" = Option<Status>, Query, description = "Only events after which the operation has this status"),
        ("requested_by" = Option<String>, Query, description = "Only those requested by this caller"),
        ("account" = Option<String>, Query, description = "Only this account of the cloud"),
        ("created_after" = Option<String>, Query, description = "Only at or after this time (RFC 3339)", format = DateTime),
        ("created_before" = Option<String>, Query, description = "Only before this time (RFC 3339)", format = DateTime)
    ),
    responses(
        (status = 200, description = "The messages", body = String, content_type = "text/event-stream", example = json!(messages())),
        StreamProblems
    ))]
pub fn stream_audit_events() {}

/// Get an event
#[utoipa::path(get, path = "/audit-events/{seq}", tag = "audit", operation_id = "get_audit_event",
    security(("bearer" = ["audit:read"])),
    params(("seq" = i64, Path, description = "The event's position in the log", example = 1, minimum = 1)),
    responses(
        (status = 200, description = "The event", body = EventSchema, example = json!(event())),
        OneProblems
    ))]
pub fn get_audit_event() {}

/// Get a checkpoint
///
/// The newest event's position in the hash chain. Keep it where the database's owner can't write: `tunnelgate audit verify
/// --checkpoint FILE` then detects a truncated or rewritten log. Requires `audit:read` for all VPCs, because a checkpoint
/// shows the activity in all of them.
#[utoipa::path(get, path = "/audit-events/checkpoint", tag = "audit", operation_id = "get_checkpoint",
    security(("bearer" = ["audit:read"])),
    responses(
        (status = 200, description = "The checkpoint", body = Checkpoint, example = json!(checkpoint())),
        CheckpointProblems
    ))]
pub fn get_checkpoint() {}

/// Count events by time
///
/// For charts: the number of events of each kind in each time bucket, for the VPCs that you may read. Buckets start at
/// multiples of their length in UTC; buckets without events are omitted. A call covers up to 1000 buckets.
#[utoipa::path(get, path = "/audit-events/counts", tag = "audit", operation_id = "count_audit_events",
    security(("bearer" = ["audit:read"])),
    params(
        ("bucket" = Option<Bucket>, Query, description = "Length of a bucket; default `1h`"),
        ("created_after" = Option<String>, Query, description = "Only at or after this time (RFC 3339); default: 24 buckets before the end", format = DateTime),
        ("created_before" = Option<String>, Query, description = "Only before this time (RFC 3339); default: now", format = DateTime),
        ("operation_id" = Option<uuid::Uuid>, Query, description = "Only events of this operation"),
        ("event" = Option<EventKind>, Query, description = "Only events of this kind"),
        ("vpc_id" = Option<String>, Query, description = "Only this VPC"),
        ("tunnel_id" = Option<String>, Query, description = "Only this tunnel"),
        ("status" = Option<Status>, Query, description = "Only events of operations with this current status"),
        ("requested_by" = Option<String>, Query, description = "Only those requested by this caller"),
        ("account" = Option<String>, Query, description = "Only this account of the cloud")
    ),
    responses(
        (status = 200, description = "The counts", body = CountsView, example = json!(counts())),
        CountProblems
    ))]
pub fn count_audit_events() {}

/// Verify the hash chain
///
/// Recomputes a segment of the chain, from the first event (that is not archived) or after the event in `after_seq` and `after_hash`, for up to 5
/// seconds or `max_events` events. While `complete` is `false`, continue with `last.seq` and `last.hash`: short calls
/// verify a log of any length. Start at a kept checkpoint to detect a log that was truncated before the checkpoint or
/// rewritten: it is `broken` too. Requires `audit:read` for all VPCs, because the chain contains all of them. A process
/// runs one verification at a time.
///
/// Verifies the events only. `tunnelgate audit verify` also compares the operations and the other tables with the events.
#[utoipa::path(get, path = "/audit-events/verification", tag = "audit", operation_id = "verify_audit_events",
    security(("bearer" = ["audit:read"])),
    params(
        ("after_seq" = Option<i64>, Query, description = "Start after this event; with `after_hash`", minimum = 1),
        ("after_hash" = Option<String>, Query, description = "The expected hash of that event, in hex", pattern = "^[0-9A-Fa-f]{64}$"),
        ("max_events" = Option<u32>, Query, description = "Maximum number of events to verify")
    ),
    responses(
        (status = 200, description = "The result: `whole` so far, or `broken`", body = VerificationView, examples(
            ("whole" = (value = json!(whole()))), ("broken" = (value = json!(broken()))))),
        VerifyProblems
    ))]
pub fn verify_audit_events() {}

const HASH: &str = "0b03f1d0a3c55b5be2a9c6f1d3c1b6f0c7c2f9d6c1f5a4d6b2e0a7f9c3d5c09c";

/// The beginning of a stream.
fn messages() -> String {
    format!("retry: 2000\n\nid: 1\nevent: requested\ndata: {}\n\n", event())
}

fn event() -> Value {
    json!({
        "seq": 1, "format": 1, "id": "0199b3a1-7c1e-7d30-8f00-0123456789ab", "occurred_at": OPENED, "event": EventKind::Requested,
        "operation_id": ID, "actor": "netops-ci", "actor_id": "0199b39f-52d0-7a11-8f00-0123456789ab", "actor_kind": "api_key", "source_ip": "198.51.100.7",
        "user_agent": "curl/8.5.0", "request_id": "deploy-42", "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "vpc_id": "vpc-03vihbk9", "gateway_id": "vpngw-kfldykuz", "tunnel_id": "vpnx-ol6bcqp0",
        "account": "default", "region": "ap-guangzhou", "api": "2.0", "changes": changes(),
        "before": before(), "sent": null,
        "outcome": {"status": "pending", "task_id": null, "error": null, "verification": null},
        "reason": "CHG-4711 move office 2", "rollback_of": null, "upstream": null, "prev_hash": "0".repeat(64), "hash": HASH
    })
}

/// An event as a line of NDJSON.
fn ndjson() -> String {
    format!("{}\n", event())
}

/// The same as CSV, with its header.
fn csv() -> String {
    let event = event();
    let fields = COLUMNS.iter().map(|column| match &event[*column] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    });
    let lines =
        [Cells::default().record(COLUMNS), Cells::default().record(&fields.collect::<Vec<_>>())].concat();
    String::from_utf8(lines).unwrap_or_default()
}

fn events() -> Value {
    json!({"items": [event()], "next_cursor": "MTo0Mg"})
}

fn checkpoint() -> Value {
    json!({"seq": 4, "hash": HASH, "at": ENDED})
}

fn counts() -> Value {
    json!({
        "bucket": "1h", "created_after": "2026-01-30T08:20:00.000000Z", "created_before": "2026-01-31T08:20:00.000000Z",
        "items": [{"from": OPENED, "event": EventKind::Failed, "count": 1},
                  {"from": OPENED, "event": EventKind::Requested, "count": 3}]
    })
}

fn whole() -> Value {
    json!({"result": "whole", "events": 4, "last": checkpoint(), "complete": true})
}

fn broken() -> Value {
    json!({"result": "broken", "seq": 3, "why": "its hash does not fit its columns: the row was changed"})
}
