//! How operations end: their statuses and errors.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::verification::Verification;
use super::words::words;

/// An operation's id (UUID version 7: it sorts by time).
pub type OperationId = Uuid;

words! {
    /// Where an operation stands.
    pub enum Status {
        /// Committed, not yet answered by the cloud.
        Pending = "pending",
        /// The cloud is carrying it out.
        Running = "running",
        /// Sent, but no answer says what became of it: the tunnel is being read to find out.
        Unknown = "unknown",
        /// Done; see `verification`.
        Succeeded = "succeeded",
        /// Ended, and the tunnel is not as requested; see `verification`.
        Diverged = "diverged",
        /// Not done; see `error`.
        Failed = "failed",
        /// Nobody could tell within the time limit; see `error`.
        TimedOut = "timed_out",
        /// Refused, or never sent; see `error`. The tunnel is as it was.
        Rejected = "rejected",
    }
}

impl Status {
    /// True if nothing more will happen.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Diverged | Self::Failed | Self::TimedOut | Self::Rejected)
    }
}

words! {
    /// Why an operation did not succeed: stable words that programs can match.
    pub enum ErrorCode {
        /// The cloud knows no such VPC, gateway or tunnel, or they do not belong together.
        TunnelNotFound = "tunnel_not_found",
        /// The cloud took a parameter for wrong.
        UpstreamInvalidParameter = "upstream_invalid_parameter",
        /// The tunnel's state does not allow a change now.
        TunnelStateConflict = "tunnel_state_conflict",
        /// The cloud's quota or rate limit, after retries.
        UpstreamRateLimited = "upstream_rate_limited",
        /// The cloud refused the gateway's own credentials or rights.
        UpstreamCredentials = "upstream_credentials",
        /// The cloud took the call for expired or replayed, twice.
        UpstreamReplay = "upstream_replay",
        /// The cloud refused for a reason of its own.
        UpstreamFailed = "upstream_failed",
        /// No connection to the cloud: nothing was sent.
        UpstreamUnreachable = "upstream_unreachable",
        /// The cloud has closed this call for maintenance.
        UpstreamUnavailable = "upstream_unavailable",
        /// The gateway's own budget of calls had no place in time: nothing was sent.
        CallBudget = "call_budget",
        /// A partial group has to be merged with the tunnel's settings, and those could not be read.
        TunnelUnreadable = "tunnel_unreadable",
        /// The tunnel is not as `If-Match` said.
        PreconditionFailed = "precondition_failed",
        /// The gateway took too long to get ready and did not send the change.
        NotSent = "not_sent",
        /// The gateway lost the call before its answer: it may have happened.
        AnswerLost = "answer_lost",
        /// The cloud's task failed.
        TaskFailed = "task_failed",
        /// The change was sent without an answer, and reading the tunnel showed that it did not happen.
        NotApplied = "not_applied",
        /// No end within the time limit for tasks.
        TaskTimeout = "task_timeout",
    }
}

impl ErrorCode {
    /// True if the change was not sent or not accepted for a reason that passes.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::UpstreamRateLimited
                | Self::UpstreamUnreachable
                | Self::UpstreamUnavailable
                | Self::CallBudget
                | Self::TunnelUnreadable
                | Self::NotSent
        )
    }
}

/// The cloud's own words about a refusal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UpstreamError {
    /// The cloud's code, as text.
    #[schema(example = "4000")]
    pub code: Option<String>,
    #[schema(example = "InvalidVpc.NotFound")]
    pub code_desc: Option<String>,
    pub message: Option<String>,
}

/// Why an operation did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OperationError {
    pub code: ErrorCode,
    /// For people.
    pub detail: String,
    /// The cloud's own words, where it said something.
    pub upstream: Option<UpstreamError>,
}

/// What a step made of its operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    pub status: Status,
    pub task_id: Option<String>,
    pub error: Option<OperationError>,
    pub verification: Option<Verification>,
}
