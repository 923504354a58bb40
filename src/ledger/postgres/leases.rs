//! Leases on unfinished operations.

use async_trait::async_trait;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Row};

use crate::domain::timestamp::Timestamp;
use crate::ledger::columns::{OPERATION, StoredRow};
use crate::ledger::unfinished::{Group, backlog_of, readable};
use crate::service::ledger::{Backlog, Claim, Leases, LedgerError};

use super::Postgres;

fn claim_of(row: &PgRow) -> Result<Claim, LedgerError> {
    let number = |column| -> Result<u32, LedgerError> {
        let number: i32 = row.try_get(column)?;
        Ok(u32::try_from(number).unwrap_or_default())
    };
    Ok(Claim {
        operation: row.operation()?,
        fence: row.try_get("fence")?,
        polls: number("polls")?,
        read_backs: number("read_backs")?,
    })
}

fn group_of(row: &PgRow) -> Result<Group, LedgerError> {
    Ok(Group {
        status: row.try_get("status")?,
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
        limit: u32,
    ) -> Result<Vec<Claim>, LedgerError> {
        self.limited(self.store.check_chain(&self.core_pool)).await?;
        // Replicas that claim at the same time skip each other's rows.
        let sql = format!(
            "WITH due AS (
                SELECT operation_id FROM tracking
                WHERE due_at <= $1 AND (lease_until IS NULL OR lease_until <= $1)
                ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED
             ), claimed AS (
                UPDATE tracking t SET fence = t.fence + 1, lease_holder = $3, lease_until = $4
                FROM due WHERE t.operation_id = due.operation_id
                RETURNING t.operation_id, t.due_at, t.fence, t.polls, t.read_backs
             )
             SELECT c.fence, c.polls, c.read_backs, {OPERATION}
             FROM claimed c JOIN operations o ON o.id = c.operation_id ORDER BY c.due_at"
        );
        let claimed = sqlx::query(AssertSqlSafe(sql))
            .bind(now.to_offset())
            .bind(i64::from(limit))
            .bind(holder)
            .bind(lease_until.to_offset());
        let rows = self.limited(claimed.fetch_all(&self.core_pool)).await?;
        Ok(rows.iter().map(claim_of).filter_map(readable).collect())
    }

    async fn snooze(&self, claim: &Claim, read_back: bool, due_at: Timestamp) -> Result<bool, LedgerError> {
        let update = sqlx::query(
            "UPDATE tracking SET due_at = $1, polls = polls + 1, read_backs = read_backs + $2, lease_until = NULL,
                    lease_holder = NULL
             WHERE operation_id = $3 AND fence = $4",
        )
        .bind(due_at.to_offset())
        .bind(i32::from(read_back))
        .bind(claim.operation.id)
        .bind(claim.fence);
        Ok(self.limited(update.execute(&self.core_pool)).await?.rows_affected() == 1)
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, LedgerError> {
        let select = sqlx::query("SELECT min(greatest(due_at, lease_until)) AS due FROM tracking");
        let row = self.limited(select.fetch_one(&self.core_pool)).await?;
        row.optional_timestamp("due")
    }

    async fn backlog(&self, now: Timestamp) -> Result<Backlog, LedgerError> {
        let select = sqlx::query(
            "SELECT o.status, count(*) AS operations, min(o.created_at) AS oldest,
                    min(greatest(t.due_at, t.lease_until)) AS due
             FROM tracking t JOIN operations o ON o.id = t.operation_id GROUP BY o.status",
        );
        let rows = self.limited(select.fetch_all(&self.core_pool)).await?;
        let groups = rows.iter().map(group_of).collect::<Result<_, _>>()?;
        Ok(backlog_of(groups, now))
    }
}
