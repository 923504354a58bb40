//! The end of an operation whose outcome no answer proves: the tunnel is read until it shows what happened, or until
//! the change can't take effect any more.

use crate::domain::api::Api;
use crate::domain::changes::Changes;
use crate::domain::operation::{ErrorCode, Operation, OperationError, State, Transition};
use crate::domain::tunnel::Tunnel;
use crate::domain::verification::Verification;

use super::outcome;
use super::read_back::{self, Comparison, Telling};

/// The cloud's code for a change that waits for an approval.
const AWAITS_APPROVAL: &str = "InvalidParameterValue.MemberApprovalApplicationStarted";

/// What the reads so far allow.
#[derive(Debug, Clone, Copy)]
pub(super) struct Progress {
    /// Reads of the tunnel at rest that did not prove the change, this one included.
    pub(super) reads: u32,
    /// How many of them are enough where the cloud's answer could be read.
    pub(super) enough: u32,
    /// The settle window is over: the change can't take effect any more.
    pub(super) is_over: bool,
}

/// What a read of the tunnel at rest says.
#[derive(Debug, PartialEq)]
pub(super) enum Settled {
    /// The operation ends.
    Ended(Transition),
    /// The tunnel has to be read again.
    Open,
}

/// What the tunnel at rest says of an operation.
pub(super) fn settle(
    operation: &Operation,
    tunnel: &Tunnel,
    comparison: Comparison,
    progress: Progress,
) -> Settled {
    match by_tunnel(operation, tunnel, comparison, progress) {
        // The change may still be approved.
        Settled::Ended(Transition::Fail { .. }) if awaits_approval(operation) => Settled::Open,
        settled => settled,
    }
}

fn by_tunnel(operation: &Operation, tunnel: &Tunnel, comparison: Comparison, progress: Progress) -> Settled {
    debug_assert!(tunnel.is_at_rest(), "a tunnel that is being changed shows half of it");
    let telling = match &operation.before {
        Some(before) => telling(operation, before, tunnel),
        // Nothing is known of what was there: every field could have been as requested already.
        None => Telling::default(),
    };
    if telling.fields.is_empty() {
        return match (progress.is_over, telling.unknown.is_empty()) {
            (false, _) => Settled::Open,
            (true, true) => Settled::Ended(by_what_is_there(comparison, operation)),
            (true, false) => Settled::Ended(undetermined(comparison.verdict())),
        };
    }
    let proof = comparison.clone().only(&telling.fields);
    if proof.differences.is_empty() && proof.same.is_empty() {
        // The cloud showed these fields before and shows none of them now.
        return if progress.is_over { Settled::Ended(undetermined(proof.verdict())) } else { Settled::Open };
    }
    if proof.differences.is_empty() {
        return Settled::Ended(Transition::Succeed { verification: comparison.verdict_of_proved() });
    }
    // API 3.0 has no state for a tunnel that is being changed, so a tunnel that looks at rest may still be changed.
    let is_answered = operation.route.api == Api::V2.as_str() && answer_of(operation).is_some();
    if !(progress.is_over || is_answered && progress.reads >= progress.enough) {
        return Settled::Open;
    }
    Settled::Ended(if proof.same.is_empty() {
        Transition::Fail { error: not_applied(operation) }
    } else {
        Transition::Diverge { verification: proof.verdict() }
    })
}

/// What the tunnel at rest says of a change that the cloud accepted and has no task for. Nothing says when such a change
/// begins (API 3.0 has no state for a tunnel that is being changed), so a tunnel that shows none of it may only be waiting
/// for it.
pub(super) fn accepted(
    operation: &Operation,
    tunnel: &Tunnel,
    comparison: Comparison,
    progress: Progress,
) -> Settled {
    if comparison.differences.is_empty() {
        return Settled::Ended(Transition::Succeed { verification: comparison.verdict() });
    }
    let telling = operation.before.as_ref().map(|before| telling(operation, before, tunnel));
    let may_begin = telling.is_some_and(|telling| {
        !telling.fields.is_empty() && !telling.fields.iter().any(|field| comparison.same.contains(field))
    });
    if progress.reads < progress.enough || may_begin && !progress.is_over {
        return Settled::Open;
    }
    Settled::Ended(Transition::Diverge { verification: comparison.verdict() })
}

fn telling(operation: &Operation, before: &Changes, tunnel: &Tunnel) -> Telling {
    read_back::telling(&operation.changes, before, tunnel.gateway_address.as_deref())
}

/// At the end of the window the tunnel decides where nothing else can: nothing had to change, or what was there before
/// is not known.
fn by_what_is_there(comparison: Comparison, operation: &Operation) -> Transition {
    if comparison.differences.is_empty() && comparison.same.is_empty() {
        return undetermined(comparison.verdict());
    }
    if comparison.differences.is_empty() {
        return Transition::Succeed { verification: comparison.verdict() };
    }
    if comparison.same.is_empty() && operation.before.is_none() {
        return Transition::Fail { error: not_applied(operation) };
    }
    Transition::Diverge { verification: comparison.verdict() }
}

/// The cloud's words about an answer that leaves the outcome open, if its code could be read.
fn answer_of(operation: &Operation) -> Option<&OperationError> {
    match &operation.state {
        State::Unknown { reason } if reason.upstream.as_ref().is_some_and(|u| u.code.is_some()) => {
            Some(reason)
        }
        _ => None,
    }
}

/// True if the cloud's answer says that the change waits for an approval, which may come at any time (API 3.0, error codes of
/// ModifyVpnConnectionAttribute). Such an operation ends `timed_out`.
fn awaits_approval(operation: &Operation) -> bool {
    let words = answer_of(operation).and_then(|reason| reason.upstream.as_ref());
    words.is_some_and(|words| {
        [&words.code, &words.code_desc].into_iter().flatten().any(|code| code == AWAITS_APPROVAL)
    })
}

fn not_applied(operation: &Operation) -> OperationError {
    let upstream = answer_of(operation).and_then(|reason| reason.upstream.clone());
    OperationError { upstream, ..outcome::error(ErrorCode::NotApplied) }
}

fn undetermined(verdict: Verification) -> Transition {
    let why = match verdict {
        Verification::Unavailable { reason: Some(reason) } => reason,
        _ => "the cloud does not show what was changed".into(),
    };
    let error = OperationError {
        detail: format!("{why}, so the outcome can't be determined"),
        ..outcome::error(ErrorCode::TaskTimeout)
    };
    Transition::TimeOut { error }
}

#[cfg(test)]
mod tests;
