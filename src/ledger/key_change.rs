//! The rows of a changed API key, for both stores.

use serde_json::Value as Json;
use uuid::Uuid;

use crate::domain::timestamp::Timestamp;
use crate::service::ledger::{ApiKey, Rotation};

use super::columns::grants_to_json;

/// A change of an API key.
pub(super) enum KeyChange<'a> {
    Create(&'a ApiKey),
    Rotate(&'a Rotation),
    Revoke(Uuid, Timestamp),
}

/// The value of a placeholder. Each store binds it in the type of its column.
pub(super) enum KeyValue<'a> {
    Id(Uuid),
    Text(&'a str),
    Json(Json),
    Bytes(&'a [u8]),
    Time(Option<Timestamp>),
}

/// A connection that writes keys.
pub(super) trait KeyWriter: Send {
    /// Runs a statement; returns how many rows it changed.
    fn run(
        &mut self,
        sql: &'static str,
        values: Vec<KeyValue<'_>>,
    ) -> impl Future<Output = Result<u64, sqlx::Error>> + Send;
}

const CREATE: &str = "INSERT INTO api_keys (id, name, grants, created_at, expires_at)
     VALUES ($1, $2, $3, $4, $5) ON CONFLICT (name) WHERE revoked_at IS NULL DO NOTHING";
const EXPIRE: &str = "UPDATE api_keys SET expires_at = $2
     WHERE id = $1 AND revoked_at IS NULL AND expires_at IS NOT DISTINCT FROM $3";
/// A token never outlives a newer one.
const OVERLAP: &str =
    "UPDATE api_key_tokens SET valid_until = CASE WHEN valid_until < $2 THEN valid_until ELSE $2 END
     WHERE key_id = $1";
const INSERT_TOKEN: &str =
    "INSERT INTO api_key_tokens (token_sha256, key_id, created_at) VALUES ($1, $2, $3)";
const REVOKE: &str = "UPDATE api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";

impl KeyChange<'_> {
    /// Writes the rows of the key; false if there is nothing to change.
    pub(super) async fn write(&self, connection: &mut impl KeyWriter) -> Result<bool, sqlx::Error> {
        use KeyValue::{Bytes, Id, Json, Text, Time};
        let token = |key: Uuid, sha256, at| vec![Bytes(sha256), Id(key), Time(Some(at))];
        match self {
            Self::Create(key) => {
                let grants = Json(grants_to_json(&key.grants));
                let times = (Time(Some(key.created_at)), Time(key.expires_at));
                let values = vec![Id(key.id), Text(&key.name), grants, times.0, times.1];
                if connection.run(CREATE, values).await? == 0 {
                    return Ok(false);
                }
                for new in &key.tokens {
                    connection.run(INSERT_TOKEN, token(key.id, &new.sha256, new.created_at)).await?;
                }
                Ok(true)
            }
            Self::Rotate(rotation) => {
                let id = rotation.key_id;
                let expire = vec![Id(id), Time(rotation.expires_at), Time(rotation.expired_at)];
                if connection.run(EXPIRE, expire).await? == 0 {
                    return Ok(false);
                }
                connection.run(OVERLAP, vec![Id(id), Time(Some(rotation.overlap_until))]).await?;
                connection.run(INSERT_TOKEN, token(id, &rotation.token_sha256, rotation.now)).await?;
                Ok(true)
            }
            Self::Revoke(id, now) => Ok(connection.run(REVOKE, vec![Id(*id), Time(Some(*now))]).await? == 1),
        }
    }
}
