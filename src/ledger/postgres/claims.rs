//! Sharing the unfinished work: leases with a fencing token.

use sqlx::postgres::{PgPool, PgRow};
use sqlx::{AssertSqlSafe, Row};

use crate::domain::timestamp::Timestamp;
use crate::ledger::columns::OPERATION;
use crate::ledger::unavailable;
use crate::ledger::unfinished::{Group, backlog_of, readable};
use crate::service::ledger::{Backlog, Claim, LedgerError};

use super::read::{operation_row, optional_timestamp};

/// Takes what is due and what nobody holds; other replicas take other rows at the same time.
pub(super) async fn claim(
    pool: &PgPool,
    holder: &str,
    now: Timestamp,
    lease_until: Timestamp,
    limit: u32,
) -> Result<Vec<Claim>, LedgerError> {
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
    let rows = sqlx::query(AssertSqlSafe(sql))
        .bind(now.to_offset())
        .bind(i64::from(limit))
        .bind(holder)
        .bind(lease_until.to_offset())
        .fetch_all(pool)
        .await
        .map_err(unavailable)?;
    let claim = |row: &PgRow| -> Result<Claim, LedgerError> {
        let number = |column| -> Result<u32, LedgerError> {
            let number: i32 = row.try_get(column).map_err(unavailable)?;
            Ok(u32::try_from(number).unwrap_or_default())
        };
        Ok(Claim {
            operation: operation_row(row)?.into_operation()?,
            fence: row.try_get("fence").map_err(unavailable)?,
            polls: number("polls")?,
            read_backs: number("read_backs")?,
        })
    };
    Ok(rows.iter().map(claim).filter_map(readable).collect())
}

pub(super) async fn snooze(
    pool: &PgPool,
    claim: &Claim,
    read_back: bool,
    due_at: Timestamp,
) -> Result<bool, LedgerError> {
    let updated = sqlx::query(
        "UPDATE tracking SET due_at = $1, polls = polls + 1, read_backs = read_backs + $2, lease_until = NULL,
                lease_holder = NULL
         WHERE operation_id = $3 AND fence = $4",
    )
    .bind(due_at.to_offset())
    .bind(i32::from(read_back))
    .bind(claim.operation.id)
    .bind(claim.fence)
    .execute(pool)
    .await
    .map_err(unavailable)?;
    Ok(updated.rows_affected() == 1)
}

pub(super) async fn next_due(pool: &PgPool) -> Result<Option<Timestamp>, LedgerError> {
    let row = sqlx::query("SELECT min(greatest(due_at, lease_until)) AS due FROM tracking");
    let row = row.fetch_one(pool).await.map_err(unavailable)?;
    optional_timestamp(&row, "due")
}

pub(super) async fn backlog(pool: &PgPool, now: Timestamp) -> Result<Backlog, LedgerError> {
    let rows = sqlx::query(
        "SELECT o.status, count(*) AS operations, min(o.created_at) AS oldest,
                min(greatest(t.due_at, t.lease_until)) AS due
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
