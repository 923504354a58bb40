//! Snapshots: a read transaction.

use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, Row, Sqlite as Database, Transaction};
use uuid::Uuid;

use crate::domain::operation::OperationId;
use crate::domain::stored::{StoredEvent, StoredOperation};
use crate::domain::timestamp::Timestamp;
use crate::ledger::columns::{EVENT, OPERATION};
use crate::ledger::drift::{STORED, stored};
use crate::ledger::limited;
use crate::service::ledger::{
    ArchivedSegment, EventBlock, LedgerError, OperationBlock, Snapshot, Snapshots, StoredDrift, StoredHead,
    StoredHour,
};

use super::Sqlite;

struct SqliteSnapshot {
    transaction: Transaction<'static, Database>,
    limit: Duration,
}

/// Rows with the columns [`EVENT`].
struct Events(Vec<SqliteRow>);

/// Rows with the columns [`OPERATION`] and `last_seq`.
struct Operations(Vec<SqliteRow>);

#[async_trait]
impl Snapshots for Sqlite {
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, LedgerError> {
        let transaction = self.limited(self.pool.begin()).await?;
        Ok(Box::new(SqliteSnapshot { transaction, limit: self.limit }))
    }
}

impl SqliteSnapshot {
    async fn fetch(
        &mut self,
        query: sqlx::query::Query<'_, Database, SqliteArguments>,
    ) -> Result<Vec<SqliteRow>, LedgerError> {
        limited(self.limit, query.fetch_all(&mut *self.transaction)).await
    }
}

#[async_trait]
impl Snapshot for SqliteSnapshot {
    async fn head(&mut self) -> Result<Option<StoredHead>, LedgerError> {
        // A column of SQLite can contain a value of any type.
        let rows = self
            .fetch(sqlx::query("SELECT CAST(seq AS INTEGER), CAST(hash AS BLOB) FROM chain_head"))
            .await?;
        let head = |row: &SqliteRow| Ok(StoredHead { seq: row.try_get(0)?, hash: row.try_get(1)? });
        rows.first().map(head).transpose()
    }

    async fn hours(&mut self) -> Result<Vec<StoredHour>, LedgerError> {
        let rows = self.fetch(sqlx::query("SELECT hour, first_seq, last_seq FROM audit_hours")).await?;
        // A row whose hour is not a time covers no event.
        let hour = |row: &SqliteRow| {
            let hour: &str = row.try_get(0).ok()?;
            Some(StoredHour {
                start: Timestamp::parse(&format!("{hour}:00:00Z"))?,
                first_seq: row.try_get(1).ok()?,
                last_seq: row.try_get(2).ok()?,
            })
        };
        Ok(rows.iter().filter_map(hour).collect())
    }

    async fn vpcs(&mut self) -> Result<Option<Vec<String>>, LedgerError> {
        Ok(None)
    }

    async fn drift(&mut self) -> Result<Vec<StoredDrift>, LedgerError> {
        let table = sqlx::query("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'drift'");
        if self.fetch(table).await?.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self.fetch(sqlx::query(AssertSqlSafe(format!("SELECT {STORED} FROM drift")))).await?;
        rows.iter().map(stored).collect()
    }

    /// This store does not archive.
    async fn archived(&mut self) -> Result<Vec<ArchivedSegment>, LedgerError> {
        Ok(Vec::new())
    }

    async fn events(&mut self, after: i64, limit: u32) -> Result<Box<dyn EventBlock>, LedgerError> {
        let select = format!("SELECT {EVENT} FROM audit_events e WHERE e.seq > $1 ORDER BY e.seq LIMIT $2");
        let query = sqlx::query(AssertSqlSafe(select)).bind(after).bind(limit);
        Ok(Box::new(Events(self.fetch(query).await?)))
    }

    async fn events_of(&mut self, ids: &[OperationId]) -> Result<Box<dyn EventBlock>, LedgerError> {
        let select = format!(
            "SELECT {EVENT} FROM audit_events e WHERE e.operation_id IN (SELECT value FROM json_each($1))
             ORDER BY e.seq"
        );
        let query = sqlx::query(AssertSqlSafe(select)).bind(json!(ids).to_string());
        Ok(Box::new(Events(self.fetch(query).await?)))
    }

    async fn operations(
        &mut self,
        after: Option<OperationId>,
        limit: u32,
    ) -> Result<Box<dyn OperationBlock>, LedgerError> {
        // NULL comes first, and every text after the empty one.
        let after = after.map(|id| id.to_string()).unwrap_or_default();
        let select = format!(
            "SELECT {OPERATION}, o.last_seq FROM operations o WHERE o.id > $1 ORDER BY o.id LIMIT $2"
        );
        let query = sqlx::query(AssertSqlSafe(select)).bind(after).bind(limit);
        Ok(Box::new(Operations(self.fetch(query).await?)))
    }

    async fn operations_of(&mut self, ids: &[OperationId]) -> Result<Box<dyn OperationBlock>, LedgerError> {
        let select = format!(
            "SELECT {OPERATION}, o.last_seq FROM operations o WHERE o.id IN (SELECT value FROM json_each($1))
             ORDER BY o.id"
        );
        let query = sqlx::query(AssertSqlSafe(select)).bind(json!(ids).to_string());
        Ok(Box::new(Operations(self.fetch(query).await?)))
    }
}

impl EventBlock for Events {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn event(&self, index: usize) -> Result<StoredEvent<'_>, i64> {
        let row = Columns { row: &self.0[index], at: 0 };
        let seq = self.0[index].try_get(0).unwrap_or_default();
        event(row).ok_or(seq)
    }
}

impl OperationBlock for Operations {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn operation(&self, index: usize) -> Result<StoredOperation<'_>, String> {
        let row = Columns { row: &self.0[index], at: 0 };
        operation(row).ok_or_else(|| self.0[index].try_get(0).unwrap_or_default())
    }
}

fn event(mut row: Columns<'_>) -> Option<StoredEvent<'_>> {
    Some(StoredEvent {
        seq: row.number()?,
        format: i32::try_from(row.number()?).ok()?,
        id: row.parsed()??,
        occurred_at: row.timestamp()??,
        event: row.text()??,
        operation_id: row.parsed()?,
        actor: row.text()??,
        actor_id: row.text()?,
        actor_kind: row.text()??,
        source_ip: row.parsed::<IpAddr>()?,
        user_agent: row.text()?,
        request_id: row.text()?,
        trace_id: row.text()?,
        vpc_id: row.text()?,
        gateway_id: row.text()?,
        tunnel_id: row.text()?,
        account: row.text()?,
        region: row.text()?,
        api: row.text()?,
        changes: row.text()?,
        before: row.text()?,
        sent: row.text()?,
        outcome: row.text()?,
        reason: row.text()?,
        rollback_of: row.parsed()?,
        upstream: row.text()?,
        prev_hash: row.bytes()?.try_into().ok()?,
        hash: row.bytes()?.try_into().ok()?,
    })
}

fn operation(mut row: Columns<'_>) -> Option<StoredOperation<'_>> {
    Some(StoredOperation {
        id: row.parsed::<Uuid>()??,
        status: row.text()??,
        vpc_id: row.text()??,
        gateway_id: row.text()??,
        tunnel_id: row.text()??,
        account: row.text()??,
        region: row.text()??,
        api: row.text()??,
        task_id: row.text()?,
        changes: row.text()??,
        before: row.text()?,
        reason: row.text()?,
        rollback_of: row.parsed()?,
        fingerprint_key_id: row.text()?,
        requested_by: row.text()??,
        actor_id: row.text()?,
        actor_kind: row.text()??,
        request_id: row.text()?,
        trace_id: row.text()?,
        created_at: row.timestamp()??,
        updated_at: row.timestamp()??,
        finished_at: row.timestamp()?,
        error: row.text()?,
        verification: row.text()?,
        last_seq: row.number()?,
    })
}

/// Reads columns in their order. The outer `None` is for a value that the column does not allow, the inner one for NULL.
struct Columns<'a> {
    row: &'a SqliteRow,
    at: usize,
}

#[allow(clippy::option_option, reason = "NULL is not an error")]
impl<'a> Columns<'a> {
    fn next(&mut self) -> usize {
        self.at += 1;
        self.at - 1
    }

    fn text(&mut self) -> Option<Option<&'a str>> {
        self.row.try_get(self.next()).ok()
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        self.row.try_get(self.next()).ok()
    }

    fn number(&mut self) -> Option<i64> {
        self.row.try_get(self.next()).ok()
    }

    fn parsed<T: FromStr>(&mut self) -> Option<Option<T>> {
        self.text()?.map_or(Some(None), |text| text.parse().ok().map(Some))
    }

    fn timestamp(&mut self) -> Option<Option<Timestamp>> {
        self.text()?.map_or(Some(None), |text| Timestamp::parse(text).map(Some))
    }
}
