//! `/livez`, `/readyz` and `/metrics` in the OpenAPI document.
#![allow(dead_code, reason = "the functions carry the descriptions, and are never called")]

use super::{Alive, Ready};
use crate::http::openapi::answers::problems;

problems!(ReadyProblems: &[], Internal, LedgerUnavailable, LogRewound, ShuttingDown);

/// Liveness
#[utoipa::path(get, path = "/livez", tag = "health", operation_id = "livez",
    responses((status = 200, description = "The process is alive", body = Alive, example = json!({"status": "alive"}))))]
pub fn livez() {}

/// Readiness
///
/// Ready means that the ledger is migrated and writable, and that its log did not go back. The cloud is not checked: an outage of the cloud must not take
/// all replicas out of service.
#[utoipa::path(get, path = "/readyz", tag = "health", operation_id = "readyz",
    responses(
        (status = 200, description = "The process accepts requests", body = Ready, example = json!({"status": "ready"})),
        ReadyProblems
    ))]
pub fn readyz() {}

/// Prometheus metrics
#[utoipa::path(get, path = "/metrics", tag = "health", operation_id = "metrics",
    responses((status = 200, description = "All metrics, named `tunnelgate_…`", body = String, content_type = "application/openmetrics-text", example = json!(METRICS))))]
pub fn metrics() {}

/// One metric.
const METRICS: &str = "\
# HELP tunnelgate_auth_refusals Refused requests by reason: no token, an invalid token, a missing scope, or a rate limit.
# TYPE tunnelgate_auth_refusals counter
tunnelgate_auth_refusals_total{reason=\"no_token\"} 3
# EOF
";
