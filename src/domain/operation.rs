//! An operation: one accepted patch on its way from request to a final status. A transition consumes the old state
//! and returns the new one with the kind of its event, so that the two always match.

use super::changes::Changes;
use super::event::{Actor, EventKind, Route};
use super::ids::TunnelPath;
use super::timestamp::Timestamp;
use super::verification::Verification;

pub use super::outcome::{ErrorCode, OperationError, OperationId, Outcome, Status, UpstreamError};

/// A state with its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    Pending,
    Running { task_id: String },
    Unknown { reason: OperationError },
    Succeeded { task_id: Option<String>, verification: Verification },
    Diverged { task_id: Option<String>, verification: Verification },
    Failed { task_id: Option<String>, error: OperationError },
    TimedOut { task_id: Option<String>, error: OperationError },
    Rejected { error: OperationError },
}

impl State {
    /// The status of this state.
    #[must_use]
    pub const fn status(&self) -> Status {
        match self {
            Self::Pending => Status::Pending,
            Self::Running { .. } => Status::Running,
            Self::Unknown { .. } => Status::Unknown,
            Self::Succeeded { .. } => Status::Succeeded,
            Self::Diverged { .. } => Status::Diverged,
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
            | Self::Diverged { task_id, .. }
            | Self::Failed { task_id, .. }
            | Self::TimedOut { task_id, .. } => task_id.as_deref(),
            Self::Pending | Self::Unknown { .. } | Self::Rejected { .. } => None,
        }
    }

    /// The reason of a failure, or of an unknown outcome.
    #[must_use]
    pub const fn error(&self) -> Option<&OperationError> {
        match self {
            Self::Failed { error, .. }
            | Self::TimedOut { error, .. }
            | Self::Rejected { error }
            | Self::Unknown { reason: error } => Some(error),
            Self::Pending | Self::Running { .. } | Self::Succeeded { .. } | Self::Diverged { .. } => None,
        }
    }

    /// The result of reading the tunnel back.
    #[must_use]
    pub const fn verification(&self) -> Option<&Verification> {
        match self {
            Self::Succeeded { verification, .. } | Self::Diverged { verification, .. } => Some(verification),
            _ => None,
        }
    }

    /// Builds a state from the columns of a row; `None` if they contradict each other.
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
            Status::Diverged => Self::Diverged { task_id, verification: verification? },
            Status::Failed => Self::Failed { task_id, error: error? },
            Status::TimedOut => Self::TimedOut { task_id, error: error? },
            Status::Rejected => Self::Rejected { error: error? },
        })
    }
}

/// A step that an operation can take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transition {
    /// The cloud accepted the change.
    Submit { task_id: String },
    /// Nothing was changed.
    Reject { error: OperationError },
    /// The outcome is unknown: the change may have happened.
    LoseTrack { reason: OperationError },
    /// The change is done and the tunnel was read back.
    Succeed { verification: Verification },
    /// The change ended, and the tunnel does not have the requested values.
    Diverge { verification: Verification },
    /// The change did not happen.
    Fail { error: OperationError },
    /// The time limit has passed.
    TimeOut { error: OperationError },
}

impl Transition {
    const fn word(&self) -> &'static str {
        match self {
            Self::Submit { .. } => "submit",
            Self::Reject { .. } => "reject",
            Self::LoseTrack { .. } => "lose track of",
            Self::Succeed { .. } => "finish",
            Self::Diverge { .. } => "diverge",
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
    pub route: Route,
    pub changes: Changes,
    /// What the tunnel had just before the change was sent, in the fields of `changes`; `None` if it was not read.
    pub before: Option<Changes>,
    /// The id of the key that the fingerprints in `changes` and `before` were made with.
    pub fingerprint_key_id: Option<String>,
    /// The caller's reason.
    pub reason: Option<String>,
    /// The operation that this one rolls back.
    pub rollback_of: Option<OperationId>,
    /// Who requested it.
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

impl Operation {
    /// The status.
    #[must_use]
    pub const fn status(&self) -> Status {
        self.state.status()
    }

    /// True if the operation was rejected for a reason that passes (429 and 503): a retry under the same `Idempotency-Key` is
    /// then a new request.
    #[must_use]
    pub const fn leaves_key_unused(&self) -> bool {
        match &self.state {
            State::Rejected { error } => error.code.is_retryable(),
            _ => false,
        }
    }

    /// The outcome for the audit log.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        Outcome {
            status: self.status(),
            task_id: self.state.task_id().map(str::to_owned),
            error: self.state.error().cloned(),
            verification: self.state.verification().cloned(),
        }
    }

    /// Takes a step: the operation in its new state, and the kind of event that says so.
    ///
    /// # Errors
    /// If the state does not allow the step.
    pub fn step(
        self,
        transition: Transition,
        now: Timestamp,
    ) -> Result<(Self, EventKind), IllegalTransition> {
        let word = transition.word();
        let from = self.status();
        let task_id = self.state.task_id().map(str::to_owned);
        let (state, event) = match (self.state, transition) {
            (State::Pending, Transition::Submit { task_id }) => {
                (State::Running { task_id }, EventKind::Submitted)
            }
            (State::Pending, Transition::Reject { error }) => {
                (State::Rejected { error }, EventKind::Rejected)
            }
            (State::Pending, Transition::LoseTrack { reason }) => {
                (State::Unknown { reason }, EventKind::OutcomeUnknown)
            }
            (State::Running { .. } | State::Unknown { .. }, Transition::Succeed { verification }) => {
                (State::Succeeded { task_id, verification }, EventKind::Succeeded)
            }
            (State::Running { .. } | State::Unknown { .. }, Transition::Diverge { verification }) => {
                (State::Diverged { task_id, verification }, EventKind::Diverged)
            }
            (State::Running { .. } | State::Unknown { .. }, Transition::Fail { error }) => {
                (State::Failed { task_id, error }, EventKind::Failed)
            }
            (State::Running { .. } | State::Unknown { .. }, Transition::TimeOut { error }) => {
                (State::TimedOut { task_id, error }, EventKind::TimedOut)
            }
            _ => {
                return Err(IllegalTransition { from, transition: word });
            }
        };
        let finished_at = state.status().is_final().then_some(now);
        Ok((Self { state, updated_at: now, finished_at, ..self }, event))
    }
}
