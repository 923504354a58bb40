//! The result of reading the tunnel back.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// A field that does not have the requested value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Difference {
    /// JSON pointer into `changes`.
    #[schema(example = "/peer_cidrs")]
    pub pointer: String,
    /// The requested value; a secret as its fingerprint.
    pub asked: Value,
    /// The tunnel's value; a secret as its fingerprint, `null` if the cloud does not show the field.
    pub observed: Value,
}

/// A field that no longer has the value that an operation left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ChangedField {
    /// JSON pointer into the operation's `changes`.
    #[schema(example = "/peer_cidrs")]
    pub pointer: String,
    /// The value that the operation left; a secret as its fingerprint.
    pub expected: Value,
    /// The tunnel's value now; a secret as its fingerprint.
    pub observed: Value,
}

/// The comparison of the tunnel, read back after the change, with the requested changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Verification {
    /// Every field has the requested value.
    Confirmed,
    /// At least one field does not have the requested value.
    Diverged { differences: Vec<Difference> },
    /// The tunnel could not be read, or the cloud does not show the changed fields.
    Unavailable {
        /// The reason, if it is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        reason: Option<String>,
    },
}

impl Verification {
    /// The word for this result.
    #[must_use]
    pub const fn result(&self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Diverged { .. } => "diverged",
            Self::Unavailable { .. } => "unavailable",
        }
    }
}
