//! The row of a changed API key.

use sqlx::sqlite::SqliteConnection;
use uuid::Uuid;

use crate::domain::timestamp::Timestamp;
use crate::ledger::columns::grants_to_json;
use crate::service::ledger::ApiKey;

/// A change of an API key.
pub(super) enum KeyChange<'a> {
    Create(&'a ApiKey),
    Revoke(Uuid, Timestamp),
}

impl KeyChange<'_> {
    /// Writes the key's row; false if there is nothing to change.
    pub(super) async fn write(&self, connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
        let written = match self {
            Self::Create(key) => sqlx::query(
                "INSERT INTO api_keys (id, name, token_sha256, grants, created_at, expires_at)
                     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name) WHERE revoked_at IS NULL DO NOTHING",
            )
            .bind(key.id.to_string())
            .bind(&key.name)
            .bind(key.token_sha256.as_slice())
            .bind(grants_to_json(&key.grants))
            .bind(key.created_at.to_string())
            .bind(key.expires_at.map(|at| at.to_string())),
            Self::Revoke(id, now) => {
                sqlx::query("UPDATE api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL")
                    .bind(id.to_string())
                    .bind(now.to_string())
            }
        };
        Ok(written.execute(connection).await?.rows_affected() == 1)
    }
}
