//! Snapshots: a read-only transaction, read block by block with binary COPY.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::TryStreamExt;
use sqlx::pool::PoolConnection;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Executor, Postgres as Database, Row};
use tokio::time::timeout;

use crate::domain::operation::OperationId;
use crate::ledger::archive::{SEGMENT, segment_of};
use crate::ledger::columns::{EVENT, OPERATION, StoredRow};
use crate::ledger::drift::{STORED, stored};
use crate::ledger::limited;
use crate::service::ledger::{
    ArchivedSegment, EventBlock, LedgerError, OperationBlock, Snapshot, Snapshots, StoredDrift, StoredHead,
    StoredHour,
};

use super::Postgres;
use super::copied::{Buffers, Copied, Events, Operations};

/// Every statement sees the same rows, and follows an index: the server sorts nothing. The lock comes first: a partition that
/// is dropped after the snapshot was taken is gone for it too.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;
                     SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off;
                     LOCK TABLE ONLY audit_events IN ACCESS SHARE MODE";

struct PgSnapshot {
    /// `None` while the snapshot is dropped.
    connection: Option<PoolConnection<Database>>,
    /// A COPY has started and has not ended. The connection is of no use to others.
    is_copying: bool,
    buffers: Buffers,
    limit: Duration,
}

#[async_trait]
impl Snapshots for Postgres {
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, LedgerError> {
        let connection = self.limited(self.pool.acquire()).await?;
        let mut snapshot = PgSnapshot {
            connection: Some(connection),
            is_copying: false,
            buffers: Buffers::default(),
            limit: self.limit,
        };
        let begun = async { snapshot.connection()?.execute(BEGIN).await.map_err(LedgerError::from) };
        limited(self.limit, begun).await?;
        Ok(Box::new(snapshot))
    }
}

impl PgSnapshot {
    fn connection(&mut self) -> Result<&mut PoolConnection<Database>, LedgerError> {
        self.connection.as_mut().ok_or_else(|| LedgerError::Unavailable("the snapshot has ended".into()))
    }

    async fn copy(&mut self, select: &str) -> Result<Copied, LedgerError> {
        let statement = format!("COPY ({select}) TO STDOUT (FORMAT binary)");
        self.is_copying = true;
        let limit = self.limit;
        let mut bytes = self.buffers.take();
        let connection = self.connection()?;
        let copied = limited(limit, async {
            let mut copy = connection.copy_out_raw(&statement).await?;
            while let Some(data) = copy.try_next().await? {
                bytes.extend_from_slice(&data);
            }
            Ok::<_, sqlx::Error>(bytes)
        });
        let copied = copied.await?;
        self.is_copying = false;
        Copied::new(copied, self.buffers.clone())
            .ok_or_else(|| LedgerError::Corrupt("the format of COPY".into()))
    }
}

impl Drop for PgSnapshot {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (is_copying, limit) = (self.is_copying, self.limit);
        runtime.spawn(async move {
            let is_free = !is_copying
                && timeout(limit, connection.execute("ROLLBACK")).await.is_ok_and(|ended| ended.is_ok());
            if !is_free {
                let _ = timeout(limit, connection.close()).await;
            }
        });
    }
}

#[async_trait]
impl Snapshot for PgSnapshot {
    async fn head(&mut self) -> Result<Option<StoredHead>, LedgerError> {
        let limit = self.limit;
        let select = sqlx::query("SELECT seq, hash FROM chain_head");
        let row = limited(limit, select.fetch_optional(&mut **self.connection()?)).await?;
        row.map(|row| Ok(StoredHead { seq: row.try_get("seq")?, hash: row.try_get("hash")? })).transpose()
    }

    async fn hours(&mut self) -> Result<Vec<StoredHour>, LedgerError> {
        let limit = self.limit;
        let select = sqlx::query("SELECT hour, first_seq, last_seq FROM audit_hours");
        let rows = limited(limit, select.fetch_all(&mut **self.connection()?)).await?;
        // A row whose hour is not a time covers no event.
        let hour = |row: &PgRow| {
            Some(StoredHour {
                start: StoredRow::timestamp(row, "hour").ok()?,
                first_seq: row.try_get("first_seq").ok()?,
                last_seq: row.try_get("last_seq").ok()?,
            })
        };
        Ok(rows.iter().filter_map(hour).collect())
    }

    async fn vpcs(&mut self) -> Result<Option<Vec<String>>, LedgerError> {
        let limit = self.limit;
        let select = sqlx::query("SELECT vpc_id FROM audit_vpcs");
        let rows = limited(limit, select.fetch_all(&mut **self.connection()?)).await?;
        Ok(Some(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?))
    }

    async fn drift(&mut self) -> Result<Vec<StoredDrift>, LedgerError> {
        let limit = self.limit;
        // A statement that failed would end the transaction.
        let table = sqlx::query("SELECT to_regclass('drift') IS NOT NULL");
        let row = limited(limit, table.fetch_one(&mut **self.connection()?)).await?;
        if !row.try_get::<bool, _>(0)? {
            return Ok(Vec::new());
        }
        let select = AssertSqlSafe(format!("SELECT {STORED} FROM drift"));
        let rows = limited(limit, sqlx::query(select).fetch_all(&mut **self.connection()?)).await?;
        rows.iter().map(stored).collect()
    }

    async fn archived(&mut self) -> Result<Vec<ArchivedSegment>, LedgerError> {
        let limit = self.limit;
        let select = AssertSqlSafe(format!("SELECT {SEGMENT} FROM archived_segments ORDER BY first_seq"));
        let rows = limited(limit, sqlx::query(select).fetch_all(&mut **self.connection()?)).await?;
        rows.iter().map(segment_of).collect()
    }

    async fn events(&mut self, after: i64, limit: u32) -> Result<Box<dyn EventBlock>, LedgerError> {
        // With an upper bound the planner looks at one or two partitions. A block without events may be a gap.
        let last = after.saturating_add(limit.into());
        let block = self.copy(&events(&format!("e.seq > {after} AND e.seq <= {last}"), limit)).await?;
        if block.count() > 0 {
            return Ok(Box::new(Events(block)));
        }
        Ok(Box::new(Events(self.copy(&events(&format!("e.seq > {after}"), limit)).await?)))
    }

    async fn events_of(&mut self, ids: &[OperationId]) -> Result<Box<dyn EventBlock>, LedgerError> {
        let ids = array(ids);
        let select =
            format!("SELECT {EVENT} FROM audit_events e WHERE e.operation_id = ANY({ids}) ORDER BY e.seq");
        Ok(Box::new(Events(self.copy(&select).await?)))
    }

    async fn operations(
        &mut self,
        after: Option<OperationId>,
        limit: u32,
    ) -> Result<Box<dyn OperationBlock>, LedgerError> {
        let after = after.map(|id| format!("WHERE o.id > '{id}'")).unwrap_or_default();
        let select =
            format!("SELECT {OPERATION}, o.last_seq FROM operations o {after} ORDER BY o.id LIMIT {limit}");
        Ok(Box::new(Operations(self.copy(&select).await?)))
    }

    async fn operations_of(&mut self, ids: &[OperationId]) -> Result<Box<dyn OperationBlock>, LedgerError> {
        let ids = array(ids);
        let select =
            format!("SELECT {OPERATION}, o.last_seq FROM operations o WHERE o.id = ANY({ids}) ORDER BY o.id");
        Ok(Box::new(Operations(self.copy(&select).await?)))
    }
}

fn events(condition: &str, limit: u32) -> String {
    format!("SELECT {EVENT} FROM audit_events e WHERE {condition} ORDER BY e.seq LIMIT {limit}")
}

/// COPY has no parameters. The text of a UUID needs no quoting.
fn array(ids: &[OperationId]) -> String {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    format!("'{{{}}}'::uuid[]", ids.join(","))
}
