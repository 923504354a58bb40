//! The rows of a changed API key.

use sqlx::postgres::PgConnection;
use uuid::Uuid;

use crate::domain::timestamp::Timestamp;
use crate::ledger::columns::grants_to_json;
use crate::service::ledger::{ApiKey, Rotation};

/// A change of an API key.
pub(super) enum KeyChange<'a> {
    Create(&'a ApiKey),
    Rotate(&'a Rotation),
    Revoke(Uuid, Timestamp),
}

impl KeyChange<'_> {
    /// Writes the rows of the key; false if there is nothing to change.
    pub(super) async fn write(&self, connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        match self {
            Self::Create(key) => {
                let insert = sqlx::query(
                    "INSERT INTO api_keys (id, name, grants, created_at, expires_at)
                         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (name) WHERE revoked_at IS NULL DO NOTHING",
                )
                .bind(key.id)
                .bind(&key.name)
                .bind(grants_to_json(&key.grants))
                .bind(key.created_at.to_offset())
                .bind(key.expires_at.map(Timestamp::to_offset));
                if insert.execute(&mut *connection).await?.rows_affected() == 0 {
                    return Ok(false);
                }
                for token in &key.tokens {
                    insert_token(connection, key.id, &token.sha256, token.created_at).await?;
                }
                Ok(true)
            }
            Self::Rotate(rotation) => {
                let expire = sqlx::query(
                    "UPDATE api_keys SET expires_at = $2
                         WHERE id = $1 AND revoked_at IS NULL AND expires_at IS NOT DISTINCT FROM $3",
                )
                .bind(rotation.key_id)
                .bind(rotation.expires_at.map(Timestamp::to_offset))
                .bind(rotation.expired_at.map(Timestamp::to_offset));
                if expire.execute(&mut *connection).await?.rows_affected() == 0 {
                    return Ok(false);
                }
                // A token never outlives a newer one.
                sqlx::query(
                    "UPDATE api_key_tokens SET valid_until = least(coalesce(valid_until, $2), $2) WHERE key_id = $1",
                )
                .bind(rotation.key_id)
                .bind(rotation.overlap_until.to_offset())
                .execute(&mut *connection)
                .await?;
                insert_token(connection, rotation.key_id, &rotation.token_sha256, rotation.now).await?;
                Ok(true)
            }
            Self::Revoke(id, now) => {
                let revoke =
                    sqlx::query("UPDATE api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL")
                        .bind(*id)
                        .bind(now.to_offset());
                Ok(revoke.execute(connection).await?.rows_affected() == 1)
            }
        }
    }
}

async fn insert_token(
    connection: &mut PgConnection,
    key_id: Uuid,
    sha256: &[u8; 32],
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let insert =
        sqlx::query("INSERT INTO api_key_tokens (token_sha256, key_id, created_at) VALUES ($1, $2, $3)");
    let insert = insert.bind(sha256.as_slice()).bind(key_id).bind(now.to_offset());
    insert.execute(connection).await?;
    Ok(())
}
