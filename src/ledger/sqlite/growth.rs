//! The size of the file.

use async_trait::async_trait;
use sqlx::Row;

use crate::service::ledger::{Growth, LedgerError, LogSize};

use super::Sqlite;

const SIZE: &str = "SELECT h.seq, coalesce((SELECT min(seq) FROM audit_events), h.seq + 1) AS oldest,
        (SELECT page_count FROM pragma_page_count()) * (SELECT page_size FROM pragma_page_size()) AS bytes
     FROM chain_head h";

#[async_trait]
impl Growth for Sqlite {
    async fn extend_log(&self) -> Result<(), LedgerError> {
        Ok(())
    }

    async fn log_size(&self) -> Result<LogSize, LedgerError> {
        let row = self.limited(sqlx::query(SIZE).fetch_one(&self.pool)).await?;
        Ok(LogSize {
            oldest_seq: row.try_get("oldest")?,
            newest_seq: row.try_get("seq")?,
            bytes: row.try_get("bytes")?,
            room: None,
        })
    }
}
