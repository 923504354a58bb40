//! The partitions of `audit_events`.

use async_trait::async_trait;
use sqlx::Row;

use crate::service::ledger::{Growth, LedgerError, LogSize};

use super::Postgres;
use super::migrate::EXTEND;

const SIZE: &str = "SELECT h.seq,
        coalesce((SELECT seq FROM audit_events ORDER BY seq LIMIT 1), h.seq + 1) AS oldest,
        (SELECT max(last_seq) FROM audit_partitions()) AS last,
        (SELECT sum(pg_total_relation_size(relid))::bigint FROM pg_partition_tree('audit_events') WHERE isleaf) AS bytes
     FROM chain_head h";

#[async_trait]
impl Growth for Postgres {
    async fn extend_log(&self) -> Result<(), LedgerError> {
        self.limited(sqlx::query(EXTEND).execute(&self.core_pool)).await?;
        Ok(())
    }

    async fn log_size(&self) -> Result<LogSize, LedgerError> {
        let row = self.limited(sqlx::query(SIZE).fetch_one(&self.core_pool)).await?;
        let newest_seq = row.try_get("seq")?;
        let last: i64 = row.try_get::<Option<i64>, _>("last")?.unwrap_or_default();
        Ok(LogSize {
            oldest_seq: row.try_get("oldest")?,
            newest_seq,
            bytes: row.try_get::<Option<i64>, _>("bytes")?.unwrap_or_default(),
            room: Some(last.saturating_sub(newest_seq)),
        })
    }
}
