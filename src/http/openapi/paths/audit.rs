//! Reading the audit log.

use super::super::super::audit::Checkpoint;
use super::super::super::event_view::EventSchema;
use super::super::answers::{CALLER, problems};
use super::super::examples;
use super::super::schemas::AuditEventPage;
use crate::domain::event::EventKind;
use crate::domain::operation::Status;

problems!(ListProblems: CALLER, InvalidQuery, InvalidCursor);
problems!(OneProblems: CALLER, InvalidQuery, NotFound);

/// Read the audit log
///
/// As JSON a page, newest first. With `Accept: application/x-ndjson` or `text/csv` a stream of all that match, oldest
/// first. CSV holds the values as they are: a spreadsheet may take some for formulas.
#[utoipa::path(get, path = "/audit-events", tag = "audit", operation_id = "list_audit_events",
    security(("bearer" = ["audit:read"])),
    params(
        ("operation_id" = Option<uuid::Uuid>, Query, description = "Only of this operation"),
        ("event" = Option<EventKind>, Query, description = "Only events of this kind"),
        ("vpc_id" = Option<String>, Query, description = "Only of this VPC"),
        ("tunnel_id" = Option<String>, Query, description = "Only of this tunnel"),
        ("status" = Option<Status>, Query, description = "Only of operations that are in this status now"),
        ("requested_by" = Option<String>, Query, description = "Only asked for by this caller"),
        ("created_after" = Option<String>, Query, description = "Only at this moment or later (RFC 3339)", format = DateTime),
        ("created_before" = Option<String>, Query, description = "Only before this moment (RFC 3339)", format = DateTime),
        ("limit" = Option<u32>, Query, description = "Items a page; pages only"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before; pages only")
    ),
    responses(
        (status = 200, description = "A page, or a stream of all that match", content(
            (AuditEventPage = "application/json", example = json!(examples::events())),
            (String = "application/x-ndjson"), (String = "text/csv"))),
        ListProblems
    ))]
pub(in super::super) fn list_audit_events() {}

/// Look at an event
#[utoipa::path(get, path = "/audit-events/{seq}", tag = "audit", operation_id = "get_audit_event",
    security(("bearer" = ["audit:read"])),
    params(("seq" = i64, Path, description = "The event's place in the log", example = 1, minimum = 1)),
    responses(
        (status = 200, description = "The event", body = EventSchema, example = json!(examples::event())),
        OneProblems
    ))]
pub(in super::super) fn get_audit_event() {}

/// The newest event's place in the chain
///
/// Keep it where the database's owner can't write: `tunnelgate audit verify --checkpoint FILE` then notices a log whose
/// tail was cut off, or that was written anew.
#[utoipa::path(get, path = "/audit-events/checkpoint", tag = "audit", operation_id = "get_checkpoint",
    security(("bearer" = ["audit:read"])),
    responses(
        (status = 200, description = "The checkpoint", body = Checkpoint, example = json!(examples::checkpoint())),
        OneProblems
    ))]
pub(in super::super) fn get_checkpoint() {}
