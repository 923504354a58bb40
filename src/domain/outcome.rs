//! How operations end: their statuses and errors.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::verification::Verification;
use super::words::words;

/// An operation's id (UUID version 7: it sorts by time).
pub type OperationId = Uuid;

words! {
    /// The status of an operation.
    pub enum Status {
        /// Committed; the cloud has not answered yet.
        Pending = "pending",
        /// The cloud is carrying out the change.
        Running = "running",
        /// Sent, but the outcome is unknown: the gateway reads the tunnel to determine it.
        Unknown = "unknown",
        /// Done; see `verification`.
        Succeeded = "succeeded",
        /// Ended, but the tunnel does not have every requested value; see `verification`.
        Diverged = "diverged",
        /// Not applied; see `error`.
        Failed = "failed",
        /// The outcome could not be determined within the time limit; see `error`.
        TimedOut = "timed_out",
        /// Refused or never sent; see `error`. The tunnel is unchanged.
        Rejected = "rejected",
    }
}

impl Status {
    /// True for a status that never changes again.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Diverged | Self::Failed | Self::TimedOut | Self::Rejected)
    }
}

words! {
    /// The reason why an operation did not succeed: stable words that programs can match.
    pub enum ErrorCode {
        /// The cloud has no such VPC, gateway or tunnel, or they do not belong together.
        TunnelNotFound = "tunnel_not_found",
        /// No account of the cloud answers for the VPC.
        VpcNotServed = "vpc_not_served",
        /// The cloud rejected a parameter as invalid.
        UpstreamInvalidParameter = "upstream_invalid_parameter",
        /// The tunnel's state does not allow a change now.
        TunnelStateConflict = "tunnel_state_conflict",
        /// The cloud's quota or rate limit was exceeded, also by the retries.
        UpstreamRateLimited = "upstream_rate_limited",
        /// The cloud refused the gateway's own credentials or rights.
        UpstreamCredentials = "upstream_credentials",
        /// The cloud rejected the call as expired or replayed, twice.
        UpstreamReplay = "upstream_replay",
        /// The cloud refused the change for another reason.
        UpstreamFailed = "upstream_failed",
        /// The gateway could not connect to the cloud: nothing was sent.
        UpstreamUnreachable = "upstream_unreachable",
        /// The cloud does not accept this call because of maintenance.
        UpstreamUnavailable = "upstream_unavailable",
        /// The gateway's own call budget was used up: nothing was sent.
        CallBudget = "call_budget",
        /// The change depends on the tunnel's current state, which could not be read: nothing was sent.
        TunnelUnreadable = "tunnel_unreadable",
        /// The tunnel's current `ETag` is not in `If-Match`.
        PreconditionFailed = "precondition_failed",
        /// The gateway was delayed for too long and did not send the change.
        NotSent = "not_sent",
        /// The change was sent, but its answer was lost: it may have been applied.
        AnswerLost = "answer_lost",
        /// The cloud's task failed.
        TaskFailed = "task_failed",
        /// The change was sent without an answer, and reads of the tunnel showed that it was not applied.
        NotApplied = "not_applied",
        /// The outcome could not be determined within the time limit for tasks.
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
