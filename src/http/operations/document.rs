//! `/operations` in the OpenAPI document.
#![allow(dead_code, reason = "the functions carry the descriptions, and are never called")]

use serde_json::{Value, json};

use super::view::OperationView;
use crate::domain::event::EventKind;
use crate::domain::operation::Status;
use crate::http::openapi::answers::{CALLER, problems};
use crate::http::openapi::examples::{ENDED, ID, OPENED, changes};
use crate::http::page::Page;

/// A page of operations.
type OperationPage = Page<OperationView<'static>>;

problems!(ListProblems: CALLER, InvalidQuery, InvalidCursor);
problems!(OneProblems: CALLER, InvalidQuery, NotFound);
problems!(StreamProblems: CALLER, InvalidQuery, InvalidHeader, NotFound);

/// List operations
///
/// Newest first; only those of VPCs that you may read.
#[utoipa::path(get, path = "/operations", tag = "operations", operation_id = "list_operations",
    security(("bearer" = ["tunnels:read"])),
    params(
        ("vpc_id" = Option<String>, Query, description = "Only of this VPC"),
        ("tunnel_id" = Option<String>, Query, description = "Only of this tunnel"),
        ("status" = Option<Status>, Query, description = "Only in this status"),
        ("requested_by" = Option<String>, Query, description = "Only asked for by this caller"),
        ("created_after" = Option<String>, Query, description = "Only opened at this moment or later (RFC 3339)", format = DateTime),
        ("created_before" = Option<String>, Query, description = "Only opened before this moment (RFC 3339)", format = DateTime),
        ("limit" = Option<u32>, Query, description = "Items a page"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before")
    ),
    responses(
        (status = 200, description = "A page", body = OperationPage, example = json!(operations())),
        ListProblems
    ))]
pub fn list_operations() {}

/// Look at an operation
#[utoipa::path(get, path = "/operations/{id}", tag = "operations", operation_id = "get_operation",
    security(("bearer" = ["tunnels:read"])),
    params(
        ("id" = uuid::Uuid, Path, description = "The operation's id"),
        ("Prefer" = Option<String>, Header, description = "`wait=N`: wait up to N seconds (60 at most) for the end. A gateway that shuts down answers earlier.")
    ),
    responses(
        (status = 200, description = "The operation as it is now", body = OperationView<'static>, example = json!(operation(Status::Succeeded))),
        OneProblems
    ))]
pub fn get_operation() {}

/// Follow an operation live
///
/// Server-sent events: each step of the operation, first those that were, then those that come, as they happen. A
/// message's `id` is the step's place in the audit log, its `event` one of the kinds of events (`requested`,
/// `submitted`, …), its `data` an `OperationStep`. When the operation has ended, a last message with the event `end`
/// holds the `Operation`, and the stream is closed.
///
/// A client that lost the connection goes on with `Last-Event-ID`; an id that is no message of this operation begins at the
/// beginning. A stream is also closed after five minutes, when the token expires or is revoked (noticed within 20 seconds),
/// and when the gateway shuts down: a message `end` is the only end of the operation. Comments (lines that begin with `:`)
/// keep the connection alive and mean nothing.
#[utoipa::path(get, path = "/operations/{id}/stream", tag = "operations", operation_id = "stream_operation",
    security(("bearer" = ["tunnels:read"])),
    params(
        ("id" = uuid::Uuid, Path, description = "The operation's id"),
        ("Last-Event-ID" = Option<String>, Header, description = "The `id` of the last message that you have: only later ones are told"),
        ("last_event_id" = Option<String>, Query, description = "The same, for clients that can't set the header; the header goes first")
    ),
    responses(
        (status = 200, description = "The messages", body = String, content_type = "text/event-stream", example = json!(messages())),
        (status = 204, description = "The operation has ended and you have seen its end: do not connect again"),
        StreamProblems
    ))]
pub fn stream_operation() {}

pub fn operation(status: Status) -> Value {
    let ended = status.is_final();
    json!({
        "id": ID, "status": status,
        "tunnel": {"vpc_id": "vpc-03vihbk9", "gateway_id": "vpngw-kfldykuz", "tunnel_id": "vpnx-ol6bcqp0"},
        "task_id": "12614", "changes": changes(), "requested_by": "netops-ci",
        "created_at": OPENED, "updated_at": if ended { ENDED } else { OPENED },
        "finished_at": ended.then_some(ENDED), "error": null,
        "verification": ended.then(|| json!({"result": "confirmed"}))
    })
}

pub fn operations() -> Value {
    json!({"items": [operation(Status::Succeeded)], "next_cursor": null})
}

/// Two messages of a stream.
pub fn messages() -> String {
    let step = json!({"seq": 2, "event": EventKind::Submitted, "at": OPENED, "status": Status::Running,
                      "task_id": "12614", "upstream": null, "verification": null});
    let end = operation(Status::Succeeded);
    format!("retry: 2000\n\nid: 2\nevent: submitted\ndata: {step}\n\nid: end\nevent: end\ndata: {end}\n\n")
}
