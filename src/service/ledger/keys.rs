//! API keys.

use async_trait::async_trait;
use uuid::Uuid;

use crate::domain::day::Day;
use crate::domain::event::NewEvent;
use crate::domain::principal::Grant;
use crate::domain::timestamp::Timestamp;

use super::error::LedgerError;

/// An API key. It has one token, and after a rotation more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    pub id: Uuid,
    pub name: String,
    pub grants: Vec<Grant>,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    /// Oldest first.
    pub tokens: Vec<ApiToken>,
}

/// A token of an API key as the ledger stores it: its hash, never the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    pub sha256: [u8; 32],
    pub created_at: Timestamp,
    /// The end of the overlap; `None` for the newest token of its key.
    pub valid_until: Option<Timestamp>,
    /// The last day on which a request used the token.
    pub last_used_on: Option<Day>,
}

/// A new token of an existing key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    pub key_id: Uuid,
    pub token_sha256: [u8; 32],
    pub now: Timestamp,
    /// When the older tokens end, unless they end earlier.
    pub overlap_until: Timestamp,
    /// When the key expired before. The rotation is refused if another one has changed that since it was read.
    pub expired_at: Option<Timestamp>,
    /// When the key expires from now on.
    pub expires_at: Option<Timestamp>,
}

/// Stores and finds API keys.
#[async_trait]
pub trait Keys: Send + Sync + 'static {
    /// Stores a new API key with its event; false if a key that is not revoked has the same name.
    async fn create_key(&self, key: &ApiKey, event: NewEvent) -> Result<bool, LedgerError>;

    /// The key that has a token with this SHA-256, revoked or not, with all of its tokens.
    async fn key_by_token(&self, token_sha256: &[u8; 32]) -> Result<Option<ApiKey>, LedgerError>;

    /// All keys, oldest first.
    async fn keys(&self) -> Result<Vec<ApiKey>, LedgerError>;

    /// Gives a key another token, with its event; false if the key is revoked, or expires at another time than
    /// the rotation says.
    async fn rotate_key(&self, rotation: &Rotation, event: NewEvent) -> Result<bool, LedgerError>;

    /// Revokes a key with its event; false if it is revoked already.
    async fn revoke_key(&self, id: Uuid, now: Timestamp, event: NewEvent) -> Result<bool, LedgerError>;

    /// Stores the day as the last use of the tokens whose stored day is earlier. Skips tokens that another process writes at
    /// the same moment.
    async fn mark_used(&self, tokens: &[[u8; 32]], day: &Day) -> Result<(), LedgerError>;
}
