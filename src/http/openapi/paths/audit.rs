//! Reading the audit log.

use super::super::answers::{CALLER, problems};
use super::super::examples;
use super::super::schemas::AuditEventPage;
use crate::domain::bucket::Bucket;
use crate::domain::event::EventKind;
use crate::domain::operation::Status;
use crate::http::audit::chain::VerificationView;
use crate::http::audit::checkpoint::Checkpoint;
use crate::http::audit::counts::CountsView;
use crate::http::audit::view::EventSchema;

problems!(ListProblems: CALLER, InvalidQuery, InvalidCursor);
problems!(CountProblems: CALLER, InvalidQuery);
problems!(VerifyProblems: CALLER, InvalidQuery, VerificationInProgress);
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
            (String = "application/x-ndjson", example = json!(examples::ndjson())),
            (String = "text/csv", example = json!(examples::csv())))),
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
/// tail was cut off, or that was written anew. Needs `audit:read` for all VPCs, because it tells what happens in all of
/// them.
#[utoipa::path(get, path = "/audit-events/checkpoint", tag = "audit", operation_id = "get_checkpoint",
    security(("bearer" = ["audit:read"])),
    responses(
        (status = 200, description = "The checkpoint", body = Checkpoint, example = json!(examples::checkpoint())),
        OneProblems
    ))]
pub(in super::super) fn get_checkpoint() {}

/// Count events by time
///
/// For charts: how many events of each kind fell into each bucket of time, of VPCs that you may read. Buckets begin at
/// whole multiples of their length in UTC; those without events are left out. 1000 buckets at the most.
#[utoipa::path(get, path = "/audit-events/counts", tag = "audit", operation_id = "count_audit_events",
    security(("bearer" = ["audit:read"])),
    params(
        ("bucket" = Option<Bucket>, Query, description = "How long a bucket is; `1h` unless given"),
        ("created_after" = Option<String>, Query, description = "Only at this moment or later (RFC 3339); 24 buckets before the end unless given", format = DateTime),
        ("created_before" = Option<String>, Query, description = "Only before this moment (RFC 3339); now unless given", format = DateTime),
        ("operation_id" = Option<uuid::Uuid>, Query, description = "Only of this operation"),
        ("event" = Option<EventKind>, Query, description = "Only events of this kind"),
        ("vpc_id" = Option<String>, Query, description = "Only of this VPC"),
        ("tunnel_id" = Option<String>, Query, description = "Only of this tunnel"),
        ("status" = Option<Status>, Query, description = "Only of operations that are in this status now"),
        ("requested_by" = Option<String>, Query, description = "Only asked for by this caller")
    ),
    responses(
        (status = 200, description = "The counts", body = CountsView, example = json!(examples::counts())),
        CountProblems
    ))]
pub(in super::super) fn count_audit_events() {}

/// Check the hash chain
///
/// Recomputes a stretch of the chain, from the first event or from the one that `after_seq` and `after_hash` name, and
/// says where it ended: after 5 seconds, or `max_events`. While `complete` is `false`, go on with `last.seq` and
/// `last.hash`: so a log of any length is checked in short calls. A checkpoint that was kept elsewhere can be the place
/// to begin: then a log that was cut off before it, or written anew, is `broken` too. Needs `audit:read` for all VPCs,
/// because the chain runs through all of them. One check at a time in one process.
#[utoipa::path(get, path = "/audit-events/verification", tag = "audit", operation_id = "verify_audit_events",
    security(("bearer" = ["audit:read"])),
    params(
        ("after_seq" = Option<i64>, Query, description = "Begin after this event; with `after_hash`", minimum = 1),
        ("after_hash" = Option<String>, Query, description = "The hash that it has to have, in hex", pattern = "^[0-9A-Fa-f]{64}$"),
        ("max_events" = Option<u32>, Query, description = "Events to check at the most")
    ),
    responses(
        (status = 200, description = "What it showed: `whole` so far, or `broken`", body = VerificationView, examples(
            ("whole" = (value = json!(examples::whole()))), ("broken" = (value = json!(examples::broken()))))),
        VerifyProblems
    ))]
pub(in super::super) fn verify_audit_events() {}
