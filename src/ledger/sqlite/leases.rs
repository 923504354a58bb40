//! Leases on unfinished operations.

use async_trait::async_trait;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row};

use crate::domain::event::Route;
use crate::domain::timestamp::Timestamp;
use crate::ledger::columns::{OPERATION, StoredRow};
use crate::ledger::unfinished::{Group, NEWEST, backlog_of, readable};
use crate::service::ledger::{Backlog, Claim, Leases, LedgerError, Places, Read, Reads};

use super::Sqlite;

/// The youngest due operations.
const YOUNGEST: &str = "SELECT operation_id FROM (
        SELECT operation_id, max(due_at, coalesce(lease_until, due_at)) AS free_at FROM tracking
        ORDER BY operation_id DESC LIMIT $5
    ) WHERE free_at <= $1 ORDER BY operation_id DESC LIMIT $2";

/// The operation that is due for the longest time, and others of its gateway.
const BESIDE_THE_OLDEST: &str = "SELECT operation_id FROM tracking
    WHERE (vpc_id, gateway_id) = (
        SELECT vpc_id, gateway_id FROM tracking WHERE max(due_at, coalesce(lease_until, due_at)) <= $1
        ORDER BY max(due_at, coalesce(lease_until, due_at)) LIMIT 1
    ) AND max(due_at, coalesce(lease_until, due_at)) <= $1
    ORDER BY max(due_at, coalesce(lease_until, due_at)) LIMIT $2";

/// The operations that are due for the longest time.
const OLDEST: &str =
    "SELECT operation_id FROM tracking WHERE max(due_at, coalesce(lease_until, due_at)) <= $1
    ORDER BY max(due_at, coalesce(lease_until, due_at)) LIMIT $2";

fn claim_of(row: &SqliteRow) -> Result<Claim, LedgerError> {
    Ok(Claim {
        operation: row.operation()?,
        due_at: row.timestamp("due_at")?,
        fence: row.try_get("fence")?,
        polls: row.try_get("polls")?,
        reads: Reads {
            different: row.try_get("reads_different")?,
            open: row.try_get("reads_open")?,
            failed: row.try_get("reads_failed")?,
        },
    })
}

fn group_of(row: &SqliteRow) -> Result<Group, LedgerError> {
    Ok(Group {
        status: row.try_get("status")?,
        route: Route {
            account: row.try_get("account")?,
            region: row.try_get("region")?,
            api: row.try_get("api")?,
        },
        operations: row.try_get("operations")?,
        oldest: row.optional_timestamp("oldest")?,
        due: row.optional_timestamp("due")?,
    })
}

#[async_trait]
impl Leases for Sqlite {
    async fn claim(
        &self,
        holder: &str,
        now: Timestamp,
        lease_until: Timestamp,
        places: Places,
    ) -> Result<Vec<Claim>, LedgerError> {
        self.limited(self.store.check_chain(&self.pool)).await?;
        let (now, lease_until) = (now.to_string(), lease_until.to_string());
        let rows = self.limited(async {
            let mut transaction = self.write_pool.begin_with("BEGIN IMMEDIATE").await?;
            let mut claimed = Vec::new();
            let mut oldest = i64::from(places.oldest);
            // The last one takes what the gateway of the oldest operation has left.
            for which in [YOUNGEST, BESIDE_THE_OLDEST, OLDEST] {
                let is_youngest = which == YOUNGEST;
                let sql = format!(
                    "UPDATE tracking SET fence = fence + 1, lease_holder = $3, lease_until = $4
                     WHERE operation_id IN ({which}) RETURNING operation_id"
                );
                let update = sqlx::query(AssertSqlSafe(sql)).bind(&now);
                let update = update.bind(if is_youngest { i64::from(places.youngest) } else { oldest });
                let update = update.bind(holder).bind(&lease_until).bind(NEWEST);
                let rows = update.fetch_all(&mut *transaction).await?;
                oldest -= if is_youngest { 0 } else { i64::try_from(rows.len()).unwrap_or(oldest) };
                claimed.extend(rows);
            }
            let mut rows = Vec::with_capacity(claimed.len());
            for claimed in claimed {
                let id: String = claimed.try_get(0)?;
                let sql = format!(
                    "SELECT t.due_at, t.fence, t.polls, t.reads_different, t.reads_open, t.reads_failed,
                            {OPERATION}
                     FROM tracking t JOIN operations o ON o.id = t.operation_id WHERE t.operation_id = $1"
                );
                rows.push(sqlx::query(AssertSqlSafe(sql)).bind(id).fetch_one(&mut *transaction).await?);
            }
            transaction.commit().await?;
            Ok::<_, sqlx::Error>(rows)
        });
        let mut claims: Vec<Claim> = rows.await?.iter().map(claim_of).filter_map(readable).collect();
        claims.sort_by_key(|claim| (claim.due_at, claim.operation.id));
        Ok(claims)
    }

    async fn snooze(
        &self,
        claim: &Claim,
        read: Option<Read>,
        due_at: Timestamp,
    ) -> Result<bool, LedgerError> {
        let is = |other: Read| i32::from(read == Some(other));
        let update = sqlx::query(
            "UPDATE tracking SET due_at = $1, polls = polls + 1, reads_different = reads_different + $2,
                    reads_open = reads_open + $3, reads_failed = reads_failed + $4, lease_until = NULL,
                    lease_holder = NULL
             WHERE operation_id = $5 AND fence = $6",
        )
        .bind(due_at.to_string())
        .bind(is(Read::Different))
        .bind(is(Read::Open))
        .bind(is(Read::Failed))
        .bind(claim.operation.id.to_string())
        .bind(claim.fence);
        Ok(self.limited(update.execute(&self.write_pool)).await?.rows_affected() == 1)
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, LedgerError> {
        let select = sqlx::query(
            "SELECT max(due_at, coalesce(lease_until, due_at)) AS due FROM tracking
             ORDER BY max(due_at, coalesce(lease_until, due_at)) LIMIT 1",
        );
        let row = self.limited(select.fetch_optional(&self.pool)).await?;
        row.map_or(Ok(None), |row| row.optional_timestamp("due"))
    }

    async fn backlog(&self, now: Timestamp) -> Result<Backlog, LedgerError> {
        let select = sqlx::query(
            "SELECT o.status, o.account, o.region, o.api, count(*) AS operations, min(o.created_at) AS oldest,
                    min(max(t.due_at, coalesce(t.lease_until, t.due_at))) AS due
             FROM tracking t JOIN operations o ON o.id = t.operation_id GROUP BY 1, 2, 3, 4",
        );
        let rows = self.limited(select.fetch_all(&self.pool)).await?;
        let groups = rows.iter().map(group_of).collect::<Result<_, _>>()?;
        Ok(backlog_of(groups, now))
    }
}
