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
pub struct TokenCache(Mutex<HashMap<[u8; 32], Entry>>);

struct Entry {
    since: Instant,
    /// The version of the issuers' settings that the principal was found with.
    version: u64,
    principal: Principal,
}

/// The cache entry of a token.
pub enum Cached {
    /// Valid, and within the TTL.
    Fresh(Principal),
    /// Valid before, but past the TTL: the ledger or the issuer's keys have to confirm it.
    Stale,
    Missing,
}

impl TokenCache {
    /// The entry of a token. One that was found with other settings of the issuers is stale.
    pub fn get(&self, token: &[u8; 32], version: u64) -> Cached {
        let tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match tokens.get(token) {
            Some(entry) if entry.since.elapsed() < TTL && entry.version == version => {
                Cached::Fresh(entry.principal.clone())
            }
            Some(_) => Cached::Stale,
            None => Cached::Missing,
        }
    }

    pub fn remove(&self, token: &[u8; 32]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(token);
    }

    pub fn put(&self, token: [u8; 32], version: u64, principal: Principal) {
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tokens.len() >= MAX_TOKENS {
            tokens.clear();
        }
        tokens.insert(token, Entry { since: Instant::now(), version, principal });
    }
}
