//! API keys.

use serde_json::Value;
use sqlx::Row;
use sqlx::sqlite::{SqlitePool, SqliteRow};

use crate::domain::timestamp::Timestamp;
use crate::ledger::columns::{self, grants_from_json, grants_to_json};
use crate::ledger::unavailable;
use crate::service::ledger::{ApiKey, LedgerError};

use super::read::{self, optional_timestamp, timestamp};

fn key_of(row: &SqliteRow) -> Result<ApiKey, LedgerError> {
    let token: Vec<u8> = row.try_get("token_sha256").map_err(unavailable)?;
    let grants: Value = row.try_get("grants").map_err(unavailable)?;
    Ok(ApiKey {
        id: read::uuid(row, "id")?,
        name: row.try_get("name").map_err(unavailable)?,
        token_sha256: columns::hash(&token, "api_keys, column token_sha256")?,
        grants: grants_from_json(&grants)?,
        created_at: timestamp(row, "created_at")?,
        expires_at: optional_timestamp(row, "expires_at")?,
        revoked_at: optional_timestamp(row, "revoked_at")?,
    })
}

pub(super) async fn create(pool: &SqlitePool, key: &ApiKey) -> Result<bool, LedgerError> {
    let inserted = sqlx::query(
        "INSERT INTO api_keys (id, name, token_sha256, grants, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name) WHERE revoked_at IS NULL DO NOTHING",
    )
    .bind(key.id.to_string())
    .bind(&key.name)
    .bind(key.token_sha256.as_slice())
    .bind(grants_to_json(&key.grants))
    .bind(key.created_at.to_string())
    .bind(key.expires_at.map(|at| at.to_string()))
    .execute(pool)
    .await
    .map_err(unavailable)?;
    Ok(inserted.rows_affected() == 1)
}

pub(super) async fn by_token(
    pool: &SqlitePool,
    token_sha256: &[u8; 32],
) -> Result<Option<ApiKey>, LedgerError> {
    let row = sqlx::query("SELECT * FROM api_keys WHERE token_sha256 = $1").bind(token_sha256.as_slice());
    row.fetch_optional(pool).await.map_err(unavailable)?.map(|row| key_of(&row)).transpose()
}

pub(super) async fn all(pool: &SqlitePool) -> Result<Vec<ApiKey>, LedgerError> {
    let rows =
        sqlx::query("SELECT * FROM api_keys ORDER BY id").fetch_all(pool).await.map_err(unavailable)?;
    rows.iter().map(key_of).collect()
}

pub(super) async fn revoke(pool: &SqlitePool, name: &str, now: Timestamp) -> Result<bool, LedgerError> {
    let updated = sqlx::query("UPDATE api_keys SET revoked_at = $2 WHERE name = $1 AND revoked_at IS NULL")
        .bind(name)
        .bind(now.to_string())
        .execute(pool)
        .await
        .map_err(unavailable)?;
    Ok(updated.rows_affected() > 0)
}
