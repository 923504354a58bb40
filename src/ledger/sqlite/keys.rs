//! API keys.

use async_trait::async_trait;
use serde_json::Value;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use crate::domain::event::NewEvent;
use crate::domain::timestamp::Timestamp;
use crate::ledger::columns::{StoredRow, grants_from_json};
use crate::service::ledger::{ApiKey, Keys, LedgerError};

use super::Sqlite;
use super::key_change::KeyChange;

fn key_of(row: &SqliteRow) -> Result<ApiKey, LedgerError> {
    let grants: Value = row.try_get("grants")?;
    Ok(ApiKey {
        id: row.uuid("id")?,
        name: row.try_get("name")?,
        token_sha256: row.hash("token_sha256", "api_keys, column token_sha256")?,
        grants: grants_from_json(&grants)?,
        created_at: row.timestamp("created_at")?,
        expires_at: row.optional_timestamp("expires_at")?,
        revoked_at: row.optional_timestamp("revoked_at")?,
    })
}

#[async_trait]
impl Keys for Sqlite {
    async fn create_key(&self, key: &ApiKey, event: NewEvent) -> Result<bool, LedgerError> {
        self.store.change_key(KeyChange::Create(key), event).await
    }

    async fn key_by_token(&self, token_sha256: &[u8; 32]) -> Result<Option<ApiKey>, LedgerError> {
        let select = sqlx::query("SELECT * FROM api_keys WHERE token_sha256 = $1");
        let select = select.bind(token_sha256.as_slice()).fetch_optional(&self.pool);
        self.limited(select).await?.map(|row| key_of(&row)).transpose()
    }

    async fn keys(&self) -> Result<Vec<ApiKey>, LedgerError> {
        let select = sqlx::query("SELECT * FROM api_keys ORDER BY id").fetch_all(&self.pool);
        self.limited(select).await?.iter().map(key_of).collect()
    }

    async fn revoke_key(&self, id: Uuid, now: Timestamp, event: NewEvent) -> Result<bool, LedgerError> {
        self.store.change_key(KeyChange::Revoke(id, now), event).await
    }
}
