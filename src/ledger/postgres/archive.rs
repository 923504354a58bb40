//! Moving old events out of the ledger: partitions of `audit_events` are dropped, operations are deleted.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Connection, Row};
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use crate::domain::event::NewEvent;
use crate::domain::timestamp::Timestamp;
use crate::failpoint;
use crate::ledger::archive::{NEWEST, SEGMENT, segment_of};
use crate::ledger::batch::{self, Context};
use crate::ledger::columns::StoredRow;
use crate::ledger::rewound::Comparison;
use crate::service::ledger::{Archive, ArchivedSegment, LedgerError, Range, Removal, Step};

use super::Postgres;
use super::chain::{changed_under_lock, lock_chain};
use super::failure::Failure;
use super::write::{Path, write};

/// How long an attempt waits for the readers and writers of the log. Others wait behind it.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '500ms'";
/// A standby applies a dropped partition when no query there reads the log any more. A commit that waits for that would hold
/// its locks on the primary. With `on` it waits until the standby's disk has it.
const COMMIT: &str = "SELECT set_config('synchronous_commit', 'on', true)
     WHERE current_setting('synchronous_commit') = 'remote_apply'";
/// Pause between two attempts, in which the others run.
const PAUSE: Duration = Duration::from_secs(2);
/// Time for all attempts together.
const PATIENCE: Duration = Duration::from_secs(120);

const BUSY: &str = "another session reads the log, such as an export, a verification or a backup; nothing was removed. Try \
     again when it has ended (pg_stat_activity shows it)";

/// Full partitions, oldest first, and whether all of their events are older.
const PARTITIONS: &str = "SELECT p.first_seq, p.last_seq, NOT EXISTS (
         SELECT FROM audit_events e
         WHERE e.seq BETWEEN p.first_seq AND p.last_seq AND e.occurred_at >= $1) AS is_older
     FROM audit_partitions() p, chain_head h WHERE p.last_seq <= h.seq ORDER BY p.first_seq";

/// An unfinished operation with an event up to `$1`.
const UNFINISHED: &str = "SELECT t.operation_id FROM tracking t
     WHERE EXISTS (SELECT FROM audit_events e WHERE e.operation_id = t.operation_id AND e.seq <= $1)
     ORDER BY 1 LIMIT 1";

/// The webhook entry that has passed the fewest events. The locks keep entries from moving back meanwhile.
const LEAST_DELIVERED: &str =
    "SELECT name, seq FROM (SELECT name, seq FROM webhooks FOR UPDATE) w ORDER BY seq LIMIT 1";

/// Final operations whose events are all archived. Their ids are ordered by time, so the oldest come first and the search
/// ends at the boundary: an operation opened an hour after the last archived event has no archived event.
const REMOVE_OPERATIONS: &str = "WITH gone AS MATERIALIZED (
         SELECT o.id FROM operations o
         WHERE o.last_seq <= $1 AND o.finished_at IS NOT NULL AND o.id < $2 ORDER BY o.id LIMIT $3
     ), keys AS (DELETE FROM idempotency_keys k USING gone WHERE k.operation_id = gone.id)
     SELECT id FROM gone";

#[async_trait]
impl Archive for Postgres {
    async fn archivable(&self, before: Timestamp) -> Result<Option<Vec<Range>>, LedgerError> {
        let select = sqlx::query(PARTITIONS).bind(before.to_offset()).fetch_all(&self.core_pool);
        let rows = self.limited(select).await?;
        let mut ranges = Vec::new();
        for row in &rows {
            if !row.try_get::<bool, _>("is_older")? {
                break;
            }
            ranges.push(Range { first_seq: row.try_get("first_seq")?, last_seq: row.try_get("last_seq")? });
        }
        Ok(Some(ranges))
    }

    async fn newest_archived(&self) -> Result<Option<ArchivedSegment>, LedgerError> {
        let select = AssertSqlSafe(format!("SELECT {SEGMENT} {NEWEST}"));
        let row = self.limited(sqlx::query(select).fetch_optional(&self.core_pool)).await?;
        row.as_ref().map(segment_of::<PgRow>).transpose()
    }

    async fn remove_events(
        &self,
        segment: &ArchivedSegment,
        event: NewEvent,
    ) -> Result<Removal, LedgerError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // The connection is not reused: after a failure it may still hold locks.
            let mut connection = self.limited(self.store.pool.acquire()).await?.detach();
            let removed = timeout(self.limit, remove(&mut connection, self, segment, event.clone())).await;
            match removed {
                Ok(Ok(removal)) => return Ok(removal),
                Ok(Err(failure)) if is_waiting(&failure) && Instant::now() < deadline => {
                    drop(connection);
                    sleep(PAUSE).await;
                }
                Ok(Err(failure)) if is_waiting(&failure) => {
                    return Err(LedgerError::Unavailable(BUSY.into()));
                }
                Ok(Err(failure)) => return Err(failure.into()),
                Err(elapsed) => return Err(LedgerError::Unavailable(Box::new(elapsed))),
            }
        }
    }

    async fn remove_operations(&self, limit: u32) -> Result<u64, LedgerError> {
        let Some(newest) = self.newest_archived().await? else { return Ok(0) };
        let before = newest.last_at.plus(Duration::from_secs(60 * 60)).as_micros() / 1000;
        let before = Uuid::from_u128(u128::try_from(before).unwrap_or_default() << 80);
        self.limited(async {
            let mut transaction = self.store.pool.begin().await?;
            sqlx::query(COMMIT).execute(&mut *transaction).await?;
            let gone =
                sqlx::query(REMOVE_OPERATIONS).bind(newest.last_seq).bind(before).bind(i64::from(limit));
            let gone = gone.fetch_all(&mut *transaction).await?;
            let ids = gone.iter().map(|row| row.try_get(0)).collect::<Result<Vec<Uuid>, _>>()?;
            // A statement of its own: the keys above are gone when the foreign key is checked.
            let delete = sqlx::query("DELETE FROM operations WHERE id = ANY ($1)").bind(&ids);
            delete.execute(&mut *transaction).await?;
            transaction.commit().await?;
            Ok::<_, sqlx::Error>(ids.len() as u64)
        })
        .await
    }
}

/// True if a lock was not free in time, or two sessions waited for each other.
fn is_waiting(failure: &Failure) -> bool {
    let error = match failure {
        Failure::Refused(error) | Failure::Transient(error) => error,
        Failure::Other(LedgerError::Unavailable(error)) => match error.downcast_ref::<sqlx::Error>() {
            Some(error) => error,
            None => return false,
        },
        Failure::Other(_) => return false,
    };
    let code = error.as_database_error().and_then(|refusal| refusal.code());
    code.is_some_and(|code| code == "55P03" || code == "40P01")
}

async fn remove(
    connection: &mut PgConnection,
    ledger: &Postgres,
    segment: &ArchivedSegment,
    event: NewEvent,
) -> Result<Removal, Failure> {
    let mut transaction = connection.begin().await?;
    sqlx::query(LOCK_TIMEOUT).execute(&mut *transaction).await?;
    sqlx::query(COMMIT).execute(&mut *transaction).await?;
    // Before the lock of the chain head: a writer that waits for the head has a lock on the table already.
    sqlx::query("LOCK TABLE ONLY audit_events IN ACCESS EXCLUSIVE MODE").execute(&mut *transaction).await?;
    let (head, comparison) = lock_chain(&mut transaction, &ledger.store.memory).await?;
    if let Comparison::WentBack { rewound, .. } = comparison {
        return Err(LedgerError::Rewound(rewound).into());
    }
    let select = "SELECT name FROM audit_partitions() WHERE (first_seq, last_seq) = ($1, $2)
                  AND first_seq = (SELECT min(first_seq) FROM audit_partitions())
                  AND first_seq = (SELECT coalesce(max(last_seq), 0) + 1 FROM archived_segments)
                  AND last_seq <= (SELECT seq FROM chain_head)";
    let partition = sqlx::query(select).bind(segment.first_seq).bind(segment.last_seq);
    let Some(partition) = partition.fetch_optional(&mut *transaction).await? else {
        return Ok(Removal::NotOldest);
    };
    let unfinished = sqlx::query(UNFINISHED).bind(segment.last_seq).fetch_optional(&mut *transaction).await?;
    if let Some(row) = unfinished {
        return Ok(Removal::Unfinished(row.uuid("operation_id")?));
    }
    if let Some(row) = sqlx::query(LEAST_DELIVERED).fetch_optional(&mut *transaction).await? {
        let seq: i64 = row.try_get("seq")?;
        if seq < segment.last_seq {
            return Ok(Removal::Undelivered { webhook: row.try_get("name")?, seq });
        }
    }
    let writes = batch::decide(&[Step::Record(Box::new(event))], Context::at(head))?;
    if !write(&mut transaction, head, &writes, Path::Locked).await? {
        return Err(changed_under_lock().into());
    }
    let insert = AssertSqlSafe(format!(
        "INSERT INTO archived_segments ({SEGMENT}) VALUES ($1, $2, $3, $4, $5, $6, $7)"
    ));
    sqlx::query(insert)
        .bind(segment.first_seq)
        .bind(segment.last_seq)
        .bind(segment.last_hash.to_vec())
        .bind(segment.last_at.to_offset())
        .bind(segment.events_sha256.to_vec())
        .bind(segment.operations)
        .bind(segment.operations_sha256.to_vec())
        .execute(&mut *transaction)
        .await?;
    sqlx::query("DELETE FROM audit_hours WHERE last_seq <= $1")
        .bind(segment.last_seq)
        .execute(&mut *transaction)
        .await?;
    failpoint::at!("archive.before-drop");
    let name: String = partition.try_get("name")?;
    let drop = format!("DROP TABLE \"{}\"", name.replace('"', "\"\""));
    sqlx::query(AssertSqlSafe(drop)).execute(&mut *transaction).await?;
    failpoint::at!("archive.before-commit");
    transaction.commit().await?;
    failpoint::at!("archive.after-commit");
    Ok(Removal::Removed)
}
