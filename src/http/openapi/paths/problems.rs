//! What the types of problems mean.

use super::super::answers::problems;
use super::super::examples;
use super::super::schemas::ProblemTypePage;
use crate::http::problem::pages::TypeView;

problems!(OneProblems: &[], NoSuchPath);

/// List the types of problems
///
/// What every error answer can be. A page for browsers, JSON for everybody else.
#[utoipa::path(get, path = "/problems", tag = "problems", operation_id = "list_problem_types",
    responses((status = 200, description = "All of them", content(
        (ProblemTypePage = "application/json", example = json!(examples::problem_types())), (String = "text/html", example = json!(examples::PAGE))))))]
pub(in super::super) fn list_problem_types() {}

/// Look at a type of problem
///
/// The address is a problem's `type`.
#[utoipa::path(get, path = "/problems/{slug}", tag = "problems", operation_id = "get_problem_type",
    params(("slug" = String, Path, description = "The code, with dashes", example = "operation-in-progress")),
    responses(
        (status = 200, description = "What it means, and what to do", content(
            (TypeView = "application/json", example = json!(examples::problem_type())), (String = "text/html", example = json!(examples::PAGE)))),
        OneProblems
    ))]
pub(in super::super) fn get_problem_type() {}
