//! Leases on unfinished operations.

use async_trait::async_trait;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Row};

use crate::domain::event::Route;
use crate::domain::timestamp::Timestamp;
use crate::ledger::columns::{OPERATION, StoredRow};
use crate::ledger::unfinished::{Group, NEWEST, backlog_of, readable};
use crate::service::ledger::{Backlog, Claim, Leases, LedgerError, Places, Read, Reads};

use super::Postgres;

/// Claims the `$2` youngest due operations and the `$3` oldest. Replicas that claim at the same time skip each other's rows.
/// The arrays make the planner look the rows up by their keys.
const CLAIM: &str = "WITH youngest AS (
    SELECT operation_id FROM tracking
    WHERE operation_id = ANY (ARRAY(
        SELECT operation_id FROM (
            SELECT operation_id, greatest(due_at, lease_until) AS free_at FROM tracking
            ORDER BY operation_id DESC LIMIT $6
        ) AS newest WHERE free_at <= $1 ORDER BY operation_id DESC LIMIT $2
    )) AND greatest(due_at, lease_until) <= $1
    FOR UPDATE SKIP LOCKED
), oldest AS (
    SELECT vpc_id, gateway_id FROM tracking
    WHERE greatest(due_at, lease_until) <= $1 AND operation_id NOT IN (SELECT operation_id FROM youngest)
    ORDER BY greatest(due_at, lease_until) LIMIT 1
), beside AS (
    SELECT t.operation_id FROM oldest o JOIN tracking t ON t.vpc_id = o.vpc_id AND t.gateway_id = o.gateway_id
    WHERE greatest(t.due_at, t.lease_until) <= $1 AND t.operation_id NOT IN (SELECT operation_id FROM youngest)
    ORDER BY greatest(t.due_at, t.lease_until) LIMIT $3
    FOR UPDATE OF t SKIP LOCKED
), others AS (
    SELECT operation_id FROM tracking
    WHERE greatest(due_at, lease_until) <= $1
      AND operation_id NOT IN (SELECT operation_id FROM youngest UNION ALL SELECT operation_id FROM beside)
    ORDER BY greatest(due_at, lease_until) LIMIT $3 - (SELECT count(*) FROM beside)
    FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE tracking SET fence = fence + 1, lease_holder = $4, lease_until = $5
    WHERE operation_id = ANY (ARRAY(
        SELECT operation_id FROM youngest UNION ALL SELECT operation_id FROM beside
        UNION ALL SELECT operation_id FROM others
    ))
    RETURNING operation_id, due_at, fence, polls, reads_different, reads_open, reads_failed
)";

fn claim_of(row: &PgRow) -> Result<Claim, LedgerError> {
    let number = |column| -> Result<u32, LedgerError> {
        let number: i32 = row.try_get(column)?;
        Ok(u32::try_from(number).unwrap_or_default())
    };
    Ok(Claim {
        operation: row.operation()?,
        due_at: row.timestamp("due_at")?,
        fence: row.try_get("fence")?,
        polls: number("polls")?,
        reads: Reads {
            different: number("reads_different")?,
            open: number("reads_open")?,
            failed: number("reads_failed")?,
        },
    })
}

fn group_of(row: &PgRow) -> Result<Group, LedgerError> {
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
impl Leases for Postgres {
    async fn claim(
        &self,
        holder: &str,
        now: Timestamp,
        lease_until: Timestamp,
        places: Places,
    ) -> Result<Vec<Claim>, LedgerError> {
        self.limited(self.store.check_chain(&self.core_pool)).await?;
        let sql = format!(
            "{CLAIM} SELECT c.due_at, c.fence, c.polls, c.reads_different, c.reads_open, c.reads_failed,
                    {OPERATION}
             FROM claimed c JOIN operations o ON o.id = c.operation_id ORDER BY c.due_at, o.id"
        );
        let claimed = sqlx::query(AssertSqlSafe(sql))
            .bind(now.to_offset())
            .bind(i64::from(places.youngest))
            .bind(i64::from(places.oldest))
            .bind(holder)
            .bind(lease_until.to_offset())
            .bind(NEWEST);
        let rows = self.limited(claimed.fetch_all(&self.core_pool)).await?;
        Ok(rows.iter().map(claim_of).filter_map(readable).collect())
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
        .bind(due_at.to_offset())
        .bind(is(Read::Different))
        .bind(is(Read::Open))
        .bind(is(Read::Failed))
        .bind(claim.operation.id)
        .bind(claim.fence);
        Ok(self.limited(update.execute(&self.core_pool)).await?.rows_affected() == 1)
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, LedgerError> {
        let select = sqlx::query(
            "SELECT greatest(due_at, lease_until) AS due FROM tracking
             ORDER BY greatest(due_at, lease_until) LIMIT 1",
        );
        let row = self.limited(select.fetch_optional(&self.core_pool)).await?;
        row.map_or(Ok(None), |row| row.optional_timestamp("due"))
    }

    async fn backlog(&self, now: Timestamp) -> Result<Backlog, LedgerError> {
        let select = sqlx::query(
            "SELECT o.status, o.account, o.region, o.api, count(*) AS operations, min(o.created_at) AS oldest,
                    min(greatest(t.due_at, t.lease_until)) AS due
             FROM tracking t JOIN operations o ON o.id = t.operation_id GROUP BY 1, 2, 3, 4",
        );
        let rows = self.limited(select.fetch_all(&self.core_pool)).await?;
        let groups = rows.iter().map(group_of).collect::<Result<_, _>>()?;
        Ok(backlog_of(groups, now))
    }
}
