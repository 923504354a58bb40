//! What the calls of an account have shown of its standing.

use std::sync::{Mutex, PoisonError};

use crate::domain::timestamp::Timestamp;
use crate::service::accounts::{AccountError, AccountFault};
use crate::service::cloud::Refusal;

use super::meaning::Meaning;

/// The standing of an account, as this process has seen it.
#[derive(Debug, Default)]
pub(super) struct Health(Mutex<Seen>);

/// What was seen.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    /// Whether the last call got an answer; `None` before the first call.
    pub(super) is_reachable: Option<bool>,
    /// The last fault that concerns the account as a whole.
    pub(super) last_error: Option<AccountError>,
}

impl Health {
    /// The cloud gave a readable answer.
    pub(super) fn answered(&self, at: Timestamp, meaning: Meaning, code: &str) {
        let fault = match meaning {
            Meaning::Refused(Refusal::Credentials) => Some(AccountFault::Credentials),
            Meaning::Refused(Refusal::Unavailable) => Some(AccountFault::Unavailable),
            Meaning::Rate => Some(AccountFault::RateLimited),
            Meaning::Expired => Some(AccountFault::Expired),
            Meaning::Success | Meaning::Refused(_) | Meaning::Doubt => None,
        };
        self.record(
            true,
            fault.map(|fault| AccountError { at, fault, upstream_code: Some(code.to_owned()) }),
        );
    }

    /// The call got no readable answer.
    pub(super) fn unanswered(&self, at: Timestamp, fault: AccountFault) {
        self.record(false, Some(AccountError { at, fault, upstream_code: None }));
    }

    fn record(&self, is_reachable: bool, error: Option<AccountError>) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.is_reachable = Some(is_reachable);
        if error.is_some() {
            seen.last_error = error;
        }
    }

    pub(super) fn seen(&self) -> Seen {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
