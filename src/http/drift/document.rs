//! `/drift` in the OpenAPI document.
#![allow(dead_code, reason = "the functions carry the descriptions, and are never called")]

use serde_json::{Value, json};

use super::view::DriftView;
use crate::http::openapi::answers::{CALLER, problems};
use crate::http::openapi::examples::{ID, NOTICED};
use crate::http::page::Page;

/// A page of fields with drift.
type TunnelDriftPage = Page<DriftView<'static>>;

problems!(ListProblems: CALLER, InvalidQuery, InvalidCursor);

/// List drift
///
/// Fields of tunnels that no longer have the value that the last succeeded change of the field set, as the gateway's last
/// look showed; newest first, and only of VPCs that you may read. The gateway looks at an interval that its operators set,
/// and only at tunnels that were changed through it. The list is empty where they have not turned this on. Fields that the
/// cloud does not show are never listed, nor fields of which a later change did not succeed.
#[utoipa::path(get, path = "/drift", tag = "drift", operation_id = "list_drift",
    security(("bearer" = ["tunnels:read"])),
    params(
        ("vpc_id" = Option<String>, Query, description = "Only this VPC"),
        ("tunnel_id" = Option<String>, Query, description = "Only this tunnel"),
        ("account" = Option<String>, Query, description = "Only this account of the cloud"),
        ("limit" = Option<u32>, Query, description = "Items per page"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the previous page")
    ),
    responses(
        (status = 200, description = "A page", body = TunnelDriftPage, example = json!(drifts())),
        ListProblems
    ))]
pub fn list_drift() {}

fn drifts() -> Value {
    json!({"items": [
        {"tunnel": {"vpc_id": "vpc-03vihbk9", "gateway_id": "vpngw-kfldykuz", "tunnel_id": "vpnx-ol6bcqp0"},
         "account": "default", "region": "ap-guangzhou", "api": "2.0", "seq": 4,
         "pointer": "/peer_cidrs", "set": ["10.100.2.0/24"], "observed": ["10.100.9.0/24"], "since": NOTICED,
         "operation_id": ID}
    ], "next_cursor": null})
}
