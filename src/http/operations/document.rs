//! `/operations` in the OpenAPI document.
#![allow(dead_code, reason = "the functions carry the descriptions, and are never called")]

use serde_json::{Value, json};

use super::view::OperationView;
use crate::domain::event::EventKind;
use crate::domain::operation::Status;
use crate::http::openapi::answers::{CALLER, problems};
use crate::http::openapi::examples::{ENDED, ID, LATER_ID, OPENED, PEER_CONFIG, before, changes};
use crate::http::page::Page;

/// A page of operations.
type OperationPage = Page<OperationView<'static>>;

problems!(ListProblems: CALLER, InvalidQuery, InvalidCursor);
problems!(OneProblems: CALLER, InvalidQuery, NotFound, MaybeArchived);
problems!(StreamProblems: CALLER, InvalidQuery, InvalidHeader, NotFound, MaybeArchived);

/// List operations
///
/// Newest first; only operations of VPCs that you may read.
#[utoipa::path(get, path = "/operations", tag = "operations", operation_id = "list_operations",
    security(("bearer" = ["tunnels:read"])),
    params(
        ("vpc_id" = Option<String>, Query, description = "Only this VPC"),
        ("tunnel_id" = Option<String>, Query, description = "Only this tunnel"),
        ("status" = Option<Status>, Query, description = "Only with this status"),
        ("requested_by" = Option<String>, Query, description = "Only those requested by this caller"),
        ("account" = Option<String>, Query, description = "Only this account of the cloud"),
        ("created_after" = Option<String>, Query, description = "Only created at or after this time (RFC 3339)", format = DateTime),
        ("created_before" = Option<String>, Query, description = "Only created before this time (RFC 3339)", format = DateTime),
        ("request_id" = Option<String>, Query, description = "Only the one whose request had this `X-Request-Id`; only with `tunnel_id`. A caller that lost the answer to its request finds the operation by it"),
        ("limit" = Option<u32>, Query, description = "Items per page"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the previous page")
    ),
    responses(
        (status = 200, description = "A page", body = OperationPage, example = json!(operations())),
        ListProblems
    ))]
pub fn list_operations() {}

/// Get an operation
#[utoipa::path(get, path = "/operations/{id}", tag = "operations", operation_id = "get_operation",
    security(("bearer" = ["tunnels:read"])),
    params(
        ("id" = uuid::Uuid, Path, description = "The operation's id"),
        ("Prefer" = Option<String>, Header, description = "`wait=N`: wait up to N seconds (maximum 55) for the operation to end. A gateway that shuts down answers earlier.")
    ),
    responses(
        (status = 200, description = "The operation in its current state", body = OperationView<'static>, example = json!(operation(Status::Succeeded))),
        OneProblems
    ))]
pub fn get_operation() {}

/// Stream an operation
///
/// Server-sent events: the past steps of the operation first, then each new step as it happens. A message's `id` is the
/// step's position in the audit log, its `event` the kind of event (`requested`, `submitted`, …), its `data` an
/// `OperationStep`. When the operation has ended, a last message with the event `end` contains the `Operation`, and the
/// stream closes.
///
/// A client that lost the connection resumes with `Last-Event-ID`; an id that is not a message of this operation starts from
/// the first step. A stream also closes after five minutes, when the token expires or is revoked (within 20 seconds), and
/// when the gateway shuts down: only the message `end` means that the operation has ended. Comments (lines that start with
/// `:`) keep the connection alive; ignore them.
#[utoipa::path(get, path = "/operations/{id}/stream", tag = "operations", operation_id = "stream_operation",
    security(("bearer" = ["tunnels:read"])),
    params(
        ("id" = uuid::Uuid, Path, description = "The operation's id"),
        ("Last-Event-ID" = Option<String>, Header, description = "The `id` of the last message that you received: the stream sends only later ones"),
        ("last_event_id" = Option<String>, Query, description = "The same, for clients that can't set the header; the header takes precedence")
    ),
    responses(
        (status = 200, description = "The messages", body = String, content_type = "text/event-stream", example = json!(messages())),
        (status = 204, description = "The operation has ended and you have received its end: do not reconnect"),
        StreamProblems
    ))]
pub fn stream_operation() {}

pub fn operation(status: Status) -> Value {
    let ended = status.is_final();
    json!({
        "id": ID, "status": status,
        "tunnel": {"vpc_id": "vpc-03vihbk9", "gateway_id": "vpngw-kfldykuz", "tunnel_id": "vpnx-ol6bcqp0"},
        "task_id": "12614", "account": "default", "region": "ap-guangzhou", "api": "2.0", "before": before(),
        "rollback_of": null, "reason": "CHG-4711 move office 2", "changes": changes(), "requested_by": "netops-ci",
        "created_at": OPENED, "updated_at": if ended { ENDED } else { OPENED },
        "finished_at": ended.then_some(ENDED), "error": null,
        "verification": ended.then(|| json!({"result": "confirmed"})), "peer_config": PEER_CONFIG
    })
}

/// The operation that rolls [`operation`] back.
pub fn rolled_back(status: Status) -> Value {
    let mut rollback = operation(status);
    rollback["id"] = json!(LATER_ID);
    rollback["rollback_of"] = json!(ID);
    rollback["reason"] = json!("CHG-4712 office 2 moves back");
    (rollback["changes"], rollback["before"]) = (before(), changes());
    rollback
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
