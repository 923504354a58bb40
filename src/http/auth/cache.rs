//! Tokens that were looked up lately.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::domain::principal::Principal;

/// How long a look-up is believed: a revoked key works that much longer.
const BELIEVED: Duration = Duration::from_secs(5);
/// Keys that are remembered at the most.
const REMEMBERED: usize = 4096;

/// Principals by the SHA-256 of their tokens.
#[derive(Default)]
pub struct Known(Mutex<HashMap<[u8; 32], (Instant, Principal)>>);

/// What is remembered of a token.
pub enum Memory {
    /// Good, and looked up lately.
    Fresh(Principal),
    /// It was good once; whether it still is has to be looked up.
    Once,
    Nothing,
}

impl Known {
    pub fn get(&self, token: &[u8; 32]) -> Memory {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get(token) {
            Some((since, principal)) if since.elapsed() < BELIEVED => Memory::Fresh(principal.clone()),
            Some(_) => Memory::Once,
            None => Memory::Nothing,
        }
    }

    pub fn forget(&self, token: &[u8; 32]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(token);
    }

    pub fn put(&self, token: [u8; 32], principal: Principal) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(token, (Instant::now(), principal));
    }
}
