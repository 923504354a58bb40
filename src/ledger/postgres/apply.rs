//! A batch in one transaction: lock the head of the chain, load, decide, write, commit.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::{PgConnection, PgPool};
use sqlx::{Connection, Row};
use time::OffsetDateTime;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{error, warn};
use uuid::Uuid;

use crate::domain::event::Event;
use crate::domain::operation::{OperationId, Status};
use crate::domain::timestamp::Timestamp;
use crate::ledger::batch::{self, Context, Head, KnownKey, Moved, Needs, Opened, Writes};
use crate::ledger::columns::{self, OPERATION, json_of};
use crate::ledger::unavailable;
use crate::ledger::writer::{BatchError, BatchStore};
use crate::service::ledger::{LedgerError, Step, Written};

use super::read;
use super::sqlstate::{Fault, fault};

/// Attempts at a batch that failed for the moment only.
const ATTEMPTS: u32 = 3;
/// The wait before the fate of a commit is looked for again.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

pub(super) struct Store {
    pool: PgPool,
    limit: Duration,
}

/// Why a batch did not come about.
enum Failure {
    /// The database refused a row.
    Refused(sqlx::Error),
    /// Nothing was written, and another attempt may succeed.
    Passing(sqlx::Error),
    Other(LedgerError),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(refusal) => match refusal.code().map(|code| fault(&code)) {
                Some(Fault::Row) => Self::Refused(error),
                Some(Fault::Moment) => Self::Passing(error),
                Some(Fault::Server) | None => Self::Other(unavailable(error)),
            },
            sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => Self::Passing(error),
            _ => Self::Other(unavailable(error)),
        }
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        Self::Other(error)
    }
}

impl From<Failure> for BatchError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(error) => Self::Refused(unavailable(error)),
            Failure::Passing(error) => Self::Unavailable(unavailable(error)),
            Failure::Other(error) => Self::Unavailable(error),
        }
    }
}

/// How a transaction ended that came as far as its commit.
enum Ended {
    Committed(Writes),
    /// The answer to the commit was lost.
    Doubtful(Writes, sqlx::Error),
}

#[async_trait]
impl BatchStore for Store {
    async fn apply(&self, steps: Vec<Step>) -> Result<(Vec<Written>, Vec<OperationId>), BatchError> {
        let deadline = Instant::now() + self.limit;
        let mut attempt = 1;
        loop {
            match self.attempt(steps.clone(), deadline).await {
                Err(Failure::Passing(error)) if attempt < ATTEMPTS && Instant::now() < deadline => {
                    warn!(
                        error = &error as &dyn std::error::Error,
                        "a batch failed for the moment; trying again"
                    );
                    attempt += 1;
                }
                result => return Ok(result?),
            }
        }
    }
}

impl Store {
    pub(super) const fn new(pool: PgPool, limit: Duration) -> Self {
        Self { pool, limit }
    }

    /// Has come to the commit by the deadline, or writes nothing.
    async fn attempt(
        &self,
        steps: Vec<Step>,
        deadline: Instant,
    ) -> Result<(Vec<Written>, Vec<OperationId>), Failure> {
        let mut connection = timeout_at(deadline, self.pool.acquire()).await.map_err(late)??;
        let writes = match in_transaction(&mut connection, steps, deadline, self.limit).await {
            Ok(Ended::Committed(writes)) => writes,
            Ok(Ended::Doubtful(writes, lost)) => {
                // Nobody knows what this connection is in the middle of.
                drop(connection.detach());
                self.find_out(&writes, lost).await?;
                writes
            }
            Err(Failure::Refused(error)) => return Err(Failure::Refused(error)),
            Err(failure) => {
                // It may be dead, or lead to a server that is no longer the one to write to; a pool that takes it
                // back would wait for it.
                drop(connection.detach());
                return Err(failure);
            }
        };
        let operations = writes.operations();
        Ok((writes.written, operations))
    }

    /// The answer to a commit was lost. Under the lock of the chain's head the old transaction has ended one way or
    /// the other, so its last event is there or will never be.
    async fn find_out(&self, writes: &Writes, lost: sqlx::Error) -> Result<(), Failure> {
        let Some(last) = writes.events.last() else { return Ok(()) };
        warn!(
            error = &lost as &dyn std::error::Error,
            seq = last.row.seq,
            "the answer to a commit was lost; looking"
        );
        let deadline = Instant::now() + self.limit * 2;
        let mut failed = lost;
        while Instant::now() < deadline {
            match timeout_at(deadline, self.is_there(last.row.id)).await {
                Ok(Ok(true)) => return Ok(()),
                Ok(Ok(false)) => return Err(Failure::Passing(failed)),
                Ok(Err(error)) => failed = error,
                Err(_) => break,
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        error!(seq = last.row.seq, "nobody can tell whether this batch was committed");
        Err(Failure::Other(unavailable(failed)))
    }

    async fn is_there(&self, event: Uuid) -> Result<bool, sqlx::Error> {
        // Out of the pool: it may be as dead as the one that was lost, and its place must stay free.
        let mut connection = self.pool.acquire().await?.detach();
        let mut transaction = connection.begin().await?;
        sqlx::query("SELECT seq FROM chain_head FOR UPDATE").execute(&mut *transaction).await?;
        let found = sqlx::query("SELECT 1 FROM audit_events WHERE id = $1").bind(event);
        let found = found.fetch_optional(&mut *transaction).await?.is_some();
        transaction.rollback().await?;
        Ok(found)
    }
}

fn late(elapsed: Elapsed) -> LedgerError {
    LedgerError::Unavailable(Box::new(elapsed))
}

/// The whole transaction. An error says that nothing was committed.
async fn in_transaction(
    connection: &mut PgConnection,
    steps: Vec<Step>,
    deadline: Instant,
    commit_limit: Duration,
) -> Result<Ended, Failure> {
    let written = timeout_at(deadline, async {
        let mut transaction = connection.begin().await?;
        let writes = write(&mut transaction, steps).await?;
        Ok::<_, Failure>((writes, transaction))
    });
    let (writes, transaction) = written.await.map_err(late)??;
    if writes.events.is_empty() {
        // Nothing to keep: the transaction only looked, and dropping it ends it.
        return Ok(Ended::Committed(writes));
    }
    Ok(match timeout(commit_limit, transaction.commit()).await {
        Ok(Ok(())) => Ended::Committed(writes),
        Ok(Err(error)) => Ended::Doubtful(writes, error),
        Err(_) => Ended::Doubtful(writes, sqlx::Error::PoolTimedOut),
    })
}

/// Everything but the commit.
async fn write(connection: &mut PgConnection, steps: Vec<Step>) -> Result<Writes, Failure> {
    let needs = batch::needs(&steps);
    let context = load(connection, needs).await?;
    let writes = batch::decide(steps, context)?;
    if !writes.opened.is_empty() {
        insert_operations(connection, &writes.opened).await?;
    }
    if !writes.moved.is_empty() {
        move_operations(connection, &writes.moved).await?;
    }
    if !writes.events.is_empty() {
        insert_events(connection, &writes).await?;
    }
    Ok(writes)
}

async fn load(connection: &mut PgConnection, needs: Needs) -> Result<Context, Failure> {
    // From here on nobody else writes steps. What is read after it is read in snapshots that see all that they wrote.
    let head = sqlx::query("SELECT seq, hash FROM chain_head FOR UPDATE").fetch_one(&mut *connection).await?;
    let hash: Vec<u8> = head.try_get("hash")?;
    let head = Head { seq: head.try_get("seq")?, hash: columns::hash(&hash, "chain_head")? };
    let mut context = Context { head, busy: HashMap::new(), keys: HashMap::new(), tracked: HashMap::new() };
    if !needs.tunnels.is_empty() {
        let rows = sqlx::query(
            "SELECT tunnel_id, id FROM operations
             WHERE tunnel_id = ANY($1) AND status IN ('pending', 'running', 'unknown')",
        );
        for row in rows.bind(&needs.tunnels).fetch_all(&mut *connection).await? {
            context.busy.insert(row.try_get(0)?, row.try_get(1)?);
        }
    }
    if !needs.operations.is_empty() {
        let rows = sqlx::query(
            "SELECT t.operation_id, o.status, t.fence
             FROM tracking t JOIN operations o ON o.id = t.operation_id
             WHERE t.operation_id = ANY($1) FOR UPDATE OF t",
        );
        for row in rows.bind(&needs.operations).fetch_all(&mut *connection).await? {
            let id: Uuid = row.try_get(0)?;
            let status = Status::from_word(row.try_get(1)?)
                .ok_or_else(|| LedgerError::Corrupt(format!("operation {id}, column status")))?;
            context.tracked.insert(id, (status, row.try_get(2)?));
        }
    }
    if !needs.keys.is_empty() {
        context.keys = known_keys(connection, &needs.keys).await?;
    }
    Ok(context)
}

async fn known_keys(
    connection: &mut PgConnection,
    wanted: &[(String, String)],
) -> Result<HashMap<(String, String), KnownKey>, Failure> {
    let (principals, keys): (Vec<&str>, Vec<&str>) =
        wanted.iter().map(|(principal, key)| (principal.as_str(), key.as_str())).unzip();
    let sql = format!(
        "SELECT k.principal_id, k.key, k.fingerprint, k.created_at AS key_created_at, {OPERATION}
         FROM unnest($1::text[], $2::text[]) AS w (principal_id, key)
         JOIN idempotency_keys k ON k.principal_id = w.principal_id AND k.key = w.key
         JOIN operations o ON o.id = k.operation_id"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(principals).bind(keys);
    let mut known = HashMap::new();
    for row in rows.fetch_all(&mut *connection).await? {
        let key = KnownKey {
            fingerprint: row.try_get("fingerprint")?,
            created_at: read::timestamp(&row, "key_created_at")?,
            operation: read::operation_row(&row)?.into_operation()?,
        };
        known.insert((row.try_get("principal_id")?, row.try_get("key")?), key);
    }
    Ok(known)
}

async fn insert_operations(connection: &mut PgConnection, opened: &[Opened]) -> Result<(), Failure> {
    let operations = || opened.iter().map(|opened| &opened.operation);
    let with_key = || opened.iter().filter_map(|o| Some((&o.operation, o.idempotency.as_ref()?)));
    let inserted = sqlx::query(
        "WITH opened AS (
            INSERT INTO operations (id, status, vpc_id, gateway_id, tunnel_id, changes, requested_by, actor_kind,
                                    request_id, trace_id, created_at, updated_at)
            SELECT id, 'pending', vpc_id, gateway_id, tunnel_id, changes::jsonb, requested_by, actor_kind, request_id,
                   trace_id, created_at, created_at
            FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                        $8::text[], $9::text[], $10::timestamptz[])
              AS o (id, vpc_id, gateway_id, tunnel_id, changes, requested_by, actor_kind, request_id, trace_id,
                    created_at)
            RETURNING id
         ), tracked AS (
            INSERT INTO tracking (operation_id, due_at, lease_until)
            SELECT id, lease_until, lease_until FROM unnest($1::uuid[], $11::timestamptz[]) AS t (id, lease_until)
         ), known AS (
            INSERT INTO idempotency_keys (principal_id, key, fingerprint, operation_id, created_at)
            SELECT * FROM unnest($12::text[], $13::text[], $14::bytea[], $15::uuid[], $16::timestamptz[])
            ON CONFLICT (principal_id, key) DO UPDATE SET fingerprint = excluded.fingerprint,
                operation_id = excluded.operation_id, created_at = excluded.created_at
         )
         SELECT count(*) FROM opened",
    )
    .bind(operations().map(|o| o.id).collect::<Vec<Uuid>>())
    .bind(operations().map(|o| o.tunnel.vpc_id.as_str()).collect::<Vec<_>>())
    .bind(operations().map(|o| o.tunnel.gateway_id.as_str()).collect::<Vec<_>>())
    .bind(operations().map(|o| o.tunnel.tunnel_id.as_str()).collect::<Vec<_>>())
    .bind(operations().map(|o| serde_json::json!(o.changes).to_string()).collect::<Vec<_>>())
    .bind(operations().map(|o| o.requested_by.name.as_str()).collect::<Vec<_>>())
    .bind(operations().map(|o| o.requested_by.kind.as_str()).collect::<Vec<_>>())
    .bind(operations().map(|o| o.request_id.as_deref()).collect::<Vec<_>>())
    .bind(operations().map(|o| o.trace_id.as_deref()).collect::<Vec<_>>())
    .bind(operations().map(|o| o.created_at.to_offset()).collect::<Vec<OffsetDateTime>>())
    .bind(opened.iter().map(|o| o.lease_until.to_offset()).collect::<Vec<_>>())
    .bind(with_key().map(|(_, key)| key.principal_id.as_str()).collect::<Vec<_>>())
    .bind(with_key().map(|(_, key)| key.key.as_str()).collect::<Vec<_>>())
    .bind(with_key().map(|(_, key)| key.fingerprint.as_slice()).collect::<Vec<_>>())
    .bind(with_key().map(|(operation, _)| operation.id).collect::<Vec<_>>())
    .bind(with_key().map(|(operation, _)| operation.created_at.to_offset()).collect::<Vec<_>>())
    .fetch_one(&mut *connection)
    .await?;
    counted(inserted.try_get(0)?, opened.len())
}

async fn move_operations(connection: &mut PgConnection, moved: &[Moved]) -> Result<(), Failure> {
    let operations = || moved.iter().map(|moved| &moved.operation);
    let offset = |at: Option<Timestamp>| at.map(Timestamp::to_offset);
    let text = |json: Option<serde_json::Value>| json.map(|json| json.to_string());
    let updated = sqlx::query(
        "WITH moved AS (
            SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[],
                                 $6::timestamptz[], $7::text[], $8::text[], $9::bigint[], $10::timestamptz[])
              AS m (id, was, status, task_id, updated_at, finished_at, error, verification, fence, due_at)
         ), operation AS (
            UPDATE operations o
            SET status = m.status, task_id = m.task_id, updated_at = m.updated_at, finished_at = m.finished_at,
                error = m.error::jsonb, verification = m.verification::jsonb
            FROM moved m WHERE o.id = m.id AND o.status = m.was
            RETURNING o.id
         ), still AS (
            UPDATE tracking t SET due_at = m.due_at, lease_until = NULL, lease_holder = NULL, polls = 0, read_backs = 0
            FROM moved m WHERE t.operation_id = m.id AND t.fence = m.fence AND m.due_at IS NOT NULL
            RETURNING t.operation_id
         ), ended AS (
            DELETE FROM tracking t USING moved m
            WHERE t.operation_id = m.id AND t.fence = m.fence AND m.due_at IS NULL
            RETURNING t.operation_id
         )
         SELECT least((SELECT count(*) FROM operation),
                      (SELECT count(*) FROM still) + (SELECT count(*) FROM ended))",
    )
    .bind(operations().map(|o| o.id).collect::<Vec<Uuid>>())
    .bind(moved.iter().map(|m| m.from.as_str()).collect::<Vec<_>>())
    .bind(operations().map(|o| o.status().as_str()).collect::<Vec<_>>())
    .bind(operations().map(|o| o.state.task_id()).collect::<Vec<_>>())
    .bind(operations().map(|o| o.updated_at.to_offset()).collect::<Vec<_>>())
    .bind(operations().map(|o| offset(o.finished_at)).collect::<Vec<_>>())
    .bind(operations().map(|o| text(json_of(o.state.error()))).collect::<Vec<_>>())
    .bind(operations().map(|o| text(json_of(o.state.verification()))).collect::<Vec<_>>())
    .bind(moved.iter().map(|m| m.fence).collect::<Vec<_>>())
    .bind(moved.iter().map(|m| offset(m.due_at)).collect::<Vec<_>>())
    .fetch_one(&mut *connection)
    .await?;
    counted(updated.try_get(0)?, moved.len())
}

/// The guards are checked under the lock, so a count that is off means that something else writes our tables.
fn counted(rows: i64, expected: usize) -> Result<(), Failure> {
    if usize::try_from(rows) == Ok(expected) {
        return Ok(());
    }
    Err(Failure::Other(LedgerError::Corrupt(format!(
        "{expected} operations should have been written and {rows} were: something else writes to the ledger"
    ))))
}

async fn insert_events(connection: &mut PgConnection, writes: &Writes) -> Result<(), Failure> {
    let rows = || writes.events.iter().map(|event| &event.row);
    let text = |json: &Option<serde_json::Value>| json.as_ref().map(ToString::to_string);
    let hashes =
        |of: fn(&Event) -> &[u8; 32]| writes.events.iter().map(move |e| of(e).as_slice()).collect::<Vec<_>>();
    sqlx::query(
        "WITH events AS (
            INSERT INTO audit_events (seq, id, occurred_at, event, operation_id, actor, actor_kind, source_ip,
                                      user_agent, request_id, trace_id, vpc_id, gateway_id, tunnel_id, changes, upstream,
                                      prev_hash, hash)
            SELECT seq, id, occurred_at, event, operation_id, actor, actor_kind, source_ip::inet, user_agent, request_id,
                   trace_id, vpc_id, gateway_id, tunnel_id, changes::jsonb, upstream::jsonb, prev_hash, hash
            FROM unnest($1::bigint[], $2::uuid[], $3::timestamptz[], $4::text[], $5::uuid[], $6::text[], $7::text[],
                        $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[],
                        $15::text[], $16::text[], $17::bytea[], $18::bytea[])
              AS e (seq, id, occurred_at, event, operation_id, actor, actor_kind, source_ip, user_agent, request_id,
                    trace_id, vpc_id, gateway_id, tunnel_id, changes, upstream, prev_hash, hash)
         ), head AS (
            UPDATE chain_head SET seq = $19, hash = $20
         )
         SELECT count(pg_notify('tunnelgate_steps', step::text)) FROM unnest($21::uuid[]) AS step",
    )
    .bind(rows().map(|r| r.seq).collect::<Vec<_>>())
    .bind(rows().map(|r| r.id).collect::<Vec<_>>())
    .bind(rows().map(|r| r.occurred_at.to_offset()).collect::<Vec<_>>())
    .bind(rows().map(|r| r.event.as_str()).collect::<Vec<_>>())
    .bind(rows().map(|r| r.operation_id).collect::<Vec<_>>())
    .bind(rows().map(|r| r.actor.as_str()).collect::<Vec<_>>())
    .bind(rows().map(|r| r.actor_kind.as_str()).collect::<Vec<_>>())
    .bind(rows().map(|r| r.source_ip.map(|ip| ip.to_string())).collect::<Vec<_>>())
    .bind(rows().map(|r| r.user_agent.as_deref()).collect::<Vec<_>>())
    .bind(rows().map(|r| r.request_id.as_deref()).collect::<Vec<_>>())
    .bind(rows().map(|r| r.trace_id.as_deref()).collect::<Vec<_>>())
    .bind(rows().map(|r| r.vpc_id.as_str()).collect::<Vec<_>>())
    .bind(rows().map(|r| r.gateway_id.as_str()).collect::<Vec<_>>())
    .bind(rows().map(|r| r.tunnel_id.as_str()).collect::<Vec<_>>())
    .bind(rows().map(|r| text(&r.changes)).collect::<Vec<_>>())
    .bind(rows().map(|r| text(&r.upstream)).collect::<Vec<_>>())
    .bind(hashes(|event| &event.prev_hash))
    .bind(hashes(|event| &event.hash))
    .bind(writes.head.seq)
    .bind(writes.head.hash.as_slice())
    .bind(writes.operations())
    .fetch_one(&mut *connection)
    .await?;
    Ok(())
}
