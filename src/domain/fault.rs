//! Faults of an input.

use serde::Serialize;
use utoipa::ToSchema;

/// One fault of an input. An answer lists all faults of a body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Fault {
    /// The place of the fault: a JSON pointer (RFC 6901) into the body, empty for the whole body; or `path:`, `query:`
    /// or `header:` followed by the name of a path segment, query parameter or header.
    #[schema(example = "/ike/sa_lifetime_seconds")]
    pub pointer: String,
    /// The kind of fault, for programs: stable and snake_case.
    #[schema(example = "out_of_range")]
    pub code: &'static str,
    /// A description for people, with the limit that the value misses.
    #[schema(example = "must be a whole number of seconds from 60 to 604800")]
    pub detail: String,
}

impl Fault {
    /// A fault at `pointer`.
    pub fn new(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), code, detail: detail.into() }
    }
}
