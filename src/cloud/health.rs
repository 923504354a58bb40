//! What the calls of an account have shown of its standing, and which of its failures the log has.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::domain::connection_fault::ConnectionFault;
use crate::domain::timestamp::Timestamp;
use crate::service::accounts::{AccountError, AccountFault};
use crate::service::cloud::Refusal;

use super::meaning::Meaning;

/// The log has one line in this time about the failures of one kind, so that an outage does not flood it.
const LINE_EVERY: Duration = Duration::from_secs(60);

/// The standing of an account, as this process has seen it.
#[derive(Debug, Default)]
pub(super) struct Health(Mutex<Record>);

/// What was seen.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    /// Whether the last call got an answer; `None` before the first call.
    pub(super) is_reachable: Option<bool>,
    /// The last fault that concerns the account as a whole.
    pub(super) last_error: Option<AccountError>,
}

#[derive(Debug, Default)]
struct Record {
    seen: Seen,
    /// The kinds of failures that have a line in the log.
    lines: Vec<Line>,
    /// The log says that the account gets no answers.
    is_logged: bool,
}

/// The newest line of the log about failures of one kind.
#[derive(Debug)]
struct Line {
    fault: AccountFault,
    cause: Option<ConnectionFault>,
    at: Timestamp,
    /// Failures since.
    unlogged: u64,
}

impl Health {
    /// The cloud gave a readable answer. True if the log has to say that the cloud answers again.
    pub(super) fn answered(&self, at: Timestamp, meaning: Meaning, code: &str) -> bool {
        let fault = match meaning {
            Meaning::Refused(Refusal::Credentials) => Some(AccountFault::Credentials),
            Meaning::Refused(Refusal::Unavailable) => Some(AccountFault::Unavailable),
            Meaning::Rate => Some(AccountFault::RateLimited),
            Meaning::Expired => Some(AccountFault::Expired),
            Meaning::Success | Meaning::Refused(_) | Meaning::Doubt => None,
        };
        let mut record = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        record.seen.is_reachable = Some(true);
        if let Some(fault) = fault {
            let upstream_code = Some(code.to_owned());
            record.seen.last_error = Some(AccountError { at, fault, cause: None, upstream_code });
        }
        std::mem::take(&mut record.is_logged)
    }

    /// The call got no readable answer. Returns how many failures of this kind a line of the log has to speak for; `None`
    /// if the log has a recent one.
    pub(super) fn unanswered(
        &self,
        at: Timestamp,
        fault: AccountFault,
        cause: Option<ConnectionFault>,
    ) -> Option<u64> {
        let mut record = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        record.seen.is_reachable = Some(false);
        record.seen.last_error = Some(AccountError { at, fault, cause, upstream_code: None });
        let known = record.lines.iter_mut().find(|line| line.fault == fault && line.cause == cause);
        let failures = match known {
            Some(line) => {
                line.unlogged += 1;
                // A clock that was set back must not silence the log.
                if at >= line.at && at.since(line.at) < LINE_EVERY {
                    return None;
                }
                line.at = at;
                std::mem::take(&mut line.unlogged)
            }
            None => {
                record.lines.push(Line { fault, cause, at, unlogged: 0 });
                1
            }
        };
        record.is_logged = true;
        Some(failures)
    }

    pub(super) fn seen(&self) -> Seen {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).seen.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_micros(1_800_000_000_000_000).plus(Duration::from_secs(seconds))
    }

    #[test]
    fn an_outage_has_one_line_a_minute_and_one_when_it_ends() {
        let health = Health::default();
        let fails = |seconds, cause| health.unanswered(at(seconds), AccountFault::Unreachable, Some(cause));
        assert_eq!(fails(0, ConnectionFault::Dns), Some(1));
        assert_eq!(fails(1, ConnectionFault::Dns), None);
        assert_eq!(fails(59, ConnectionFault::Dns), None);
        assert_eq!(fails(60, ConnectionFault::Dns), Some(3), "the two before it count");
        assert_eq!(fails(61, ConnectionFault::Refused), Some(1), "another cause has a line of its own");
        assert!(health.answered(at(62), Meaning::Success, ""));
        assert!(!health.answered(at(63), Meaning::Success, ""));
        // A connection that comes and goes does not flood the log either.
        assert_eq!(fails(64, ConnectionFault::Refused), None);
        assert!(!health.answered(at(65), Meaning::Success, ""));
    }
}
