//! What a poll of an operation leads to.

use crate::domain::event::Upstream;
use crate::domain::operation::Transition;

use super::ledger::Read;

/// Reads of a tunnel that must agree before it counts as different, or as unreadable: the cloud's reads may lag behind
/// its tasks.
pub(super) const READ_BACKS: u32 = 3;

/// What to write after a poll.
pub(super) enum Next {
    Step(Box<Transition>, Option<Upstream>),
    Later { read: Option<Read> },
}

pub(super) const LATER: Next = Next::Later { read: None };

pub(super) fn step(transition: Transition, upstream: Option<Upstream>) -> Next {
    Next::Step(Box::new(transition), upstream)
}
