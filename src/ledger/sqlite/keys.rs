//! API keys.

use async_trait::async_trait;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use crate::domain::day::Day;
use crate::domain::event::NewEvent;
use crate::domain::timestamp::Timestamp;
use crate::ledger::columns::StoredRow;
use crate::ledger::key_change::KeyChange;
use crate::ledger::keys::keys_of;
use crate::service::ledger::{ApiKey, Keys, LedgerError, Rotation};

use super::Sqlite;

const BY_TOKEN: &str = "SELECT k.id, k.name, k.grants, k.created_at, k.expires_at, k.revoked_at,
        t.token_sha256, t.created_at AS token_created_at, t.valid_until, t.last_used_on
     FROM api_keys k JOIN api_key_tokens t ON t.key_id = k.id
     WHERE k.id = (SELECT key_id FROM api_key_tokens WHERE token_sha256 = $1)
     ORDER BY t.created_at, t.valid_until NULLS LAST";

const ALL: &str = "SELECT k.id, k.name, k.grants, k.created_at, k.expires_at, k.revoked_at,
        t.token_sha256, t.created_at AS token_created_at, t.valid_until, t.last_used_on
     FROM api_keys k JOIN api_key_tokens t ON t.key_id = k.id
     ORDER BY k.id, t.created_at, t.valid_until NULLS LAST";

const MARK_USED: &str = "UPDATE api_key_tokens SET last_used_on = $2
     WHERE token_sha256 = $1 AND (last_used_on IS NULL OR last_used_on < $2)";

fn all_of(rows: &[SqliteRow]) -> Result<Vec<ApiKey>, LedgerError> {
    let corrupt = |_| LedgerError::Corrupt("api_keys, column grants".into());
    keys_of(rows, |row| serde_json::from_str(&row.text("grants")?).map_err(corrupt))
}

#[async_trait]
impl Keys for Sqlite {
    async fn create_key(&self, key: &ApiKey, event: NewEvent) -> Result<bool, LedgerError> {
        self.store.change(&KeyChange::Create(key), event).await
    }

    async fn key_by_token(&self, token_sha256: &[u8; 32]) -> Result<Option<ApiKey>, LedgerError> {
        let select = sqlx::query(BY_TOKEN).bind(token_sha256.as_slice()).fetch_all(&self.pool);
        Ok(all_of(&self.limited(select).await?)?.pop())
    }

    async fn keys(&self) -> Result<Vec<ApiKey>, LedgerError> {
        all_of(&self.limited(sqlx::query(ALL).fetch_all(&self.pool)).await?)
    }

    async fn rotate_key(&self, rotation: &Rotation, event: NewEvent) -> Result<bool, LedgerError> {
        self.store.change(&KeyChange::Rotate(rotation), event).await
    }

    async fn revoke_key(&self, id: Uuid, now: Timestamp, event: NewEvent) -> Result<bool, LedgerError> {
        self.store.change(&KeyChange::Revoke(id, now), event).await
    }

    async fn mark_used(&self, tokens: &[[u8; 32]], day: &Day) -> Result<(), LedgerError> {
        self.limited(async {
            // The pool whose commits do not wait for the disk: a lost day of use is written at the next use.
            let mut transaction = self.calls_pool.begin_with("BEGIN IMMEDIATE").await?;
            for token in tokens {
                let update = sqlx::query(MARK_USED).bind(token.as_slice()).bind(day.as_str());
                update.execute(&mut *transaction).await?;
            }
            transaction.commit().await
        })
        .await
    }
}
