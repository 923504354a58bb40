//! Unfinished operations, as far as both stores handle them alike.

use tracing::error;

use crate::causes::chain;
use crate::domain::event::Route;
use crate::domain::operation::Status;
use crate::domain::timestamp::Timestamp;
use crate::service::ledger::{Backlog, Claim, LedgerError};

/// The newest unfinished operations among which the youngest due ones are looked for. It bounds the rows that a claim
/// reads while few operations are due.
pub(super) const NEWEST: i64 = 10_000;

/// The claim, if its row is readable. An unreadable row (a newer version may have written it) must not stop the other
/// claims: it stays leased, and when the lease ends another replica may be able to read it.
pub(super) fn readable(claim: Result<Claim, LedgerError>) -> Option<Claim> {
    claim.inspect_err(|error| error!(error = chain(error), "an unfinished operation can't be read")).ok()
}

/// The unfinished operations of one status and account.
pub(super) struct Group {
    pub(super) status: String,
    pub(super) route: Route,
    pub(super) operations: i64,
    pub(super) oldest: Option<Timestamp>,
    pub(super) due: Option<Timestamp>,
}

fn add<T: PartialEq>(counts: &mut Vec<(T, u64)>, of: T, operations: u64) {
    match counts.iter_mut().find(|(known, _)| *known == of) {
        Some((_, count)) => *count += operations,
        None => counts.push((of, operations)),
    }
}

/// Combines the groups.
pub(super) fn backlog_of(groups: Vec<Group>, now: Timestamp) -> Backlog {
    let mut backlog = Backlog::default();
    for group in groups {
        let operations = u64::try_from(group.operations).unwrap_or_default();
        if let Some(status) = Status::from_word(&group.status) {
            add(&mut backlog.unfinished, status, operations);
        }
        add(&mut backlog.by_route, group.route, operations);
        backlog.oldest = [backlog.oldest, group.oldest].into_iter().flatten().min();
        let due = group.due.filter(|due| *due <= now);
        backlog.oldest_due = [backlog.oldest_due, due].into_iter().flatten().min();
    }
    backlog.unfinished.sort_unstable();
    backlog
}
