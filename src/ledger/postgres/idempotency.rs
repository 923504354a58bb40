//! Idempotency keys that have had their time.

use sqlx::postgres::PgPool;

use crate::domain::timestamp::Timestamp;
use crate::ledger::unavailable;
use crate::service::ledger::LedgerError;

/// The age stands twice: a key that is used anew meanwhile stays.
pub(super) async fn forget(pool: &PgPool, before: Timestamp, limit: u32) -> Result<u64, LedgerError> {
    let deleted = sqlx::query(
        "DELETE FROM idempotency_keys
         WHERE created_at < $1 AND (principal_id, key) IN (
            SELECT principal_id, key FROM idempotency_keys WHERE created_at < $1 LIMIT $2)",
    )
    .bind(before.to_offset())
    .bind(i64::from(limit))
    .execute(pool)
    .await
    .map_err(unavailable)?;
    Ok(deleted.rows_affected())
}
