//! `/openapi.json` in the OpenAPI document.
#![allow(dead_code, reason = "the functions carry the descriptions, and are never called")]

use serde_json::{Value, json};

use super::answers::problems;

problems!(DocumentProblems: &[], InvalidHeader);

/// Get this document
///
/// The document changes only with the gateway's version. `servers` contains the gateway's public URL if it has one.
#[utoipa::path(get, path = "/openapi.json", tag = "health", operation_id = "openapi_json",
    params(
        ("If-None-Match" = Option<String>, Header, description = "One or more `ETag`s of earlier answers: 304 if the document has not changed.")
    ),
    responses(
        (status = 200, description = "OpenAPI 3.1", body = Object, example = json!(document())),
        (status = 304, description = "The document has not changed since the `ETag` in `If-None-Match`"),
        DocumentProblems
    ))]
pub fn openapi_json() {}

/// A document with nothing in it.
fn document() -> Value {
    json!({"openapi": "3.1.0", "info": {"title": "tunnelgate", "version": env!("CARGO_PKG_VERSION")}, "paths": {}})
}
