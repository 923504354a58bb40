//! From the end of a call to the operation's next step, with the text for the caller.

use crate::domain::event::Upstream;
use crate::domain::operation::{ErrorCode, OperationError, Transition, UpstreamError};

use super::cloud::{ReadError, ReadFailure, Refusal, Reply, Sent};

/// The step that a call's end leads to.
pub(super) fn of(reply: &Reply) -> Transition {
    match &reply.sent {
        Sent::Accepted { task_id: Some(task_id) } => Transition::Submit { task_id: task_id.clone() },
        Sent::Accepted { task_id: None } => Transition::LoseTrack {
            reason: OperationError {
                detail: "the cloud accepted the change and named no task; the gateway reads the tunnel"
                    .into(),
                ..error(ErrorCode::AnswerLost)
            },
        },
        Sent::Unknown => Transition::LoseTrack {
            reason: OperationError { upstream: words(&reply.upstream), ..error(ErrorCode::AnswerLost) },
        },
        Sent::Refused(refusal) => Transition::Reject { error: refused(*refusal, &reply.upstream) },
        Sent::Unreachable => Transition::Reject { error: error(ErrorCode::UpstreamUnreachable) },
        Sent::TooLate => Transition::Reject { error: error(ErrorCode::NotSent) },
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
        Refusal::Expired => ErrorCode::UpstreamReplay,
        Refusal::Unavailable => ErrorCode::UpstreamUnavailable,
        Refusal::Other => ErrorCode::UpstreamFailed,
    };
    OperationError { upstream: words(upstream), ..error(code) }
}

/// Why a tunnel that a change depends on could not be read.
pub(super) fn unreadable(error: &ReadError) -> OperationError {
    let because = |code, detail: &str| OperationError {
        detail: detail.into(),
        upstream: words(&error.upstream),
        ..self::error(code)
    };
    match error.failure {
        ReadFailure::NotFound => refused(Refusal::NotFound, &error.upstream),
        ReadFailure::NoBudget { .. } | ReadFailure::NoLedger => self::error(ErrorCode::CallBudget),
        // The read has no parameter and needs no state that the caller could correct.
        ReadFailure::Refused(Refusal::InvalidParameter | Refusal::WrongState | Refusal::Other) => because(
            ErrorCode::UpstreamFailed,
            "the cloud refused to show the tunnel, which the change depends on; nothing was sent",
        ),
        ReadFailure::Refused(refusal) => refused(refusal, &error.upstream),
        ReadFailure::NoAnswer => {
            OperationError { upstream: words(&error.upstream), ..self::error(ErrorCode::TunnelUnreadable) }
        }
    }
}

/// Why a tunnel that a caller wants to see could not be read.
pub(super) fn unread(error: &ReadError) -> OperationError {
    let because = |code, detail: &str| OperationError { detail: detail.into(), ..self::error(code) };
    match error.failure {
        // Not the cloud's words: a tunnel that the caller may not see must look the same.
        ReadFailure::NotFound => self::error(ErrorCode::TunnelNotFound),
        ReadFailure::NoBudget { .. } | ReadFailure::NoLedger => because(
            ErrorCode::CallBudget,
            "the gateway's budget of calls to the cloud is used up; try again later",
        ),
        // A read needs no state.
        ReadFailure::Refused(Refusal::WrongState) => refused(Refusal::Other, &error.upstream),
        ReadFailure::Refused(refusal) => refused(refusal, &error.upstream),
        ReadFailure::NoAnswer => OperationError {
            upstream: words(&error.upstream),
            ..because(ErrorCode::TunnelUnreadable, "the cloud gave no usable answer; try again later")
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

/// The default `detail` of an error.
#[must_use]
pub const fn usual_detail(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::TunnelNotFound => {
            "the cloud has no such VPC, gateway or tunnel, or they do not belong together"
        }
        ErrorCode::VpcNotServed => "none of the gateway's accounts of the cloud answers for this VPC",
        ErrorCode::UpstreamInvalidParameter => {
            "the cloud rejected a parameter as invalid; nothing was changed"
        }
        ErrorCode::TunnelStateConflict => "the tunnel's state does not allow a change now; try again later",
        ErrorCode::UpstreamRateLimited => {
            "the cloud limits the rate of calls; nothing was changed, try again later"
        }
        ErrorCode::UpstreamCredentials => {
            "the cloud refused the gateway's own credentials or rights; the gateway's operators must correct them"
        }
        ErrorCode::UpstreamReplay => {
            "the cloud refused the call as expired; nothing was changed, the gateway's clock may be wrong"
        }
        ErrorCode::UpstreamFailed => "the cloud refused the change; nothing was changed",
        ErrorCode::UpstreamUnreachable => "the cloud could not be reached; nothing was sent",
        ErrorCode::UpstreamUnavailable => {
            "the cloud has closed this call for maintenance; nothing was changed"
        }
        ErrorCode::CallBudget => {
            "the gateway's budget of calls to the cloud is used up; nothing was sent or recorded"
        }
        ErrorCode::TunnelUnreadable => {
            "the tunnel could not be read, and the change depends on its settings; nothing was sent"
        }
        ErrorCode::PreconditionFailed => {
            "the tunnel has changed since the state that If-Match names; nothing was sent"
        }
        ErrorCode::NotSent => "the gateway took too long before it could send the change; nothing was sent",
        ErrorCode::AnswerLost => {
            "the change was sent, and no answer proves its outcome; the gateway reads the tunnel to determine it"
        }
        ErrorCode::TaskFailed => "the cloud's task failed",
        ErrorCode::NotApplied => {
            "the tunnel does not show the change, and the change can't take effect any more"
        }
        ErrorCode::TaskTimeout => "the outcome could not be determined within the time limit",
    }
}
