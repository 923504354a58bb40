//! What is wrong with one place of an input.

use serde::Serialize;
use utoipa::ToSchema;

/// One fault of an input; a body's faults are all reported at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Fault {
    /// Where: a JSON pointer (RFC 6901) into the body, empty for the whole of it. For a path segment, query
    /// parameter or header it is the name behind `path:`, `query:` or `header:`.
    #[schema(example = "/ike/sa_lifetime_seconds")]
    pub pointer: String,
    /// What, for programs: stable and snake_case.
    #[schema(example = "out_of_range")]
    pub code: &'static str,
    /// What, for people, with the limit that was missed.
    #[schema(example = "must be a whole number of seconds from 60 to 604800")]
    pub detail: String,
}

impl Fault {
    /// A fault at a pointer.
    pub fn new(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), code, detail: detail.into() }
    }
}
