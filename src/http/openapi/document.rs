//! `/openapi.json` in the OpenAPI document.
#![allow(dead_code, reason = "the functions carry the descriptions, and are never called")]

use serde_json::{Value, json};

use super::answers::problems;

problems!(DocumentProblems: &[], InvalidHeader);

/// This document
///
/// It changes with the gateway's version only.
#[utoipa::path(get, path = "/openapi.json", tag = "health", operation_id = "openapi_json",
    params(
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of an earlier answer, or several: 304 if the document still is as it was.")
    ),
    responses(
        (status = 200, description = "OpenAPI 3.1", body = Object, example = json!(document())),
        (status = 304, description = "The document is as `If-None-Match` says"),
        DocumentProblems
    ))]
pub fn openapi_json() {}

/// A document with nothing in it.
fn document() -> Value {
    json!({"openapi": "3.1.0", "info": {"title": "tunnelgate", "version": env!("CARGO_PKG_VERSION")}, "paths": {}})
}
