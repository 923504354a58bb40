//! The cache of valid tokens.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::domain::principal::Principal;

/// Token cache TTL. A revoked key keeps working for up to this long.
const TTL: Duration = Duration::from_secs(5);
/// The maximum number of cached tokens.
const MAX_TOKENS: usize = 4096;

/// Principals by the SHA-256 of their tokens. An entry past its TTL stays: it shows that the token was valid before.
#[derive(Default)]
pub struct TokenCache(Mutex<HashMap<[u8; 32], (Instant, Principal)>>);

/// The cache entry of a token.
pub enum Cached {
    /// Valid, and within the TTL.
    Fresh(Principal),
    /// Valid before, but past the TTL: the ledger has to confirm it.
    Stale,
    Missing,
}

impl TokenCache {
    pub fn get(&self, token: &[u8; 32]) -> Cached {
        let tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match tokens.get(token) {
            Some((since, principal)) if since.elapsed() < TTL => Cached::Fresh(principal.clone()),
            Some(_) => Cached::Stale,
            None => Cached::Missing,
        }
    }

    pub fn remove(&self, token: &[u8; 32]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(token);
    }

    pub fn put(&self, token: [u8; 32], principal: Principal) {
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tokens.len() >= MAX_TOKENS {
            tokens.clear();
        }
        tokens.insert(token, (Instant::now(), principal));
    }
}
