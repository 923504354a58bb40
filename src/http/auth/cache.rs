//! The cache of valid tokens.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::domain::principal::Principal;
use crate::domain::timestamp::Timestamp;

/// Token cache TTL. A revoked key keeps working for up to this long.
const TTL: Duration = Duration::from_secs(5);
/// The maximum number of cached API keys, and of cached JWTs.
const MAX_TOKENS: usize = 4096;
/// How many entries make room at once, the oldest ones.
const ROOM: usize = MAX_TOKENS / 8;

/// Principals by the SHA-256 of their tokens. API keys and JWTs have room of their own: issuers sign any number of tokens.
#[derive(Default)]
pub struct TokenCache {
    /// An entry past its TTL stays: it shows that the key was valid before.
    keys: Tokens,
    jwts: Tokens,
}

type Tokens = Mutex<HashMap<[u8; 32], Entry>>;

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
    const fn tokens(&self, is_jwt: bool) -> &Tokens {
        if is_jwt { &self.jwts } else { &self.keys }
    }

    /// The entry of a token. One that was found with other settings of the issuers is stale.
    pub fn get(&self, token: &[u8; 32], is_jwt: bool, version: u64) -> Cached {
        let tokens = self.tokens(is_jwt).lock().unwrap_or_else(PoisonError::into_inner);
        match tokens.get(token) {
            Some(entry) if entry.since.elapsed() < TTL && entry.version == version => {
                Cached::Fresh(entry.principal.clone())
            }
            Some(_) => Cached::Stale,
            None => Cached::Missing,
        }
    }

    pub fn remove(&self, token: &[u8; 32], is_jwt: bool) {
        self.tokens(is_jwt).lock().unwrap_or_else(PoisonError::into_inner).remove(token);
    }

    /// Caches a valid token. A full cache drops entries that have no use any more, and then the oldest ones.
    pub fn put(&self, token: [u8; 32], is_jwt: bool, version: u64, principal: Principal, now: Timestamp) {
        let mut tokens = self.tokens(is_jwt).lock().unwrap_or_else(PoisonError::into_inner);
        if tokens.len() >= MAX_TOKENS && !tokens.contains_key(&token) {
            // Nothing asks whether a JWT was valid before.
            tokens.retain(|_, entry| {
                let has_ended = entry.principal.expires_at.is_some_and(|end| end <= now);
                let is_unused = has_ended || (is_jwt && entry.since.elapsed() >= TTL);
                !is_unused
            });
            if tokens.len() >= MAX_TOKENS {
                let mut ages: Vec<Instant> = tokens.values().map(|entry| entry.since).collect();
                let (_, newest, _) = ages.select_nth_unstable(ROOM - 1);
                let newest = *newest;
                tokens.retain(|_, entry| entry.since > newest);
            }
        }
        tokens.insert(token, Entry { since: Instant::now(), version, principal });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::{Actor, ActorKind};

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn principal(expires_at: Option<Timestamp>) -> Principal {
        Principal {
            id: "netops".into(),
            actor: Actor { name: "netops".into(), id: None, kind: ActorKind::ApiKey },
            grants: Vec::new(),
            expires_at,
            grant_claims: Vec::new(),
        }
    }

    fn token(number: usize) -> [u8; 32] {
        let mut token = [0; 32];
        token[..8].copy_from_slice(&number.to_be_bytes());
        token
    }

    fn is_cached(cache: &TokenCache, number: usize, is_jwt: bool) -> bool {
        !matches!(cache.get(&token(number), is_jwt, 0), Cached::Missing)
    }

    #[test]
    fn any_number_of_jwts_leaves_the_api_keys() {
        let cache = TokenCache::default();
        cache.put(token(0), false, 0, principal(None), NOW);
        for number in 0..3 * MAX_TOKENS {
            cache.put(token(number), true, 0, principal(Some(NOW.plus(TTL))), NOW);
            assert!(is_cached(&cache, number, true));
        }
        assert!(is_cached(&cache, 0, false), "the key");
        assert!(cache.jwts.lock().expect("the cache").len() <= MAX_TOKENS);
    }

    #[test]
    fn a_full_cache_drops_what_has_ended_and_then_the_oldest() {
        let cache = TokenCache::default();
        for number in 0..MAX_TOKENS {
            let ends = (number == MAX_TOKENS - 1).then_some(NOW);
            cache.put(token(number), false, 0, principal(ends), NOW);
        }
        cache.put(token(MAX_TOKENS), false, 0, principal(None), NOW);
        let is_there = |number| is_cached(&cache, number, false);
        assert!(!is_there(MAX_TOKENS - 1) && is_there(0), "what has expired first");
        cache.put(token(MAX_TOKENS + 1), false, 0, principal(None), NOW);
        assert!(!is_there(0) && is_there(MAX_TOKENS - 2) && is_there(MAX_TOKENS), "oldest first");
        assert!(is_there(MAX_TOKENS / 2), "no more than is needed");
    }
}
