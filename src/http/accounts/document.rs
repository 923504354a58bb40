//! `/accounts` in the OpenAPI document.
#![allow(dead_code, reason = "the functions carry the descriptions, and are never called")]

use serde_json::{Value, json};

use super::view::AccountView;
use crate::http::openapi::answers::{CALLER, problems};
use crate::http::openapi::examples::OPENED;
use crate::http::page::Page;

/// A page of accounts.
type AccountPage = Page<AccountView>;

problems!(ListProblems: CALLER, InvalidQuery, InvalidCursor);

/// List the accounts of the cloud
///
/// By name; only accounts with VPCs that you may read. Each has its standing, as the replica that answers has seen it.
#[utoipa::path(get, path = "/accounts", tag = "accounts", operation_id = "list_accounts",
    security(("bearer" = ["tunnels:read"])),
    params(
        ("limit" = Option<u32>, Query, description = "Items per page"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the previous page")
    ),
    responses(
        (status = 200, description = "A page", body = AccountPage, example = json!(accounts())),
        ListProblems
    ))]
pub fn list_accounts() {}

fn accounts() -> Value {
    json!({"items": [
        {"name": "default", "region": "ap-guangzhou", "api": "2.0", "vpcs": ["*"], "reachable": true,
         "last_error": {"at": OPENED, "code": "rate_limited", "cause": null, "upstream_code": "4400"}, "calls_left": 19}
    ], "next_cursor": null})
}
