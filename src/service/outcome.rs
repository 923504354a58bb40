//! From what became of a call to what becomes of the operation, with the words for the consumer.

use crate::domain::event::Upstream;
use crate::domain::operation::{ErrorCode, OperationError, Transition, UpstreamError};

use super::cloud::{ReadError, ReadFailure, Refusal, Reply, Sent};

/// The step that a call's end leads to.
pub(super) fn of(reply: &Reply) -> Transition {
    match &reply.sent {
        Sent::Accepted { task_id: Some(task_id) } => Transition::Submit { task_id: task_id.clone() },
        Sent::Accepted { task_id: None } => Transition::LoseTrack {
            reason: OperationError {
                detail: "the cloud took the change without naming a task; the tunnel is being read".into(),
                ..error(ErrorCode::AnswerLost)
            },
        },
        Sent::Unknown => Transition::LoseTrack {
            reason: OperationError { upstream: words(&reply.upstream), ..error(ErrorCode::AnswerLost) },
        },
        Sent::Refused(refusal) => Transition::Reject { error: refused(*refusal, &reply.upstream) },
        Sent::Unreachable => Transition::Reject { error: error(ErrorCode::UpstreamUnreachable) },
        Sent::NoBudget { .. } => Transition::Reject { error: error(ErrorCode::CallBudget) },
    }
}

/// A refusal, with the cloud's words.
pub(super) fn refused(refusal: Refusal, upstream: &Upstream) -> OperationError {
    let code = match refusal {
        Refusal::NotFound => ErrorCode::TunnelNotFound,
        Refusal::InvalidParameter => ErrorCode::UpstreamInvalidParameter,
        Refusal::WrongState => ErrorCode::TunnelStateConflict,
        Refusal::RateLimited => ErrorCode::UpstreamRateLimited,
        Refusal::Credentials => ErrorCode::UpstreamCredentials,
        Refusal::Replay => ErrorCode::UpstreamReplay,
        Refusal::Unavailable => ErrorCode::UpstreamUnavailable,
        Refusal::Other => ErrorCode::UpstreamFailed,
    };
    OperationError { upstream: words(upstream), ..error(code) }
}

/// Why a tunnel that a change depends on could not be read: only what the consumer can act on is told apart.
pub(super) fn unreadable(error: &ReadError) -> OperationError {
    match error.failure {
        ReadFailure::NotFound => refused(Refusal::NotFound, &error.upstream),
        ReadFailure::NoBudget { .. } => self::error(ErrorCode::CallBudget),
        ReadFailure::Refused(Refusal::Credentials) => refused(Refusal::Credentials, &error.upstream),
        ReadFailure::Refused(_) | ReadFailure::NoAnswer => {
            OperationError { upstream: words(&error.upstream), ..self::error(ErrorCode::TunnelUnreadable) }
        }
    }
}

/// Why a tunnel that a consumer wants to look at could not be read.
pub(super) fn unread(error: &ReadError) -> OperationError {
    let told = |code, detail: &str| OperationError { detail: detail.into(), ..self::error(code) };
    match error.failure {
        // Not the cloud's words: what may not be seen has to look the same.
        ReadFailure::NotFound => self::error(ErrorCode::TunnelNotFound),
        ReadFailure::NoBudget { .. } => told(
            ErrorCode::CallBudget,
            "the gateway's budget of calls to the cloud is used up; try again later",
        ),
        // A state that allows no change is no answer to somebody who only looks.
        ReadFailure::Refused(Refusal::WrongState) => refused(Refusal::Other, &error.upstream),
        ReadFailure::Refused(refusal) => refused(refusal, &error.upstream),
        ReadFailure::NoAnswer => OperationError {
            upstream: words(&error.upstream),
            ..told(ErrorCode::TunnelUnreadable, "the cloud gave no usable answer; try again later")
        },
    }
}

/// The cloud's own words, if it said any.
pub(super) fn words(upstream: &Upstream) -> Option<UpstreamError> {
    if upstream.code.is_none() && upstream.code_desc.is_none() && upstream.message.is_none() {
        return None;
    }
    Some(UpstreamError {
        code: upstream.code.clone(),
        code_desc: upstream.code_desc.clone(),
        message: upstream.message.clone(),
    })
}

/// An error in our words alone.
pub(super) fn error(code: ErrorCode) -> OperationError {
    OperationError { code, detail: usual_detail(code).into(), upstream: None }
}

/// What an error's `detail` says where nothing more is known.
#[must_use]
pub const fn usual_detail(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::TunnelNotFound => {
            "the cloud knows no such VPC, gateway or tunnel, or they do not belong together"
        }
        ErrorCode::UpstreamInvalidParameter => "the cloud takes a parameter for wrong; nothing was changed",
        ErrorCode::TunnelStateConflict => "the tunnel's state allows no change now; try again later",
        ErrorCode::UpstreamRateLimited => {
            "the cloud limits the rate of calls; nothing was changed, try again later"
        }
        ErrorCode::UpstreamCredentials => {
            "the cloud refused the gateway's own credentials or rights; its operators have to mend that"
        }
        ErrorCode::UpstreamReplay => {
            "the cloud took the call for expired or replayed; the gateway's clock may be wrong"
        }
        ErrorCode::UpstreamFailed => "the cloud refused the change; nothing was changed",
        ErrorCode::UpstreamUnreachable => "the cloud could not be reached; nothing was sent",
        ErrorCode::UpstreamUnavailable => {
            "the cloud has closed this call for maintenance; nothing was changed"
        }
        ErrorCode::CallBudget => "the gateway's budget of calls to the cloud is used up; nothing was sent",
        ErrorCode::TunnelUnreadable => {
            "the tunnel could not be read, and the change depends on what it has now; nothing was sent"
        }
        ErrorCode::PreconditionFailed => "the tunnel is not as If-Match says; nothing was sent",
        ErrorCode::NotSent => "the gateway took too long to get ready; nothing was sent",
        ErrorCode::AnswerLost => {
            "the change was sent, and no answer tells what became of it; the tunnel is being read to find out"
        }
        ErrorCode::TaskFailed => "the cloud's task failed",
        ErrorCode::NotApplied => "the tunnel does not show the change, and it can't turn up any more",
        ErrorCode::TaskTimeout => "nobody could tell within the time limit how the change ended",
    }
}
