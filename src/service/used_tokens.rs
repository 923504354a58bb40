//! The tokens that were used since their last use was stored.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use crate::domain::day::Day;

use super::ledger::ApiToken;

/// The SHA-256 of tokens whose last use is to be stored.
#[derive(Debug, Default)]
pub(super) struct UsedTokens(Mutex<HashSet<[u8; 32]>>);

impl UsedTokens {
    /// Notes the use of a token, unless its last use of that day is stored already.
    pub(super) fn note(&self, token: &ApiToken, today: &Day) {
        if token.last_used_on.as_ref().is_none_or(|day| day < today) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(token.sha256);
        }
    }

    /// Removes and returns the noted tokens.
    pub(super) fn take(&self) -> Vec<[u8; 32]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).drain().collect()
    }
}
