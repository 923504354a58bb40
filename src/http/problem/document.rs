//! `/problems` in the OpenAPI document.
#![allow(dead_code, reason = "the functions carry the descriptions, and are never called")]

use serde_json::{Value, json};

use super::ProblemType;
use super::pages::TypeView;
use crate::http::openapi::answers::problems;
use crate::http::page::Page;

/// A page of types of problems.
type ProblemTypePage = Page<TypeView>;

problems!(OneProblems: &[], NoSuchPath);

/// List problem types
///
/// The types of all error answers, as HTML for browsers and as JSON for other clients.
#[utoipa::path(get, path = "/problems", tag = "problems", operation_id = "list_problem_types",
    responses((status = 200, description = "All types", content(
        (ProblemTypePage = "application/json", example = json!(problem_types())), (String = "text/html", example = json!(PAGE))))))]
pub fn list_problem_types() {}

/// Get a problem type
///
/// The path is a problem's `type`.
#[utoipa::path(get, path = "/problems/{slug}", tag = "problems", operation_id = "get_problem_type",
    params(("slug" = String, Path, description = "The code, with dashes", example = "operation-in-progress")),
    responses(
        (status = 200, description = "The type's meaning and remedy", content(
            (TypeView = "application/json", example = json!(problem_type())), (String = "text/html", example = json!(PAGE)))),
        OneProblems
    ))]
pub fn get_problem_type() {}

/// The beginning of a page.
const PAGE: &str = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Problems · tunnelgate</title>…</html>";

fn problem_type() -> Value {
    json!(TypeView::from(ProblemType::OperationInProgress))
}

fn problem_types() -> Value {
    json!({"items": [problem_type()], "next_cursor": null})
}
