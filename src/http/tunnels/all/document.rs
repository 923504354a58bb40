//! `/tunnels` in the OpenAPI document.
#![allow(dead_code, reason = "the functions carry the descriptions, and are never called")]

use serde_json::{Value, json};

use crate::domain::tunnel_view::TunnelView;
use crate::http::openapi::answers::{CALLER, problems};
use crate::http::page::Page;
use crate::http::tunnels::document::tunnel;

/// A page of tunnels.
type TunnelPage = Page<TunnelView>;

problems!(ListProblems: CALLER, InvalidQuery, InvalidCursor, TunnelNotFound, UpstreamInvalidParameter,
    UpstreamRateLimited, CallBudget, UpstreamCredentials, UpstreamReplay, UpstreamFailed, UpstreamUnavailable,
    TunnelUnreadable);

/// List all tunnels
///
/// The current state in the cloud of the tunnels of all accounts, as far as you may read their VPCs: the accounts by name, the
/// tunnels of each in the cloud's order. A filter that names what does not exist, or what you may not read, gives an
/// empty list.
///
/// **Pages.** A page takes at most 4 calls to the cloud. If they do not find `limit` tunnels, the page is shorter, **even
/// empty**, and `next_cursor` is not `null`: the list ends where `next_cursor` is `null`. The cloud pages by offset, so a
/// tunnel that is created or deleted while you read the pages can make another one appear twice or not at all.
///
/// **An account that can't be read** ends a page before its tunnels; the next page is then a problem with the account's name in
/// `account`. `account=` lists one account: ask for each account of `GET /accounts` to list the others. Where an account's
/// credentials may not list all of its tunnels (`upstream_credentials`), `vpc_id=` or `gateway_id=` may work.
#[utoipa::path(get, path = "/tunnels", tag = "tunnels", operation_id = "list_all_tunnels",
    security(("bearer" = ["tunnels:read"])),
    params(
        ("account" = Option<String>, Query, description = "Only this account of the cloud"),
        ("vpc_id" = Option<String>, Query, description = "Only this VPC, by either form of its id"),
        ("gateway_id" = Option<String>, Query, description = "Only this VPN gateway, by either form of its id"),
        ("search" = Option<String>, Query, description = "Only tunnels with this text in their name, in an id (of either form), in an address or in a range; letter case does not matter"),
        ("drift" = Option<bool>, Query, description = "`true`: only tunnels with drift"),
        ("limit" = Option<u32>, Query, description = "Items per page, at most"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the previous page. It belongs to the filters of its list; `limit` may change")
    ),
    responses(
        (status = 200, description = "A page", body = TunnelPage, example = json!(tunnels())),
        ListProblems
    ))]
pub fn list_all_tunnels() {}

fn tunnels() -> Value {
    json!({"items": [tunnel()], "next_cursor": null})
}
