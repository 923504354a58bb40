//! `/vpcs/{vpc_id}/gateways/{gateway_id}/tunnels` in the OpenAPI document.
#![allow(dead_code, reason = "the functions carry the descriptions, and are never called")]

use serde_json::{Value, json};
use utoipa::ToSchema;

use super::dry_run::DryRunView;
use super::schema::{self, TunnelPatch};
use crate::domain::operation::Status;
use crate::domain::tunnel_view::TunnelView;
use crate::http::openapi::answers::{CALLER, problems};
use crate::http::openapi::examples::{ETAG, FINGERPRINT, ID, NOTICED, PEER_CONFIG};
use crate::http::operations::document::operation;
use crate::http::operations::view::OperationView;
use crate::http::page::Page;

/// A page of tunnels.
type TunnelPage = Page<TunnelView>;

/// The answer to a PATCH: the operation, or with `dry_run=true` a preview of the change.
#[derive(serde::Serialize, ToSchema)]
#[serde(untagged)]
pub enum PatchAnswer {
    Operation(OperationView<'static>),
    DryRun(DryRunView<'static>),
}

problems!(PatchProblems: CALLER, InvalidJson, IncompleteBody, InvalidQuery, InvalidHeader,
    PreconditionFailed,
    TunnelNotFound, VpcNotServed, OperationInProgress, IdempotencyKeyInFlight, IdempotencyKeyUnverifiable, TunnelStateConflict, BodyTooLarge,
    UnsupportedMediaType, InvalidPatch, ReasonRequired, IdempotencyKeyReused, UpstreamInvalidParameter, UpstreamRateLimited,
    CallBudget, UpstreamCredentials, UpstreamReplay, UpstreamFailed, UpstreamUnreachable, UpstreamUnavailable,
    TunnelUnreadable, NotSent);

problems!(ListProblems: CALLER, InvalidQuery, InvalidCursor, TunnelNotFound, VpcNotServed, UpstreamInvalidParameter, UpstreamRateLimited,
    CallBudget, UpstreamCredentials, UpstreamReplay, UpstreamFailed, UpstreamUnavailable, TunnelUnreadable);
problems!(OneProblems: CALLER, InvalidQuery, InvalidHeader, TunnelNotFound, VpcNotServed, UpstreamInvalidParameter, UpstreamRateLimited,
    CallBudget, UpstreamCredentials, UpstreamReplay, UpstreamFailed, UpstreamUnavailable, TunnelUnreadable);

/// List the tunnels of a gateway
///
/// The tunnels' current state in the cloud, ordered by id. The cloud does not distinguish a gateway without tunnels from a
/// gateway that does not exist, and a VPC that you may not read looks the same: all three return 404.
#[utoipa::path(get, path = "/vpcs/{vpc_id}/gateways/{gateway_id}/tunnels", tag = "tunnels",
    operation_id = "list_tunnels",
    security(("bearer" = ["tunnels:read"])),
    params(
        ("vpc_id" = String, Path, description = "The VPC", example = "vpc-03vihbk9"),
        ("gateway_id" = String, Path, description = "The VPN gateway in it", example = "vpngw-kfldykuz"),
        ("drift" = Option<bool>, Query, description = "`true`: only tunnels with drift"),
        ("limit" = Option<u32>, Query, description = "Items per page"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the previous page")
    ),
    responses(
        (status = 200, description = "A page", body = TunnelPage, example = json!(tunnels())),
        ListProblems
    ))]
pub fn list_tunnels() {}

/// Get a tunnel
///
/// The tunnel's current state in the cloud, with the field names of a patch. The pre-shared key is shown only as its keyed
/// fingerprint. `drift` names the fields that were changed outside of the gateway.
#[utoipa::path(get, path = "/vpcs/{vpc_id}/gateways/{gateway_id}/tunnels/{tunnel_id}", tag = "tunnels",
    operation_id = "get_tunnel",
    security(("bearer" = ["tunnels:read"])),
    params(
        ("vpc_id" = String, Path, description = "The VPC", example = "vpc-03vihbk9"),
        ("gateway_id" = String, Path, description = "The VPN gateway in it", example = "vpngw-kfldykuz"),
        ("tunnel_id" = String, Path, description = "The VPN tunnel on it", example = "vpnx-ol6bcqp0"),
        ("If-None-Match" = Option<String>, Header, description = "One or more `ETag`s of earlier answers: 304 if the tunnel has not changed.")
    ),
    responses(
        (status = 200, description = "The tunnel", body = TunnelView, example = json!(tunnel())),
        (status = 304, description = "The tunnel has not changed since the `ETag` in `If-None-Match`"),
        OneProblems
    ))]
pub fn get_tunnel() {}

/// Change a tunnel
///
/// Sends the change to the cloud once, and follows it to its end in the background. The answer is the operation; poll it,
/// stream it, or wait for its end with `Prefer: wait=N`. Absent fields stay unchanged. With an account of API 2.0 exactly one
/// of `peer_cidrs` and `security_policies` is required: that API requires one of them in every change. A field or value that
/// only API 3.0 has is a 422 with the fault `needs_api_3` there.
#[utoipa::path(patch, path = "/vpcs/{vpc_id}/gateways/{gateway_id}/tunnels/{tunnel_id}", tag = "tunnels",
    operation_id = "patch_tunnel",
    security(("bearer" = ["tunnels:write"])),
    params(
        ("vpc_id" = String, Path, description = "The VPC", example = "vpc-03vihbk9"),
        ("gateway_id" = String, Path, description = "The VPN gateway in it", example = "vpngw-kfldykuz"),
        ("tunnel_id" = String, Path, description = "The VPN tunnel on it", example = "vpnx-ol6bcqp0"),
        ("dry_run" = Option<bool>, Query, description = "`true`: shows what the change would do (needs `tunnels:read` too), and the call to the cloud with its secrets masked. No change is sent, nothing is stored, the Idempotency-Key is not used up, and `Prefer` has no effect. The answer names an unfinished operation on the tunnel."),
        ("reason" = Option<String>, Query, description = "Why, or a ticket: 1 to 500 characters. The operation and its events keep it. Operators can require a reason in a form of their own (422 `reason_required`).", example = "CHG-4711 move office 2"),
        ("If-Match" = Option<String>, Header, description = "One or more `ETag`s from GETs of the tunnel, or `*` (the tunnel exists): if the tunnel has changed since, the answer is 412 and nothing is sent. A weak tag matches like a strong one."),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes retries safe: for 24 hours the same key with the same request returns the first operation again (`Idempotent-Replayed: true`); with another request it is a 422. An answer of 429 or 503 does not use the key up: retry with the same key. Any other refusal is returned again for 24 hours. Visible ASCII characters, bare or quoted."),
        ("Prefer" = Option<String>, Header, description = "`wait=N`: wait up to N seconds (maximum 55) for the operation to end.")
    ),
    request_body(content(
        (TunnelPatch = "application/merge-patch+json", example = json!(schema::example())),
        (TunnelPatch = "application/json", example = json!(schema::example()))
    ), description = "The fields to change"),
    responses(
        (status = 200, description = "The operation has ended (with `Prefer: wait`, or with a repeated Idempotency-Key); with `dry_run=true` a preview of the change", body = PatchAnswer,
            examples(
                ("ended" = (summary = "An operation that has ended", value = json!(operation(Status::Succeeded)))),
                ("dry_run" = (summary = "A dry run", value = json!(dry_run()))))),
        (status = 202, description = "The change is durably recorded and in progress. `unknown` means that the cloud's answer was lost: the change may have been applied, and is never sent again", body = OperationView<'static>,
            example = json!(operation(Status::Running))),
        PatchProblems
    ))]
pub fn patch_tunnel() {}

fn tunnels() -> Value {
    json!({"items": [tunnel()], "next_cursor": "MTp2cG54LW9sNmJjcXAw"})
}

pub fn tunnel() -> Value {
    json!({
        "vpc_id": "vpc-03vihbk9", "gateway_id": "vpngw-kfldykuz", "tunnel_id": "vpnx-ol6bcqp0",
        "account": "default", "region": "ap-guangzhou", "api": "2.0", "name": "hq",
        "status": "running", "connectivity": "connected", "gateway_address": "203.0.113.10",
        "peer_address": "203.0.113.20", "created_at": "2018-01-31 08:00:00",
        "pre_shared_key": {"hmac_sha256": FINGERPRINT},
        "local_cidrs": ["10.0.0.0/16"], "peer_cidrs": ["172.16.0.0/16"],
        "security_policies": null, "dpd": null, "negotiation_type": null, "health_check": null,
        "customer_gateway_id": "cgw-mgp33pll", "bgp": null,
        "ike": {
            "version": null,
            "encryption_algorithm": "aes-cbc-256", "authentication_algorithm": "sha", "exchange_mode": "main",
            "local_identity": {"type": "address", "address": "203.0.113.10"},
            "remote_identity": {"type": "address", "address": "203.0.113.20"},
            "dh_group": "group14", "sa_lifetime_seconds": 86_400},
        "ipsec": {
            "encryption_algorithm": "aes-cbc-256", "integrity_algorithm": "sha", "sa_lifetime_seconds": 3600,
            "sa_lifetime_kilobytes": 1_843_200, "pfs_dh_group": "dh-group14"},
        "drift": [{"pointer": "/peer_cidrs", "set": ["10.100.2.0/24"], "observed": ["172.16.0.0/16"],
                   "since": NOTICED, "operation_id": ID}]
    })
}

pub fn dry_run() -> Value {
    let parameter = |(name, value): (&str, &str)| json!({"name": name, "value": value});
    let parameters: Vec<Value> = [
        ("Action", "ModifyVpnConnEx"),
        ("vpcId", "vpc-03vihbk9"),
        ("vpnGwId", "vpngw-kfldykuz"),
        ("vpnConnId", "vpnx-ol6bcqp0"),
        ("preSharedKey", "***"),
        ("userGwCidrBlock.0", "10.100.2.0/24"),
        ("Region", "ap-guangzhou"),
        ("Timestamp", "(drawn for each call)"),
        ("Nonce", "(drawn for each call)"),
        ("SecretId", "***"),
        ("SignatureMethod", "HmacSHA1"),
        ("Signature", "***"),
    ]
    .into_iter()
    .map(parameter)
    .collect();
    let key = json!({"hmac_sha256": FINGERPRINT});
    json!({
        "tunnel": {"vpc_id": "vpc-03vihbk9", "gateway_id": "vpngw-kfldykuz", "tunnel_id": "vpnx-ol6bcqp0"},
        "etag": ETAG, "operation_in_progress": null,
        "fields": [
            {"pointer": "/peer_cidrs", "current": ["172.16.0.0/16"], "wanted": ["10.100.2.0/24"], "differs": true},
            {"pointer": "/pre_shared_key", "current": key, "wanted": "***", "differs": null}],
        "merged": {"peer_cidrs": ["10.100.2.0/24"], "pre_shared_key": "***"},
        "call": {
            "method": "POST", "host": "vpc.api.qcloud.com", "path": "/v2/index.php",
            "headers": [{"name": "Content-Type", "value": "application/x-www-form-urlencoded"}],
            "parameters": parameters},
        "peer_config": PEER_CONFIG
    })
}
