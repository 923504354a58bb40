//! One line of the audit log.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::changes::Changes;
use super::ids::TunnelPath;
use super::operation::{OperationId, Status};
use super::timestamp::Timestamp;
use super::verification::Verification;
use super::words::words;

words! {
    /// What happened.
    pub enum EventKind {
        /// A change was asked for; committed before anything is sent.
        Requested = "requested",
        /// The cloud took the change and gave a task.
        Submitted = "submitted",
        /// Nothing was changed: the cloud refused, or nothing was sent.
        Rejected = "rejected",
        /// The change was sent, and no answer says what became of it.
        OutcomeUnknown = "outcome_unknown",
        /// The cloud's task ended well, or the tunnel was found changed.
        Succeeded = "succeeded",
        /// The cloud's task failed, or the change was found not to have happened.
        Failed = "failed",
        /// Nobody could tell within the time limit.
        TimedOut = "timed_out",
        /// Read back: everything is as asked.
        VerificationConfirmed = "verification_confirmed",
        /// Read back: something is not as asked.
        VerificationDiverged = "verification_diverged",
        /// Could not be read back.
        VerificationUnavailable = "verification_unavailable",
        /// A caller was refused for want of rights (403).
        Denied = "denied",
    }
}

impl EventKind {
    /// Where an operation stands after this step; `None` for an event that is no operation's.
    #[must_use]
    pub const fn status_after(self) -> Option<Status> {
        match self {
            Self::Requested => Some(Status::Pending),
            Self::Submitted => Some(Status::Running),
            Self::Rejected => Some(Status::Rejected),
            Self::OutcomeUnknown => Some(Status::Unknown),
            Self::Succeeded
            | Self::VerificationConfirmed
            | Self::VerificationDiverged
            | Self::VerificationUnavailable => Some(Status::Succeeded),
            Self::Failed => Some(Status::Failed),
            Self::TimedOut => Some(Status::TimedOut),
            Self::Denied => None,
        }
    }
}

words! {
    /// What kind of caller a principal is.
    pub enum ActorKind {
        ApiKey = "api_key",
        /// Kept for later: this version has API keys only.
        Oidc = "oidc",
    }
}

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The API key's name, or the OIDC subject.
    pub name: String,
    pub kind: ActorKind,
}

/// What the cloud said, or what became of the attempt to ask it. Holds no secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upstream {
    /// The cloud's action, e.g. `ModifyVpnConnEx`.
    pub action: Option<String>,
    /// The cloud's code, as text (`"0"`, `"4000"`).
    pub code: Option<String>,
    pub code_desc: Option<String>,
    pub message: Option<String>,
    pub task_id: Option<String>,
    /// From the first attempt to the last answer, in milliseconds.
    pub latency_ms: Option<u64>,
    /// Calls sent or tried.
    pub attempts: Option<u32>,
    /// Only in the events of a verification: what reading back showed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification: Option<Verification>,
}

impl Upstream {
    /// A look at the tunnel.
    #[must_use]
    pub fn of_tunnel_read() -> Self {
        Self { action: Some("DescribeVpnConn".into()), ..Self::default() }
    }
}

/// Where a request came from, as far as the log keeps it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    pub source_ip: Option<IpAddr>,
    pub user_agent: Option<String>,
    pub request_id: Option<String>,
    pub trace_id: Option<String>,
}

/// An event before the ledger has given it its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    pub id: Uuid,
    pub occurred_at: Timestamp,
    pub event: EventKind,
    pub operation_id: Option<OperationId>,
    pub actor: Actor,
    pub origin: Origin,
    pub tunnel: TunnelPath,
    pub changes: Option<Changes>,
    pub upstream: Option<Upstream>,
}

/// A row of `audit_events`, as it is stored: this, and nothing else, is what the chain's hash covers. Plain texts,
/// so that a row which somebody tampered with can still be read and reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRow {
    pub seq: i64,
    pub id: Uuid,
    pub occurred_at: Timestamp,
    pub event: String,
    pub operation_id: Option<OperationId>,
    pub actor: String,
    pub actor_kind: String,
    pub source_ip: Option<IpAddr>,
    pub user_agent: Option<String>,
    pub request_id: Option<String>,
    pub trace_id: Option<String>,
    pub vpc_id: String,
    pub gateway_id: String,
    pub tunnel_id: String,
    pub changes: Option<serde_json::Value>,
    pub upstream: Option<serde_json::Value>,
}

/// A row of `audit_events` with its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub row: EventRow,
    pub prev_hash: [u8; 32],
    pub hash: [u8; 32],
}
