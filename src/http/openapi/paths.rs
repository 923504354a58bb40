//! The calls, as the document describes them. The functions are never called: they carry the descriptions.
#![allow(dead_code, reason = "documentation only")]

use serde_json::{Value, json};
use utoipa::IntoResponses;

use super::super::audit::Checkpoint;
use super::super::event_view::EventSchema;
use super::super::operations::OperationView;
use super::super::problem::Problem;
use super::schemas::{AuditEventPage, OperationPage, TunnelPatch, patch_example};

fn problem(status: u16, code: &str, title: &str, detail: &str) -> Value {
    json!({"type": format!("/problems/{}", code.replace('_', "-")), "title": title, "status": status,
           "detail": detail, "code": code, "request_id": "0199b3a1-7c1e-7d2f-9c1a-0123456789ab"})
}

fn operation(status: &str) -> Value {
    let ended = status == "succeeded";
    json!({
        "id": "0199b3a1-7c1e-7d2f-9c1a-0123456789ab", "status": status,
        "tunnel": {"vpc_id": "vpc-03vihbk9", "gateway_id": "vpngw-kfldykuz", "tunnel_id": "vpnx-ol6bcqp0"},
        "task_id": "12614",
        "changes": {"peer_cidrs": ["10.100.2.0/24"],
                    "pre_shared_key": {"hmac_sha256": "6f2c…"}},
        "requested_by": "netops-ci", "created_at": "2026-01-31T08:00:00.000000Z",
        "updated_at": "2026-01-31T08:00:04.000000Z",
        "finished_at": if ended { json!("2026-01-31T08:00:04.000000Z") } else { Value::Null },
        "error": null,
        "verification": if ended { json!({"result": "confirmed"}) } else { Value::Null }
    })
}

fn in_progress() -> Value {
    let detail = "one change at a time on one tunnel: wait until the operation named here has ended";
    let mut example =
        problem(409, "operation_in_progress", "another change of this tunnel is under way", detail);
    example["operation_id"] = json!("0199b3a1-7c1e-7d2f-9c1a-0123456789ab");
    example
}

fn invalid_patch() -> Value {
    let detail = "the patch can't be carried out as it is: see errors";
    let mut example = problem(422, "invalid_patch", "the patch is invalid", detail);
    example["errors"] = json!([{"pointer": "/ike/sa_lifetime_seconds", "code": "out_of_range",
        "detail": "must be a whole number of seconds from 60 to 604800"}]);
    example
}

/// What every call with a token can answer.
#[derive(IntoResponses)]
enum Authorized {
    /// The query or a header can't be understood.
    #[response(status = 400, content_type = "application/problem+json",
        example = json!(problem(400, "invalid_query", "the request is malformed", "the query can't be understood: see errors")))]
    BadRequest(#[to_schema] Problem),
    /// No token, or an invalid one. `WWW-Authenticate` says which.
    #[response(status = 401, content_type = "application/problem+json",
        example = json!(problem(401, "unauthorized", "who are you?", "give a token: Authorization: Bearer tg_…")))]
    Unauthorized(#[to_schema] Problem),
    /// The token lacks a scope.
    #[response(status = 403, content_type = "application/problem+json",
        example = json!(problem(403, "forbidden", "you may not do this", "the scope tunnels:write for VPC vpc-03vihbk9 is missing")))]
    Forbidden(#[to_schema] Problem),
    /// The ledger can't be reached; nothing was sent to the cloud.
    #[response(status = 503, content_type = "application/problem+json",
        example = json!(problem(503, "ledger_unavailable", "the ledger is unavailable", "the gateway's ledger can't be reached; nothing was sent to the cloud")))]
    Unavailable(#[to_schema] Problem),
}

/// Change a tunnel
///
/// Sends the change to the cloud once, and follows it to its end in the background. The answer is the operation; look
/// at it again, or wait for its end with `Prefer: wait=N`. Exactly one of `peer_cidrs` and `security_policies` has to be
/// given: the cloud wants one of them in every change.
#[utoipa::path(patch, path = "/vpcs/{vpc_id}/gateways/{gateway_id}/tunnels/{tunnel_id}", tag = "tunnels",
    operation_id = "patch_tunnel",
    security(("bearer" = ["tunnels:write"])),
    params(
        ("vpc_id" = String, Path, description = "The VPC", example = "vpc-03vihbk9", pattern = "^[A-Za-z0-9_-]{1,64}$"),
        ("gateway_id" = String, Path, description = "The VPN gateway in it", example = "vpngw-kfldykuz", pattern = "^[A-Za-z0-9_-]{1,64}$"),
        ("tunnel_id" = String, Path, description = "The VPN tunnel on it", example = "vpnx-ol6bcqp0", pattern = "^[A-Za-z0-9_-]{1,64}$"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same key with the same request gives the first operation again (`Idempotent-Replayed: true`), for 24 hours; with another request 422. 1 to 255 visible ASCII characters, bare or quoted.", max_length = 255),
        ("Prefer" = Option<String>, Header, description = "`wait=N`: wait up to N seconds (60 at most) for the end."),
        ("x-request-id" = Option<String>, Header, description = "Your own id for this request: 1 to 128 of A-Z a-z 0-9 . _ : / + = -"),
        ("traceparent" = Option<String>, Header, description = "W3C trace context; the trace id is kept in the audit log.")
    ),
    request_body(content(
        (TunnelPatch = "application/merge-patch+json", example = json!(patch_example())),
        (TunnelPatch = "application/json", example = json!(patch_example()))
    ), description = "What to change"),
    responses(
        (status = 200, description = "The operation has ended (with `Prefer: wait`, or repeated with the same Idempotency-Key)", body = OperationView<'static>,
            headers(("Location" = String, description = "The operation"), ("Preference-Applied" = String, description = "The wait that was granted")),
            example = json!(operation("succeeded"))),
        (status = 202, description = "The change is under way, durably recorded. `unknown` means that no answer came: it may have happened, and is never sent again", body = OperationView<'static>,
            headers(("Location" = String, description = "The operation"), ("Retry-After" = i32, description = "When to look again, in seconds")),
            example = json!(operation("running"))),
        (status = 404, description = "The cloud knows no such VPC, gateway or tunnel, or they do not belong together", body = Problem, content_type = "application/problem+json", example = json!(problem(404, "tunnel_not_found", "no such tunnel", "the cloud knows no such VPC, gateway or tunnel, or they do not belong together"))),
        (status = 409, description = "Another change of this tunnel is under way, or its state allows none now", body = Problem, content_type = "application/problem+json", example = json!(in_progress())),
        (status = 413, description = "The body has more than 64 KiB", body = Problem, content_type = "application/problem+json", example = json!(problem(413, "body_too_large", "the body is too large", "a body has 65536 bytes at the most"))),
        (status = 415, description = "Not one of the media types in `Accept-Patch`", body = Problem, content_type = "application/problem+json", example = json!(problem(415, "unsupported_media_type", "unknown media type", "send one of application/merge-patch+json, application/json, in UTF-8"))),
        (status = 422, description = "The patch is invalid (every fault at once, in `errors`), or the cloud refuses a value (its words in `upstream`)", body = Problem, content_type = "application/problem+json", example = json!(invalid_patch())),
        (status = 429, description = "The cloud's rate limit or the gateway's own call budget; nothing was changed. See `Retry-After`", body = Problem, content_type = "application/problem+json", example = json!(problem(429, "call_budget", "the gateway's call budget is used up", "the gateway's budget of calls to the cloud is used up; nothing was sent"))),
        (status = 502, description = "The cloud refuses the gateway or the change; nothing was changed", body = Problem, content_type = "application/problem+json", example = json!(problem(502, "upstream_credentials", "the cloud refuses the gateway", "the cloud refused the gateway's own credentials or rights; its operators have to mend that"))),
        Authorized
    ))]
pub(super) fn patch_tunnel() {}

/// List operations
///
/// Newest first; only those of VPCs that you may read.
#[utoipa::path(get, path = "/operations", tag = "operations", operation_id = "list_operations",
    security(("bearer" = ["tunnels:read"])),
    params(
        ("vpc_id" = Option<String>, Query, description = "Only of this VPC"),
        ("tunnel_id" = Option<String>, Query, description = "Only of this tunnel"),
        ("status" = Option<crate::domain::operation::Status>, Query, description = "Only in this status"),
        ("requested_by" = Option<String>, Query, description = "Only asked for by this caller"),
        ("created_after" = Option<String>, Query, description = "Only opened at this moment or later (RFC 3339)", format = DateTime),
        ("created_before" = Option<String>, Query, description = "Only opened before this moment (RFC 3339)", format = DateTime),
        ("limit" = Option<u32>, Query, description = "Items a page", minimum = 1, maximum = 200),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before")
    ),
    responses(
        (status = 200, description = "A page; `Link: rel=\"next\"` where there is another", body = OperationPage,
         example = json!({"items": [operation("succeeded")], "next_cursor": null})),
        Authorized
    ))]
pub(super) fn list_operations() {}

/// Look at an operation
#[utoipa::path(get, path = "/operations/{id}", tag = "operations", operation_id = "get_operation",
    security(("bearer" = ["tunnels:read"])),
    params(
        ("id" = String, Path, description = "The operation's id"),
        ("Prefer" = Option<String>, Header, description = "`wait=N`: wait up to N seconds (60 at most) for the end.")
    ),
    responses(
        (status = 200, description = "The operation as it is now", body = OperationView<'static>, example = json!(operation("succeeded"))),
        (status = 404, description = "No such operation that you may read", body = Problem, content_type = "application/problem+json", example = json!(problem(404, "not_found", "not found", "there is nothing here that you may see"))),
        Authorized
    ))]
pub(super) fn get_operation() {}

/// Read the audit log
///
/// As JSON a page, newest first. With `Accept: application/x-ndjson` or `text/csv` a stream of all that match, oldest
/// first. CSV holds the values as they are: a spreadsheet may take some for formulas.
#[utoipa::path(get, path = "/audit-events", tag = "audit", operation_id = "list_audit_events",
    security(("bearer" = ["audit:read"])),
    params(
        ("operation_id" = Option<String>, Query, description = "Only of this operation"),
        ("event" = Option<crate::domain::event::EventKind>, Query, description = "Only events of this kind"),
        ("vpc_id" = Option<String>, Query, description = "Only of this VPC"),
        ("tunnel_id" = Option<String>, Query, description = "Only of this tunnel"),
        ("status" = Option<crate::domain::operation::Status>, Query, description = "Only of operations that are in this status now"),
        ("requested_by" = Option<String>, Query, description = "Only asked for by this caller"),
        ("created_after" = Option<String>, Query, description = "Only at this moment or later (RFC 3339)", format = DateTime),
        ("created_before" = Option<String>, Query, description = "Only before this moment (RFC 3339)", format = DateTime),
        ("limit" = Option<u32>, Query, description = "Items a page; pages only", minimum = 1, maximum = 200),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before; pages only")
    ),
    responses(
        (status = 200, description = "A page, or a stream of all that match", content(
            (AuditEventPage = "application/json"), (String = "application/x-ndjson"), (String = "text/csv"))),
        Authorized
    ))]
pub(super) fn list_audit_events() {}

/// Look at an event
#[utoipa::path(get, path = "/audit-events/{seq}", tag = "audit", operation_id = "get_audit_event",
    security(("bearer" = ["audit:read"])),
    params(("seq" = i64, Path, description = "The event's place in the log", example = 1)),
    responses(
        (status = 200, description = "The event", body = EventSchema),
        (status = 404, description = "No such event that you may read", body = Problem, content_type = "application/problem+json", example = json!(problem(404, "not_found", "not found", "there is nothing here that you may see"))),
        Authorized
    ))]
pub(super) fn get_audit_event() {}

/// The newest event's place in the chain
///
/// Keep it where the database's owner can't write: `tunnelgate audit verify --checkpoint FILE` then notices a log whose
/// tail was cut off, or that was written anew.
#[utoipa::path(get, path = "/audit-events/checkpoint", tag = "audit", operation_id = "get_checkpoint",
    security(("bearer" = ["audit:read"])),
    responses(
        (status = 200, description = "The checkpoint", body = Checkpoint),
        (status = 404, description = "The log is empty", body = Problem, content_type = "application/problem+json", example = json!(problem(404, "not_found", "not found", "there is nothing here that you may see"))),
        Authorized
    ))]
pub(super) fn get_checkpoint() {}

/// Alive?
#[utoipa::path(get, path = "/livez", tag = "health", operation_id = "livez",
    responses((status = 200, description = "The process answers", body = Object, example = json!({"status": "alive"}))))]
pub(super) fn livez() {}

/// Ready?
///
/// The ledger is migrated and can be written. The cloud does not count: one bad day there must not take all replicas
/// out.
#[utoipa::path(get, path = "/readyz", tag = "health", operation_id = "readyz",
    responses(
        (status = 200, description = "Ready for requests", body = Object, example = json!({"status": "ready"})),
        (status = 503, description = "The ledger can't be written, or the process is shutting down", body = Problem, content_type = "application/problem+json", example = json!(problem(503, "shutting_down", "shutting down", "this process takes no more work")))
    ))]
pub(super) fn readyz() {}

/// Figures for Prometheus
#[utoipa::path(get, path = "/metrics", tag = "health", operation_id = "metrics",
    responses((status = 200, description = "All figures, named `tunnelgate_…`", body = String, content_type = "application/openmetrics-text")))]
pub(super) fn metrics() {}

/// This document
#[utoipa::path(get, path = "/openapi.json", tag = "health", operation_id = "openapi_json",
    responses((status = 200, description = "OpenAPI 3.1", body = Object)))]
pub(super) fn openapi_json() {}
