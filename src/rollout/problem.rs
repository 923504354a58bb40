//! Why a call had no success.

use serde::Deserialize;
use serde_json::Value;

/// A refusal, as the gateway describes it (RFC 9457).
#[derive(Debug, Clone, Deserialize)]
pub struct Problem {
    pub status: u16,
    pub code: String,
    #[serde(default)]
    pub detail: String,
    #[serde(default)]
    pub errors: Vec<ProblemError>,
    pub operation_id: Option<uuid::Uuid>,
    pub upstream: Option<Value>,
}

/// One fault of a request.
#[derive(Debug, Clone, Deserialize)]
pub struct ProblemError {
    #[serde(default)]
    pub pointer: String,
    #[serde(default)]
    pub detail: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}: {}", self.status, self.code, self.detail)?;
        for error in &self.errors {
            write!(f, "; {} {}", error.pointer, error.detail)?;
        }
        if let Some(message) = self.upstream.as_ref().and_then(|upstream| upstream["message"].as_str()) {
            write!(f, "; the cloud says: {message}")?;
        }
        Ok(())
    }
}

/// Why a call had no success.
#[derive(Debug, Clone)]
pub enum CallError {
    /// The gateway refused the call, and nothing was done.
    Refused(Box<Problem>),
    /// No attempt reached the gateway, so nothing was done.
    NotSent(String),
    /// No answer that settles the call: it may have been carried out.
    Doubt(String),
}

impl std::fmt::Display for CallError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(problem) => problem.fmt(f),
            Self::NotSent(cause) | Self::Doubt(cause) => f.write_str(cause),
        }
    }
}
