//! An operation: one accepted patch on its way from request to a final status. A transition consumes the old state
//! and gives the new one together with its events, so that the two can't come apart.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::changes::Changes;
use super::event::{Actor, EventKind, Upstream};
use super::ids::TunnelPath;
use super::timestamp::Timestamp;
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
        matches!(self, Self::Succeeded | Self::Failed | Self::TimedOut | Self::Rejected)
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

/// A state with what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    Pending,
    Running { task_id: String },
    Unknown { reason: OperationError },
    Succeeded { task_id: Option<String>, verification: Verification },
    Failed { task_id: Option<String>, error: OperationError },
    TimedOut { task_id: Option<String>, error: OperationError },
    Rejected { error: OperationError },
}

impl State {
    /// The word of this state.
    #[must_use]
    pub const fn status(&self) -> Status {
        match self {
            Self::Pending => Status::Pending,
            Self::Running { .. } => Status::Running,
            Self::Unknown { .. } => Status::Unknown,
            Self::Succeeded { .. } => Status::Succeeded,
            Self::Failed { .. } => Status::Failed,
            Self::TimedOut { .. } => Status::TimedOut,
            Self::Rejected { .. } => Status::Rejected,
        }
    }

    /// The cloud's task, where there is one.
    #[must_use]
    pub fn task_id(&self) -> Option<&str> {
        match self {
            Self::Running { task_id } => Some(task_id),
            Self::Succeeded { task_id, .. }
            | Self::Failed { task_id, .. }
            | Self::TimedOut { task_id, .. } => task_id.as_deref(),
            Self::Pending | Self::Unknown { .. } | Self::Rejected { .. } => None,
        }
    }

    /// Why it did not succeed, or why nobody knows yet.
    #[must_use]
    pub const fn error(&self) -> Option<&OperationError> {
        match self {
            Self::Failed { error, .. }
            | Self::TimedOut { error, .. }
            | Self::Rejected { error }
            | Self::Unknown { reason: error } => Some(error),
            Self::Pending | Self::Running { .. } | Self::Succeeded { .. } => None,
        }
    }

    /// What reading back showed.
    #[must_use]
    pub const fn verification(&self) -> Option<&Verification> {
        match self {
            Self::Succeeded { verification, .. } => Some(verification),
            _ => None,
        }
    }

    /// Puts a state together from the columns of a row; `None` if they do not fit each other.
    #[must_use]
    pub fn from_columns(
        status: Status,
        task_id: Option<String>,
        error: Option<OperationError>,
        verification: Option<Verification>,
    ) -> Option<Self> {
        Some(match status {
            Status::Pending => Self::Pending,
            Status::Running => Self::Running { task_id: task_id? },
            Status::Unknown => Self::Unknown { reason: error? },
            Status::Succeeded => Self::Succeeded { task_id, verification: verification? },
            Status::Failed => Self::Failed { task_id, error: error? },
            Status::TimedOut => Self::TimedOut { task_id, error: error? },
            Status::Rejected => Self::Rejected { error: error? },
        })
    }
}

/// A step that an operation can take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transition {
    /// The cloud took the change.
    Submit { task_id: String },
    /// Nothing was changed.
    Reject { error: OperationError },
    /// The change may have happened; nobody knows.
    LoseTrack { reason: OperationError },
    /// It is done and was looked at.
    Succeed { verification: Verification },
    /// It is known not to have happened.
    Fail { error: OperationError },
    /// The time limit is over.
    TimeOut { error: OperationError },
}

impl Transition {
    const fn word(&self) -> &'static str {
        match self {
            Self::Submit { .. } => "submit",
            Self::Reject { .. } => "reject",
            Self::LoseTrack { .. } => "lose track of",
            Self::Succeed { .. } => "finish",
            Self::Fail { .. } => "fail",
            Self::TimeOut { .. } => "time out",
        }
    }
}

/// A step that the state does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot {transition} an operation that is {from}")]
pub struct IllegalTransition {
    pub from: Status,
    pub transition: &'static str,
}

/// One accepted patch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    pub id: OperationId,
    pub tunnel: TunnelPath,
    pub changes: Changes,
    /// The id of the key that the fingerprints in `changes` were made with.
    pub fingerprint_key_id: Option<String>,
    /// Who asked for it.
    pub requested_by: Actor,
    /// The id of the request that opened it: every event of the operation carries it.
    pub request_id: Option<String>,
    /// The trace of that request (W3C), likewise.
    pub trace_id: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    pub state: State,
}

/// What a transition says in the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepEvent {
    pub event: EventKind,
    pub upstream: Option<Upstream>,
}

impl Operation {
    /// Where it stands.
    #[must_use]
    pub const fn status(&self) -> Status {
        self.state.status()
    }

    /// Takes a step: the operation in its new state, and the events that say so.
    ///
    /// # Errors
    /// If the state does not allow the step.
    pub fn step(
        self,
        transition: Transition,
        upstream: Option<Upstream>,
        now: Timestamp,
    ) -> Result<(Self, Vec<StepEvent>), IllegalTransition> {
        let word = transition.word();
        let from = self.status();
        let task_id = self.state.task_id().map(str::to_owned);
        let one = |event| vec![StepEvent { event, upstream: upstream.clone() }];
        let (state, events) = match (self.state, transition) {
            (State::Pending, Transition::Submit { task_id }) => {
                (State::Running { task_id }, one(EventKind::Submitted))
            }
            (State::Pending, Transition::Reject { error }) => {
                (State::Rejected { error }, one(EventKind::Rejected))
            }
            (State::Pending, Transition::LoseTrack { reason }) => {
                (State::Unknown { reason }, one(EventKind::OutcomeUnknown))
            }
            (State::Running { .. } | State::Unknown { .. }, Transition::Succeed { verification }) => {
                let mut events = one(EventKind::Succeeded);
                events.push(read_back(&verification));
                (State::Succeeded { task_id, verification }, events)
            }
            (State::Running { .. } | State::Unknown { .. }, Transition::Fail { error }) => {
                (State::Failed { task_id, error }, one(EventKind::Failed))
            }
            (State::Running { .. } | State::Unknown { .. }, Transition::TimeOut { error }) => {
                (State::TimedOut { task_id, error }, one(EventKind::TimedOut))
            }
            _ => {
                return Err(IllegalTransition { from, transition: word });
            }
        };
        let finished_at = state.status().is_final().then_some(now);
        let operation = Self { state, updated_at: now, finished_at, ..self };
        Ok((operation, events))
    }
}

/// The event that tells what reading the tunnel back showed.
fn read_back(verification: &Verification) -> StepEvent {
    let event = match verification {
        Verification::Confirmed => EventKind::VerificationConfirmed,
        Verification::Diverged { .. } => EventKind::VerificationDiverged,
        Verification::Unavailable { .. } => EventKind::VerificationUnavailable,
    };
    StepEvent {
        event,
        upstream: Some(Upstream { verification: Some(verification.clone()), ..Upstream::of_tunnel_read() }),
    }
}
