//! Idempotency keys, as far as both stores have them in common.

use crate::service::ledger::{FirstRequest, LedgerError, RequestIdentity, SecretIdentity};

use super::batch::UsedKey;
use super::columns::StoredRow;

/// The columns of a key, from `idempotency_keys k`, without the operation's.
pub(super) const KEY: &str = "k.request_sha256, k.secret_fingerprint, k.fingerprint_key_id AS secret_key_id, \
                              k.created_at AS key_created_at";

/// A row with the columns [`KEY`] and [`super::columns::OPERATION`].
pub(super) fn used_key(row: &impl StoredRow) -> Result<UsedKey, LedgerError> {
    let fingerprint = row.optional_text("secret_fingerprint")?;
    let key_id = row.optional_text("secret_key_id")?;
    let secret = fingerprint.zip(key_id).map(|(fingerprint, key_id)| SecretIdentity { fingerprint, key_id });
    let sha256 = row.hash("request_sha256", "idempotency_keys, column request_sha256")?.to_vec();
    let first = FirstRequest { request: RequestIdentity { sha256, secret }, operation: row.operation()? };
    Ok(UsedKey { first, created_at: row.timestamp("key_created_at")? })
}
