//! API keys.

use async_trait::async_trait;
use uuid::Uuid;

use crate::domain::event::NewEvent;
use crate::domain::principal::Grant;
use crate::domain::timestamp::Timestamp;

use super::error::LedgerError;

/// An API key as the ledger stores it: the token's hash, never the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    pub id: Uuid,
    pub name: String,
    pub token_sha256: [u8; 32],
    pub grants: Vec<Grant>,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
}

/// Stores and finds API keys.
#[async_trait]
pub trait Keys: Send + Sync + 'static {
    /// Stores a new API key with its event; false if a key that is not revoked has the same name.
    async fn create_key(&self, key: &ApiKey, event: NewEvent) -> Result<bool, LedgerError>;

    /// The key with this token's SHA-256, revoked or not.
    async fn key_by_token(&self, token_sha256: &[u8; 32]) -> Result<Option<ApiKey>, LedgerError>;

    /// All keys, oldest first.
    async fn keys(&self) -> Result<Vec<ApiKey>, LedgerError>;

    /// Revokes a key with its event; false if it is revoked already.
    async fn revoke_key(&self, id: Uuid, now: Timestamp, event: NewEvent) -> Result<bool, LedgerError>;
}
