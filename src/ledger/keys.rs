//! API keys, as far as both stores have them in common.

use serde_json::Value;

use crate::domain::day::Day;
use crate::service::ledger::{ApiKey, ApiToken, LedgerError};

use super::columns::{StoredRow, grants_from_json};

/// The keys of rows that are in the order of the keys: one row a token, with the key's columns. `grants` reads the column
/// of that name.
pub(super) fn keys_of<R: StoredRow>(
    rows: &[R],
    grants: impl Fn(&R) -> Result<Value, LedgerError>,
) -> Result<Vec<ApiKey>, LedgerError> {
    let mut keys: Vec<ApiKey> = Vec::new();
    for row in rows {
        let id = row.uuid("id")?;
        if keys.last().is_none_or(|last| last.id != id) {
            keys.push(ApiKey {
                id,
                name: row.text("name")?,
                grants: grants_from_json(&grants(row)?)?,
                created_at: row.timestamp("created_at")?,
                expires_at: row.optional_timestamp("expires_at")?,
                revoked_at: row.optional_timestamp("revoked_at")?,
                tokens: Vec::new(),
            });
        }
        if let Some(key) = keys.last_mut() {
            key.tokens.push(token_of(row)?);
        }
    }
    Ok(keys)
}

fn token_of(row: &impl StoredRow) -> Result<ApiToken, LedgerError> {
    let day = row.optional_text("last_used_on")?;
    let corrupt = || LedgerError::Corrupt("api_key_tokens, column last_used_on".into());
    Ok(ApiToken {
        sha256: row.hash("token_sha256", "api_key_tokens, column token_sha256")?,
        created_at: row.timestamp("token_created_at")?,
        valid_until: row.optional_timestamp("valid_until")?,
        last_used_on: day.map(|day| Day::parse(&day).ok_or_else(corrupt)).transpose()?,
    })
}
