//! Reading and changing tunnels.

use super::super::answers::{CALLER, problems};
use super::super::examples;
use super::super::schemas::{PatchAnswer, TunnelPage, TunnelPatch};
use crate::domain::operation::Status;
use crate::domain::tunnel_view::TunnelView;
use crate::http::operations::view::OperationView;

problems!(PatchProblems: CALLER, InvalidJson, IncompleteBody, InvalidQuery, InvalidHeader,
    PreconditionFailed,
    TunnelNotFound, OperationInProgress, IdempotencyKeyInFlight, TunnelStateConflict, BodyTooLarge,
    UnsupportedMediaType, InvalidPatch, IdempotencyKeyReused, UpstreamInvalidParameter, UpstreamRateLimited,
    CallBudget, UpstreamCredentials, UpstreamReplay, UpstreamFailed, UpstreamUnreachable, UpstreamUnavailable,
    TunnelUnreadable, NotSent);

problems!(ListProblems: CALLER, InvalidQuery, InvalidCursor, TunnelNotFound, UpstreamInvalidParameter, UpstreamRateLimited,
    CallBudget, UpstreamCredentials, UpstreamReplay, UpstreamFailed, UpstreamUnavailable, TunnelUnreadable);
problems!(OneProblems: CALLER, InvalidQuery, InvalidHeader, TunnelNotFound, UpstreamInvalidParameter, UpstreamRateLimited,
    CallBudget, UpstreamCredentials, UpstreamReplay, UpstreamFailed, UpstreamUnavailable, TunnelUnreadable);

/// List the tunnels of a gateway
///
/// As the cloud has them now, in the order of their ids. The cloud does not tell a gateway without tunnels from one that
/// does not exist, and a VPC that you may not read looks the same: all three are 404.
#[utoipa::path(get, path = "/vpcs/{vpc_id}/gateways/{gateway_id}/tunnels", tag = "tunnels",
    operation_id = "list_tunnels",
    security(("bearer" = ["tunnels:read"])),
    params(
        ("vpc_id" = String, Path, description = "The VPC", example = "vpc-03vihbk9"),
        ("gateway_id" = String, Path, description = "The VPN gateway in it", example = "vpngw-kfldykuz"),
        ("limit" = Option<u32>, Query, description = "Items a page"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before")
    ),
    responses(
        (status = 200, description = "A page", body = TunnelPage, example = json!(examples::tunnels())),
        ListProblems
    ))]
pub(in super::super) fn list_tunnels() {}

/// Look at a tunnel
///
/// As the cloud has it now, in the words of a patch. The pre-shared key is shown only as its keyed fingerprint.
#[utoipa::path(get, path = "/vpcs/{vpc_id}/gateways/{gateway_id}/tunnels/{tunnel_id}", tag = "tunnels",
    operation_id = "get_tunnel",
    security(("bearer" = ["tunnels:read"])),
    params(
        ("vpc_id" = String, Path, description = "The VPC", example = "vpc-03vihbk9"),
        ("gateway_id" = String, Path, description = "The VPN gateway in it", example = "vpngw-kfldykuz"),
        ("tunnel_id" = String, Path, description = "The VPN tunnel on it", example = "vpnx-ol6bcqp0"),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of an earlier answer, or several: 304 if the tunnel still is as it was.")
    ),
    responses(
        (status = 200, description = "The tunnel", body = TunnelView, example = json!(examples::tunnel())),
        (status = 304, description = "The tunnel is as `If-None-Match` says"),
        OneProblems
    ))]
pub(in super::super) fn get_tunnel() {}

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
        ("dry_run" = Option<bool>, Query, description = "`true`: shows what the change would do, and the call to the cloud with its secrets masked. Nothing that changes anything is sent, nothing is stored, no Idempotency-Key is taken, and `Prefer` has no effect. An operation that is under way on the tunnel is named in the answer."),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the tunnel's GET, or several, or `*` (it exists): if the tunnel has changed since, 412 and nothing is sent. A weak tag never matches."),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes repeating safe: the same key with the same request gives the first operation again (`Idempotent-Replayed: true`), for 24 hours; with another request 422. A first operation that was refused is repeated as its refusal, without `Retry-After`, even if the reason is over by now: to try again after a 409, 429, 502 or 503 take a new key. Visible ASCII characters, bare or quoted."),
        ("Prefer" = Option<String>, Header, description = "`wait=N`: wait up to N seconds (60 at most) for the end.")
    ),
    request_body(content(
        (TunnelPatch = "application/merge-patch+json", example = json!(examples::patch())),
        (TunnelPatch = "application/json", example = json!(examples::patch()))
    ), description = "What to change"),
    responses(
        (status = 200, description = "The operation has ended (with `Prefer: wait`, or repeated with the same Idempotency-Key); with `dry_run=true` what it would do", body = PatchAnswer,
            examples(
                ("ended" = (summary = "An operation that has ended", value = json!(examples::operation(Status::Succeeded)))),
                ("dry_run" = (summary = "A dry run", value = json!(examples::dry_run()))))),
        (status = 202, description = "The change is under way, durably recorded. `unknown` means that no answer came: it may have happened, and is never sent again", body = OperationView<'static>,
            example = json!(examples::operation(Status::Running))),
        PatchProblems
    ))]
pub(in super::super) fn patch_tunnel() {}
