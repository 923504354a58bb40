//! One line of the audit log.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::changes::Changes;
use super::ids::TunnelPath;
use super::outcome::{OperationId, Outcome, Status};
use super::timestamp::Timestamp;
use super::words::words;

/// The set of columns that new rows have and that their hash covers. A later version may add columns under the next
/// number; rows of this one verify as they are.
pub const FORMAT: i32 = 1;

words! {
    /// The kind of an event.
    pub enum EventKind {
        /// A change was requested. Committed before anything is sent.
        Requested = "requested",
        /// The cloud accepted the change and named a task.
        Submitted = "submitted",
        /// Nothing was changed: the cloud refused, or nothing was sent.
        Rejected = "rejected",
        /// The change was sent, and no answer proves its outcome.
        OutcomeUnknown = "outcome_unknown",
        /// The change was applied; `outcome.verification` has the result of reading the tunnel back.
        Succeeded = "succeeded",
        /// The change ended, but the tunnel does not have every requested value; see `outcome.verification`.
        Diverged = "diverged",
        /// The cloud's task failed, or reads of the tunnel showed that the change was not applied.
        Failed = "failed",
        /// The outcome could not be determined within the time limit.
        TimedOut = "timed_out",
        /// A tunnel no longer has the values in `before`, which the operation set; `changes` has the values that it has.
        DriftDetected = "drift_detected",
        /// A difference that `drift_detected` reported is gone; `before` has the values then, `changes` the values now.
        DriftResolved = "drift_resolved",
        /// A caller lacked the right to change a tunnel (403); or the number of such refusals in a minute.
        Denied = "denied",
        /// An API key was created.
        KeyCreated = "key_created",
        /// An API key got a new token; `changes.key.overlap_until` is the end of its older tokens.
        KeyRotated = "key_rotated",
        /// An API key was revoked.
        KeyRevoked = "key_revoked",
        /// An operator accepted that the newest events of the log were lost.
        LogRewound = "log_rewound",
        /// Old events were moved to files; `changes.archived` says which and where the chain continues.
        LogArchived = "log_archived",
        /// An operator passed an event that a webhook's receiver refuses; `changes.webhook` says which.
        WebhookSkipped = "webhook_skipped",
    }
}

impl EventKind {
    /// True for an event about what a succeeded operation set. It is no step of the operation.
    #[must_use]
    pub const fn is_drift(self) -> bool {
        matches!(self, Self::DriftDetected | Self::DriftResolved)
    }

    /// The operation's status after this step; `None` for an event of no operation.
    #[must_use]
    pub const fn status_after(self) -> Option<Status> {
        match self {
            Self::Requested => Some(Status::Pending),
            Self::Submitted => Some(Status::Running),
            Self::Rejected => Some(Status::Rejected),
            Self::OutcomeUnknown => Some(Status::Unknown),
            Self::Succeeded => Some(Status::Succeeded),
            Self::Diverged => Some(Status::Diverged),
            Self::Failed => Some(Status::Failed),
            Self::TimedOut => Some(Status::TimedOut),
            Self::DriftDetected
            | Self::DriftResolved
            | Self::Denied
            | Self::KeyCreated
            | Self::KeyRotated
            | Self::KeyRevoked
            | Self::LogRewound
            | Self::LogArchived
            | Self::WebhookSkipped => None,
        }
    }
}

words! {
    /// The kind of an actor.
    pub enum ActorKind {
        ApiKey = "api_key",
        /// A subject of an OIDC issuer.
        Oidc = "oidc",
        /// The gateway itself or its command line.
        System = "system",
    }
}

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The API key's name, or the name in an OIDC subject's token.
    pub name: String,
    /// What tells two actors of one name apart: the API key's id; the issuer, a blank and the subject.
    pub id: Option<String>,
    pub kind: ActorKind,
}

impl Actor {
    /// The gateway itself.
    #[must_use]
    pub fn gateway() -> Self {
        Self { name: "tunnelgate".into(), id: None, kind: ActorKind::System }
    }

    /// The command line, which acts with the rights of the database's owner.
    #[must_use]
    pub fn command_line() -> Self {
        Self { name: "command line".into(), id: None, kind: ActorKind::System }
    }
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
}

/// The account of the cloud that a change goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The account's name; `default` where the settings name one set of credentials only.
    pub account: String,
    /// The cloud's region, e.g. `ap-guangzhou`.
    pub region: String,
    /// The version of the cloud's API: `2.0`.
    pub api: String,
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
    /// `None` for an event that is about no tunnel.
    pub tunnel: Option<TunnelPath>,
    pub route: Option<Route>,
    pub changes: Option<Value>,
    /// What the tunnel had before the change, in the fields of `changes`.
    pub before: Option<Changes>,
    /// The parameters of the call that was sent, by the cloud's names.
    pub sent: Option<Value>,
    pub outcome: Option<Outcome>,
    /// The caller's reason for the change.
    pub reason: Option<String>,
    /// The operation that the event's operation rolls back.
    pub rollback_of: Option<OperationId>,
    pub upstream: Option<Upstream>,
}

impl NewEvent {
    /// An event with nothing but what every event has.
    #[must_use]
    pub fn new(id: Uuid, event: EventKind, actor: Actor, now: Timestamp) -> Self {
        Self {
            id,
            occurred_at: now,
            event,
            operation_id: None,
            actor,
            origin: Origin::default(),
            tunnel: None,
            route: None,
            changes: None,
            before: None,
            sent: None,
            outcome: None,
            reason: None,
            rollback_of: None,
            upstream: None,
        }
    }
}

/// A row of `audit_events` as it is stored: the chain's hash covers these columns and no others. Plain texts, so that
/// a row that was tampered with can still be read and reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRow {
    pub format: i32,
    pub seq: i64,
    pub id: Uuid,
    pub occurred_at: Timestamp,
    pub event: String,
    pub operation_id: Option<OperationId>,
    pub actor: String,
    pub actor_id: Option<String>,
    pub actor_kind: String,
    pub source_ip: Option<IpAddr>,
    pub user_agent: Option<String>,
    pub request_id: Option<String>,
    pub trace_id: Option<String>,
    pub vpc_id: Option<String>,
    pub gateway_id: Option<String>,
    pub tunnel_id: Option<String>,
    pub account: Option<String>,
    pub region: Option<String>,
    pub api: Option<String>,
    pub changes: Option<Value>,
    pub before: Option<Value>,
    pub sent: Option<Value>,
    pub outcome: Option<Value>,
    pub reason: Option<String>,
    pub rollback_of: Option<OperationId>,
    pub upstream: Option<Value>,
}

/// A row of `audit_events` with its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub row: EventRow,
    pub prev_hash: [u8; 32],
    pub hash: [u8; 32],
}
