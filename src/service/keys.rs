//! API keys. The ledger stores the SHA-256 of a token, never the token.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::chance::Chance;
use crate::domain::day::Day;
use crate::domain::event::{Actor, ActorKind, EventKind, NewEvent};
use crate::domain::principal::{Grant, Principal, VpcPattern, VpcScope};
use crate::domain::timestamp::Timestamp;

use super::Service;
use super::ledger::{ApiKey, ApiToken, LedgerError, Rotation};

/// Prefix of every token, so that secret scanners recognise a leaked one.
pub const TOKEN_PREFIX: &str = "tg_";
/// Random bytes in a token.
const TOKEN_BYTES: usize = 32;

/// A new key with its token. The token is not stored anywhere.
pub struct NewKey {
    pub key: ApiKey,
    pub token: SecretString,
}

/// A new token of an existing key. The token is not stored anywhere.
pub struct NewToken {
    pub rotation: Rotation,
    pub token: SecretString,
}

/// Creates a key. The caller stores it with [`super::ledger::Keys::create_key`].
pub fn draw(
    chance: &dyn Chance,
    name: &str,
    grants: Vec<Grant>,
    expires_in: Option<Duration>,
    now: Timestamp,
) -> NewKey {
    let token = draw_token(chance);
    let first = ApiToken { sha256: sha256(&token), created_at: now, valid_until: None, last_used_on: None };
    let key = ApiKey {
        id: chance.id(now),
        name: name.to_owned(),
        grants,
        created_at: now,
        expires_at: expires_in.map(|lifetime| now.plus(lifetime)),
        revoked_at: None,
        tokens: vec![first],
    };
    NewKey { key, token }
}

/// Creates another token for a key. Its older tokens stay valid for `overlap`, but never longer than the key was valid
/// before: a rotation revives no token. The caller stores the rotation with [`super::ledger::Keys::rotate_key`].
pub fn rotate(
    chance: &dyn Chance,
    key: &ApiKey,
    overlap: Duration,
    expires_in: Option<Duration>,
    now: Timestamp,
) -> NewToken {
    let token = draw_token(chance);
    let until = now.plus(overlap);
    let rotation = Rotation {
        key_id: key.id,
        token_sha256: sha256(&token),
        now,
        overlap_until: key.expires_at.map_or(until, |expires_at| until.min(expires_at)),
        expired_at: key.expires_at,
        expires_at: expires_in.map(|lifetime| now.plus(lifetime)).or(key.expires_at),
    };
    NewToken { rotation, token }
}

fn draw_token(chance: &dyn Chance) -> SecretString {
    let mut bytes = [0; TOKEN_BYTES];
    chance.fill(&mut bytes);
    format!("{TOKEN_PREFIX}{}", crate::domain::fingerprint::hex(&bytes)).into()
}

/// The event of a key's creation or revocation. It contains the key's grants, never a token or its hash.
pub fn event(kind: EventKind, key: &ApiKey, id: Uuid, now: Timestamp) -> NewEvent {
    event_with(kind, description(key, key.expires_at), id, now)
}

/// The event of a rotation.
pub fn rotation_event(key: &ApiKey, rotation: &Rotation, id: Uuid) -> NewEvent {
    let mut description = description(key, rotation.expires_at);
    description.insert("overlap_until".into(), json!(rotation.overlap_until));
    event_with(EventKind::KeyRotated, description, id, rotation.now)
}

fn description(key: &ApiKey, expires_at: Option<Timestamp>) -> Map<String, Value> {
    let members = [
        ("id", json!(key.id)),
        ("name", json!(key.name)),
        ("grants", grants(key)),
        ("expires_at", json!(expires_at)),
    ];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The grants as JSON: `[{"scope": "tunnels:read", "vpcs": null}]`, where `null` stands for all VPCs.
pub fn grants(key: &ApiKey) -> Value {
    let grant = |grant: &Grant| match &grant.vpcs {
        VpcScope::All => json!({"scope": grant.scope, "vpcs": null}),
        VpcScope::Matching(patterns) => {
            let patterns: Vec<&str> = patterns.iter().map(VpcPattern::as_str).collect();
            json!({"scope": grant.scope, "vpcs": patterns})
        }
    };
    key.grants.iter().map(grant).collect()
}

fn event_with(kind: EventKind, key: Map<String, Value>, id: Uuid, now: Timestamp) -> NewEvent {
    NewEvent { changes: Some(json!({"key": key})), ..NewEvent::new(id, kind, Actor::command_line(), now) }
}

fn sha256(token: &SecretString) -> [u8; 32] {
    Sha256::digest(token.expose_secret().as_bytes()).into()
}

impl ApiKey {
    /// True until the key is revoked or has expired.
    #[must_use]
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

impl Service {
    /// The principal of an API key's token; `None` if the token is unknown, has ended or expired, or its key is
    /// revoked.
    pub(super) async fn principal_of_key(
        &self,
        token: &SecretString,
    ) -> Result<Option<Principal>, LedgerError> {
        if !token.expose_secret().starts_with(TOKEN_PREFIX) {
            return Ok(None);
        }
        let (now, sha256) = (self.clock.now(), sha256(token));
        let Some(key) = self.ledger.key_by_token(&sha256).await? else {
            return Ok(None);
        };
        let Some(token) = key.tokens.iter().find(|token| token.sha256 == sha256) else {
            return Ok(None);
        };
        if !key.is_valid(now) || token.valid_until.is_some_and(|end| end <= now) {
            return Ok(None);
        }
        self.used_tokens.note(token, &Day::of(now));
        Ok(Some(Principal {
            // The same for all tokens of the key: idempotency keys and rate limits outlive a rotation.
            id: key.id.to_string(),
            expires_at: key.expires_at.into_iter().chain(token.valid_until).min(),
            actor: Actor { name: key.name, id: Some(key.id.to_string()), kind: ActorKind::ApiKey },
            grants: key.grants,
            grant_claims: Vec::new(),
        }))
    }

    /// Stores the day of the last use of the tokens that were used since the last call.
    ///
    /// # Errors
    /// If the ledger does not store it. The next use of the tokens counts.
    pub async fn record_used_tokens(&self) -> Result<(), LedgerError> {
        let mut by_day = self.used_tokens.take();
        while let Some((day, tokens)) = by_day.pop_first() {
            if let Err(error) = self.ledger.mark_used(&tokens, &day).await {
                by_day.insert(day, tokens);
                self.used_tokens.put_back(by_day);
                return Err(error);
            }
        }
        Ok(())
    }

    /// True if some API key is valid.
    ///
    /// # Errors
    /// If the keys can't be read.
    pub async fn has_valid_key(&self) -> Result<bool, LedgerError> {
        let now = self.clock.now();
        Ok(self.ledger.keys().await?.iter().any(|key| key.is_valid(now)))
    }
}
