//! `/operations/{id}/rollback` in the OpenAPI document.
#![allow(dead_code, reason = "the function carries the description, and is never called")]

use serde_json::json;
use utoipa::openapi::Object;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

use crate::domain::operation::Status;
use crate::domain::secret::MAX_PRE_SHARED_KEY_LENGTH;
use crate::http::openapi::answers::{CALLER, problems};
use crate::http::operations::document::rolled_back;
use crate::http::operations::view::OperationView;
use crate::http::tunnels::document::{PatchAnswer, dry_run};

problems!(RollbackProblems: CALLER, InvalidJson, IncompleteBody, InvalidQuery, InvalidHeader,
    PreconditionFailed, NotFound, MaybeArchived, NotReversible, ChangedSince,
    TunnelNotFound, VpcNotServed, OperationInProgress, IdempotencyKeyInFlight, IdempotencyKeyUnverifiable, TunnelStateConflict, BodyTooLarge,
    UnsupportedMediaType, InvalidPatch, ReasonRequired, IdempotencyKeyReused, UpstreamInvalidParameter, UpstreamRateLimited,
    CallBudget, UpstreamCredentials, UpstreamReplay, UpstreamFailed, UpstreamUnreachable, UpstreamUnavailable,
    TunnelUnreadable, NotSent);

/// Roll an operation back
///
/// Puts back what the tunnel had before the operation, as a new operation: its `changes` are the old one's `before`, and
/// `rollback_of` names the old one. It is sent, followed and recorded like a PATCH, and can be rolled back itself.
///
/// The operation must have ended, and the cloud must have shown every changed field before the change; otherwise the answer
/// is 409 `not_reversible` with the reason for each field. If a later change set other values in these fields, the answer is
/// 409 `changed_since` with the differences, and `force=true` rolls back all the same. The gateway does not store pre-shared
/// keys: if the operation changed the key, give the key before the change.
#[utoipa::path(post, path = "/operations/{id}/rollback", tag = "operations", operation_id = "rollback_operation",
    security(("bearer" = ["tunnels:write"])),
    params(
        ("id" = uuid::Uuid, Path, description = "The operation to roll back"),
        ("dry_run" = Option<bool>, Query, description = "`true`: shows what the rollback would do (needs `tunnels:read` too), as a dry run of a PATCH does. It needs no key and does not check one."),
        ("force" = Option<bool>, Query, description = "`true`: rolls back even if the tunnel no longer has what the operation left."),
        ("reason" = Option<String>, Query, description = "Why, or a ticket: 1 to 500 characters. The operation and its events keep it. Operators can require a reason in a form of their own (422 `reason_required`).", example = "CHG-4712 office 2 moves back"),
        ("If-Match" = Option<String>, Header, description = "One or more `ETag`s from GETs or dry runs of the tunnel, or `*` (the tunnel exists): if the tunnel has changed since, the answer is 412 and nothing is sent."),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes retries safe, as for a PATCH: for 24 hours the same key with the same request returns the first operation again (`Idempotent-Replayed: true`)."),
        ("Prefer" = Option<String>, Header, description = "`wait=N`: wait up to N seconds (maximum 55) for the new operation to end.")
    ),
    request_body(content((RollbackBody = "application/json", example = json!({}))),
        description = "The pre-shared key before the change, if the operation changed it; otherwise `{}` or no body"),
    responses(
        (status = 200, description = "The new operation has ended (with `Prefer: wait`, or with a repeated Idempotency-Key); with `dry_run=true` a preview of the rollback", body = PatchAnswer,
            examples(
                ("ended" = (summary = "An operation that has ended", value = json!(rolled_back(Status::Succeeded)))),
                ("dry_run" = (summary = "A dry run", value = json!(dry_run()))))),
        (status = 202, description = "The rollback is durably recorded and in progress. `unknown` means that the cloud's answer was lost: the rollback may have been applied, and is never sent again", body = OperationView<'static>,
            example = json!(rolled_back(Status::Running))),
        RollbackProblems
    ))]
pub fn rollback_operation() {}

/// The schema of the body, as JSON Schema; it is parsed by `domain::rollback`.
pub fn rollback() -> serde_json::Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "description": "The old secret, which the gateway does not store.",
        "properties": {
            "pre_shared_key": {"type": "string", "format": "password", "writeOnly": true, "minLength": 1,
                               "maxLength": MAX_PRE_SHARED_KEY_LENGTH, "pattern": "^[ -~]+$",
                               "description": "The pre-shared key before the operation. Required if the operation changed the \
                                   key, and not allowed otherwise. The gateway compares its fingerprint with `before`."}
        },
        "examples": [{}, {"pre_shared_key": "the-key-before"}]
    })
}

/// The placeholder for [`rollback`].
pub struct RollbackBody;

impl PartialSchema for RollbackBody {
    fn schema() -> RefOr<Schema> {
        Object::new().into()
    }
}

impl ToSchema for RollbackBody {
    fn name() -> std::borrow::Cow<'static, str> {
        "Rollback".into()
    }
}
