//! Sharing the unfinished work: leases with a fencing token.

use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{AssertSqlSafe, Row};

use crate::domain::timestamp::Timestamp;
use crate::ledger::columns::OPERATION;
use crate::ledger::unavailable;
use crate::ledger::unfinished::{Group, backlog_of, readable};
use crate::service::ledger::{Backlog, Claim, LedgerError};

use super::read::{operation_row, optional_timestamp};

/// Takes what is due and what nobody holds.
pub(super) async fn claim(
    pool: &SqlitePool,
    holder: &str,
    now: Timestamp,
    lease_until: Timestamp,
    limit: u32,
) -> Result<Vec<Claim>, LedgerError> {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await.map_err(unavailable)?;
    let claimed = sqlx::query(
        "UPDATE tracking SET fence = fence + 1, lease_holder = $3, lease_until = $4
         WHERE operation_id IN (
            SELECT operation_id FROM tracking WHERE due_at <= $1 AND (lease_until IS NULL OR lease_until <= $1)
            ORDER BY due_at LIMIT $2)
         RETURNING operation_id",
    )
    .bind(now.to_string())
    .bind(i64::from(limit))
    .bind(holder)
    .bind(lease_until.to_string())
    .fetch_all(&mut *transaction)
    .await
    .map_err(unavailable)?;
    let mut claims = Vec::with_capacity(claimed.len());
    for row in claimed {
        let id: String = row.try_get(0).map_err(unavailable)?;
        let sql = format!(
            "SELECT t.fence, t.polls, t.read_backs, {OPERATION}
             FROM tracking t JOIN operations o ON o.id = t.operation_id WHERE t.operation_id = $1"
        );
        let row = sqlx::query(AssertSqlSafe(sql)).bind(id).fetch_one(&mut *transaction).await;
        claims.push(claim_of(&row.map_err(unavailable)?));
    }
    transaction.commit().await.map_err(unavailable)?;
    Ok(claims.into_iter().filter_map(readable).collect())
}

fn claim_of(row: &SqliteRow) -> Result<Claim, LedgerError> {
    Ok(Claim {
        operation: operation_row(row)?.into_operation()?,
        fence: row.try_get("fence").map_err(unavailable)?,
        polls: row.try_get("polls").map_err(unavailable)?,
        read_backs: row.try_get("read_backs").map_err(unavailable)?,
    })
}

pub(super) async fn snooze(
    pool: &SqlitePool,
    claim: &Claim,
    read_back: bool,
    due_at: Timestamp,
) -> Result<bool, LedgerError> {
    let updated = sqlx::query(
        "UPDATE tracking SET due_at = $1, polls = polls + 1, read_backs = read_backs + $2, lease_until = NULL,
                lease_holder = NULL
         WHERE operation_id = $3 AND fence = $4",
    )
    .bind(due_at.to_string())
    .bind(i32::from(read_back))
    .bind(claim.operation.id.to_string())
    .bind(claim.fence)
    .execute(pool)
    .await
    .map_err(unavailable)?;
    Ok(updated.rows_affected() == 1)
}

pub(super) async fn next_due(pool: &SqlitePool) -> Result<Option<Timestamp>, LedgerError> {
    let row = sqlx::query("SELECT min(max(due_at, coalesce(lease_until, due_at))) AS due FROM tracking");
    let row = row.fetch_one(pool).await.map_err(unavailable)?;
    optional_timestamp(&row, "due")
}

pub(super) async fn backlog(pool: &SqlitePool, now: Timestamp) -> Result<Backlog, LedgerError> {
    let rows = sqlx::query(
        "SELECT o.status, count(*) AS operations, min(o.created_at) AS oldest,
                min(max(t.due_at, coalesce(t.lease_until, t.due_at))) AS due
         FROM tracking t JOIN operations o ON o.id = t.operation_id GROUP BY o.status",
    );
    let mut groups = Vec::new();
    for row in rows.fetch_all(pool).await.map_err(unavailable)? {
        groups.push(Group {
            status: row.try_get("status").map_err(unavailable)?,
            operations: row.try_get("operations").map_err(unavailable)?,
            oldest: optional_timestamp(&row, "oldest")?,
            due: optional_timestamp(&row, "due")?,
        });
    }
    Ok(backlog_of(groups, now))
}
