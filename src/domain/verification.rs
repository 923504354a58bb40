//! What reading the tunnel back showed.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// One field that is not as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Difference {
    /// JSON pointer into `changes`.
    #[schema(example = "/peer_cidrs")]
    pub pointer: String,
    /// What was asked for; a secret as its fingerprint.
    pub asked: Value,
    /// What the tunnel has; a secret as its fingerprint, `null` where the cloud showed nothing.
    pub observed: Value,
}

/// The tunnel was read back after the change and compared with what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Verification {
    /// Every field that was asked for is there.
    Confirmed,
    /// At least one field is not as asked.
    Diverged { differences: Vec<Difference> },
    /// The tunnel could not be read, or the cloud does not show what was changed.
    Unavailable {
        /// Why it could not be told.
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
