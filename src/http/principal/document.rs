//! `/principal` in the OpenAPI document.
#![allow(dead_code, reason = "the functions carry the descriptions, and are never called")]

use serde_json::{Value, json};

use super::view::PrincipalView;
use crate::http::openapi::answers::problems;

problems!(PrincipalProblems: &[], Unauthorized, RateLimited, SignInLimited, Internal, IssuerUnavailable, LedgerUnavailable, LogRewound, InvalidQuery);

/// Get the caller that your token belongs to
///
/// Needs no scope. A client that repeats requests under an `Idempotency-Key` compares `id` first: another caller's keys are
/// other keys.
#[utoipa::path(get, path = "/principal", tag = "principal", operation_id = "get_principal",
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The caller", body = PrincipalView, example = json!(principal())),
        PrincipalProblems
    ))]
pub fn get_principal() {}

fn principal() -> Value {
    json!({"kind": "api_key", "id": "0199a0c4-1d2e-7b6f-8a90-0123456789ab", "name": "netops-ci",
           "scopes": [{"scope": "tunnels:read", "vpcs": null}, {"scope": "tunnels:write", "vpcs": ["vpc-prod-*"]}],
           "expires_at": "2026-04-30T08:00:00.000000Z"})
}
