//! API keys. The ledger stores the SHA-256 of a token, never the token.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::chance::Chance;
use crate::domain::event::{Actor, ActorKind, EventKind, NewEvent};
use crate::domain::principal::{Grant, Principal, VpcPattern, VpcScope};
use crate::domain::timestamp::Timestamp;

use super::Service;
use super::ledger::{ApiKey, LedgerError};

/// Prefix of every token, so that secret scanners recognise a leaked one.
pub const TOKEN_PREFIX: &str = "tg_";
/// Random bytes in a token.
const TOKEN_BYTES: usize = 32;

/// A new key with its token. The token is not stored anywhere.
pub struct NewKey {
    pub key: ApiKey,
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
    let mut bytes = [0; TOKEN_BYTES];
    chance.fill(&mut bytes);
    let token: SecretString = format!("{TOKEN_PREFIX}{}", crate::domain::fingerprint::hex(&bytes)).into();
    let key = ApiKey {
        id: chance.id(now),
        name: name.to_owned(),
        token_sha256: sha256(&token),
        grants,
        created_at: now,
        expires_at: expires_in.map(|lifetime| now.plus(lifetime)),
        revoked_at: None,
    };
    NewKey { key, token }
}

/// The event of a key's creation or revocation. It contains the key's grants, never its token.
pub fn event(kind: EventKind, key: &ApiKey, id: Uuid, now: Timestamp) -> NewEvent {
    let grants: Vec<Value> = key
        .grants
        .iter()
        .map(|grant| match &grant.vpcs {
            VpcScope::All => json!({"scope": grant.scope, "vpcs": null}),
            VpcScope::Matching(patterns) => {
                let patterns: Vec<&str> = patterns.iter().map(VpcPattern::as_str).collect();
                json!({"scope": grant.scope, "vpcs": patterns})
            }
        })
        .collect();
    let expires_at = key.expires_at.map(|at| at.to_string());
    let changes =
        json!({"key": {"id": key.id, "name": key.name, "grants": grants, "expires_at": expires_at}});
    NewEvent { changes: Some(changes), ..NewEvent::new(id, kind, Actor::command_line(), now) }
}

fn sha256(token: &SecretString) -> [u8; 32] {
    Sha256::digest(token.expose_secret().as_bytes()).into()
}

impl Service {
    /// The principal of an API key's token; `None` if the token is unknown, expired or revoked.
    pub(super) async fn principal_of_key(
        &self,
        token: &SecretString,
    ) -> Result<Option<Principal>, LedgerError> {
        if !token.expose_secret().starts_with(TOKEN_PREFIX) {
            return Ok(None);
        }
        let now = self.clock.now();
        let Some(key) = self.ledger.key_by_token(&sha256(token)).await? else {
            return Ok(None);
        };
        if key.revoked_at.is_some() || key.expires_at.is_some_and(|end| end <= now) {
            return Ok(None);
        }
        Ok(Some(Principal {
            id: key.id.to_string(),
            actor: Actor { name: key.name, id: Some(key.id.to_string()), kind: ActorKind::ApiKey },
            grants: key.grants,
            expires_at: key.expires_at,
            grant_claims: Vec::new(),
        }))
    }
}
