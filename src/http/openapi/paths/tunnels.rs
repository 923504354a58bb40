//! Changing tunnels.

use super::super::super::operations::OperationView;
use super::super::answers::{CALLER, problems};
use super::super::examples;
use super::super::schemas::TunnelPatch;
use crate::domain::operation::Status;

problems!(PatchProblems: CALLER, InvalidJson, IncompleteBody, InvalidQuery, UnsupportedParameter, UnsupportedHeader,
    TunnelNotFound, OperationInProgress, IdempotencyKeyInFlight, TunnelStateConflict, BodyTooLarge,
    UnsupportedMediaType, InvalidPatch, IdempotencyKeyReused, UpstreamInvalidParameter, UpstreamRateLimited,
    CallBudget, UpstreamCredentials, UpstreamReplay, UpstreamFailed, UpstreamUnreachable, UpstreamUnavailable,
    TunnelUnreadable, NotSent);

/// Change a tunnel
///
/// Sends the change to the cloud once, and follows it to its end in the background. The answer is the operation; look
/// at it again, or wait for its end with `Prefer: wait=N`. A field that is absent stays as it is. Exactly one of
/// `peer_cidrs` and `security_policies` has to be given: the cloud wants one of them in every change.
#[utoipa::path(patch, path = "/vpcs/{vpc_id}/gateways/{gateway_id}/tunnels/{tunnel_id}", tag = "tunnels",
    operation_id = "patch_tunnel",
    security(("bearer" = ["tunnels:write"])),
    params(
        ("vpc_id" = String, Path, description = "The VPC", example = "vpc-03vihbk9"),
        ("gateway_id" = String, Path, description = "The VPN gateway in it", example = "vpngw-kfldykuz"),
        ("tunnel_id" = String, Path, description = "The VPN tunnel on it", example = "vpnx-ol6bcqp0"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes repeating safe: the same key with the same request gives the first operation again (`Idempotent-Replayed: true`), for 24 hours; with another request 422. Visible ASCII characters, bare or quoted."),
        ("Prefer" = Option<String>, Header, description = "`wait=N`: wait up to N seconds (60 at most) for the end.")
    ),
    request_body(content(
        (TunnelPatch = "application/merge-patch+json", example = json!(examples::patch())),
        (TunnelPatch = "application/json", example = json!(examples::patch()))
    ), description = "What to change"),
    responses(
        (status = 200, description = "The operation has ended (with `Prefer: wait`, or repeated with the same Idempotency-Key)", body = OperationView<'static>,
            example = json!(examples::operation(Status::Succeeded))),
        (status = 202, description = "The change is under way, durably recorded. `unknown` means that no answer came: it may have happened, and is never sent again", body = OperationView<'static>,
            example = json!(examples::operation(Status::Running))),
        PatchProblems
    ))]
pub(in super::super) fn patch_tunnel() {}
