//! The caller that a token belongs to. Idempotency keys belong to a caller, so a request is repeated by the same one only.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A caller, as `GET /principal` describes it; the members that a rollout needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    pub kind: String,
    /// The same for all tokens of one API key, or of one subject of an issuer.
    pub id: String,
    pub name: String,
}

impl Caller {
    /// True if both have the same idempotency keys. A name can change.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        (&self.kind, &self.id) == (&other.kind, &other.id)
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.kind == "api_key" { "API key " } else { "" };
        write!(f, "{kind}{} ({})", self.name, self.id)
    }
}
