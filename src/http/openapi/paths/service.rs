//! For the operators of the gateway, and for those who read its document.

use super::super::answers::problems;
use super::super::examples;
use crate::http::health::{Alive, Ready};

problems!(DocumentProblems: &[], InvalidHeader);
problems!(ReadyProblems: &[], Internal, LedgerUnavailable, ShuttingDown);

/// Alive?
#[utoipa::path(get, path = "/livez", tag = "health", operation_id = "livez",
    responses((status = 200, description = "The process answers", body = Alive, example = json!({"status": "alive"}))))]
pub(in super::super) fn livez() {}

/// Ready?
///
/// The ledger is migrated and can be written. The cloud does not count: one bad day there must not take all replicas
/// out.
#[utoipa::path(get, path = "/readyz", tag = "health", operation_id = "readyz",
    responses(
        (status = 200, description = "Ready for requests", body = Ready, example = json!({"status": "ready"})),
        ReadyProblems
    ))]
pub(in super::super) fn readyz() {}

/// Figures for Prometheus
#[utoipa::path(get, path = "/metrics", tag = "health", operation_id = "metrics",
    responses((status = 200, description = "All figures, named `tunnelgate_…`", body = String, content_type = "application/openmetrics-text", example = json!(examples::METRICS))))]
pub(in super::super) fn metrics() {}

/// This document
///
/// It changes with the gateway's version only.
#[utoipa::path(get, path = "/openapi.json", tag = "health", operation_id = "openapi_json",
    params(
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of an earlier answer, or several: 304 if the document still is as it was.")
    ),
    responses(
        (status = 200, description = "OpenAPI 3.1", body = Object, example = json!(examples::document())),
        (status = 304, description = "The document is as `If-None-Match` says"),
        DocumentProblems
    ))]
pub(in super::super) fn openapi_json() {}
