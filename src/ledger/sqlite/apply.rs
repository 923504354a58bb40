//! A batch in one transaction: lock, load, decide, write, commit.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::sqlite::{SqliteConnection, SqlitePool};
use sqlx::{AssertSqlSafe, Row};

use crate::domain::event::{Event, NewEvent};
use crate::domain::operation::{OperationId, Status};
use crate::failpoint;
use crate::ledger::batch::{self, Context, Moved, Needs, Opened, UsedKey, Writes};
use crate::ledger::columns::{OPERATION, StoredRow, json_of};
use crate::ledger::idempotency::{KEY, used_key};
use crate::ledger::rewound::{Comparison, Memory};
use crate::ledger::writer::{BatchError, BatchStore};
use crate::service::ledger::{LedgerError, Step, Written};

use super::chain::read_chain;
use super::failure::Failure;

pub(super) struct Store {
    pub(super) pool: SqlitePool,
    pub(super) limit: Duration,
    pub(super) memory: Arc<Memory>,
}

/// A change of rows that comes with an event of no operation.
#[async_trait]
pub(super) trait Change: Sync {
    /// Writes the rows; false if there is nothing to change.
    async fn write(&self, connection: &mut SqliteConnection) -> Result<bool, sqlx::Error>;
}

#[async_trait]
impl BatchStore for Store {
    async fn apply(&self, steps: &[Step]) -> Result<(Vec<Written>, Vec<OperationId>), BatchError> {
        Ok(self.attempt(steps).await?)
    }
}

impl Store {
    pub(super) const fn new(pool: SqlitePool, limit: Duration, memory: Arc<Memory>) -> Self {
        Self { pool, limit, memory }
    }

    /// Makes a change and writes its event in one transaction; false if there is nothing to change.
    pub(super) async fn change(&self, change: &dyn Change, event: NewEvent) -> Result<bool, LedgerError> {
        let changed = tokio::time::timeout(self.limit, async {
            let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
            let is_changed = change.write(&mut transaction).await?;
            if is_changed {
                write(&mut transaction, &[Step::Record(Box::new(event))], &self.memory).await?;
                transaction.commit().await?;
            }
            Ok::<_, Failure>(is_changed)
        });
        match changed.await {
            Ok(Ok(is_changed)) => Ok(is_changed),
            Ok(Err(failure)) => Err(failure.into()),
            Err(elapsed) => Err(LedgerError::Unavailable(Box::new(elapsed))),
        }
    }

    async fn attempt(&self, steps: &[Step]) -> Result<(Vec<Written>, Vec<OperationId>), Failure> {
        let written = tokio::time::timeout(self.limit, async {
            let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
            let writes = write(&mut transaction, steps, &self.memory).await?;
            Ok::<_, Failure>((writes, transaction))
        });
        let written =
            written.await.unwrap_or_else(|elapsed| Err(LedgerError::Unavailable(Box::new(elapsed)).into()));
        if let Err(Failure::Other(LedgerError::Rewound(_))) = &written {
            self.note_loss().await;
        }
        let (writes, transaction) = written?;
        failpoint::at!("batch.before-commit");
        // No time limit: the disk is local, and only the end of the commit shows its outcome.
        transaction.commit().await?;
        self.memory.advance(writes.head);
        let operations = writes.operations();
        Ok((writes.written, operations))
    }
}

/// Decides and writes, without the commit.
pub(super) async fn write(
    connection: &mut SqliteConnection,
    steps: &[Step],
    memory: &Memory,
) -> Result<Writes, Failure> {
    let context = load(connection, batch::needs(steps), memory).await?;
    let writes = batch::decide(steps, context)?;
    for opened in &writes.opened {
        insert_operation(connection, opened).await?;
    }
    for moved in &writes.moved {
        move_operation(connection, moved).await?;
    }
    for event in &writes.events {
        insert_event(connection, event).await?;
    }
    if !writes.events.is_empty() {
        sqlx::query("UPDATE chain_head SET seq = $1, hash = $2")
            .bind(writes.head.seq)
            .bind(writes.head.hash.as_slice())
            .execute(&mut *connection)
            .await?;
    }
    Ok(writes)
}

pub(super) async fn load(
    connection: &mut SqliteConnection,
    needs: Needs,
    memory: &Memory,
) -> Result<Context, Failure> {
    let (head, comparison) = read_chain(connection, memory).await?;
    if let Comparison::WentBack { rewound, .. } = comparison {
        return Err(LedgerError::Rewound(rewound).into());
    }
    let mut context = Context::at(head);
    for lock in needs.locks {
        let row = sqlx::query(
            "SELECT id FROM operations WHERE lock_id = $1 AND status IN ('pending', 'running', 'unknown')",
        );
        if let Some(row) = row.bind(&lock).fetch_optional(&mut *connection).await? {
            context.busy.insert(lock.clone(), row.uuid("id")?);
        }
        let row = sqlx::query("SELECT max(last_seq) FROM operations WHERE lock_id = $1").bind(&lock);
        if let Some(seq) = row.fetch_one(&mut *connection).await?.try_get(0)? {
            context.last_seqs.insert(lock, seq);
        }
    }
    for id in needs.operations {
        let row = sqlx::query(
            "SELECT o.status, t.fence FROM tracking t JOIN operations o ON o.id = t.operation_id
             WHERE t.operation_id = $1",
        );
        if let Some(row) = row.bind(id.to_string()).fetch_optional(&mut *connection).await? {
            let status = Status::from_word(row.try_get("status")?)
                .ok_or_else(|| LedgerError::Corrupt(format!("operation {id}, column status")))?;
            context.tracked.insert(id, (status, row.try_get("fence")?));
        }
    }
    for (principal, key) in needs.keys {
        if let Some(known) = load_key(connection, &principal, &key).await? {
            context.keys.insert((principal, key), known);
        }
    }
    Ok(context)
}

async fn load_key(
    connection: &mut SqliteConnection,
    principal: &str,
    key: &str,
) -> Result<Option<UsedKey>, Failure> {
    let sql = format!(
        "SELECT {KEY}, {OPERATION} FROM idempotency_keys k JOIN operations o ON o.id = k.operation_id
         WHERE k.principal_id = $1 AND k.key = $2"
    );
    let row = sqlx::query(AssertSqlSafe(sql)).bind(principal).bind(key).fetch_optional(&mut *connection);
    Ok(row.await?.map(|row| used_key(&row)).transpose()?)
}

async fn insert_operation(connection: &mut SqliteConnection, opened: &Opened) -> Result<(), Failure> {
    let operation = &opened.operation;
    let (id, created_at) = (operation.id.to_string(), operation.created_at.to_string());
    sqlx::query(
        "INSERT INTO operations (id, status, lock_id, vpc_id, gateway_id, tunnel_id, account, region, api, changes,
                                 before, reason, rollback_of, fingerprint_key_id, requested_by, actor_id, actor_kind,
                                 request_id, trace_id, created_at, updated_at, last_seq)
         VALUES ($1, 'pending', $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $19,
                 $20)",
    )
    .bind(&id)
    .bind(&opened.lock_id)
    .bind(operation.tunnel.vpc_id.as_str())
    .bind(operation.tunnel.gateway_id.as_str())
    .bind(operation.tunnel.tunnel_id.as_str())
    .bind(&operation.route.account)
    .bind(&operation.route.region)
    .bind(&operation.route.api)
    .bind(serde_json::json!(operation.changes).to_string())
    .bind(json_of(operation.before.as_ref()).map(|json| json.to_string()))
    .bind(&operation.reason)
    .bind(operation.rollback_of.map(|id| id.to_string()))
    .bind(&operation.fingerprint_key_id)
    .bind(&operation.requested_by.name)
    .bind(&operation.requested_by.id)
    .bind(operation.requested_by.kind.as_str())
    .bind(&operation.request_id)
    .bind(&operation.trace_id)
    .bind(&created_at)
    .bind(opened.last_seq)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "INSERT INTO tracking (operation_id, vpc_id, gateway_id, due_at, lease_until)
         VALUES ($1, $2, $3, $4, $4)",
    )
    .bind(&id)
    .bind(operation.tunnel.vpc_id.as_str())
    .bind(operation.tunnel.gateway_id.as_str())
    .bind(opened.lease_until.to_string())
    .execute(&mut *connection)
    .await?;
    if let Some(key) = &opened.idempotency {
        let secret = key.request.secret.as_ref();
        sqlx::query(
            "INSERT INTO idempotency_keys (principal_id, key, request_sha256, secret_fingerprint, fingerprint_key_id,
                                           operation_id, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (principal_id, key) DO UPDATE SET request_sha256 = excluded.request_sha256,
                secret_fingerprint = excluded.secret_fingerprint, fingerprint_key_id = excluded.fingerprint_key_id,
                operation_id = excluded.operation_id, created_at = excluded.created_at",
        )
        .bind(&key.principal_id)
        .bind(&key.key)
        .bind(&key.request.sha256)
        .bind(secret.map(|secret| &secret.fingerprint))
        .bind(secret.map(|secret| &secret.key_id))
        .bind(&id)
        .bind(&created_at)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

async fn move_operation(connection: &mut SqliteConnection, moved: &Moved) -> Result<(), Failure> {
    let operation = &moved.operation;
    let text = |json: Option<serde_json::Value>| json.map(|json| json.to_string());
    let id = operation.id.to_string();
    let updated = sqlx::query(
        "UPDATE operations SET status = $3, task_id = $4, updated_at = $5, finished_at = $6, error = $7,
                verification = $8, last_seq = $9
         WHERE id = $1 AND status = $2",
    )
    .bind(&id)
    .bind(moved.from.as_str())
    .bind(operation.status().as_str())
    .bind(operation.state.task_id())
    .bind(operation.updated_at.to_string())
    .bind(operation.finished_at.map(|at| at.to_string()))
    .bind(text(json_of(operation.state.error())))
    .bind(text(json_of(operation.state.verification())))
    .bind(moved.last_seq)
    .execute(&mut *connection)
    .await?;
    let tracked = match moved.due_at {
        Some(due_at) => sqlx::query(
            "UPDATE tracking SET due_at = $3, lease_until = NULL, lease_holder = NULL, polls = 0,
                    reads_different = 0, reads_open = 0, reads_failed = 0
             WHERE operation_id = $1 AND fence = $2",
        )
        .bind(&id)
        .bind(moved.fence)
        .bind(due_at.to_string()),
        None => sqlx::query("DELETE FROM tracking WHERE operation_id = $1 AND fence = $2")
            .bind(&id)
            .bind(moved.fence),
    };
    let tracked = tracked.execute(&mut *connection).await?;
    if updated.rows_affected() == 1 && tracked.rows_affected() == 1 {
        return Ok(());
    }
    // The guards were read under the write lock, so they hold unless another program writes to these tables.
    Err(Failure::Other(LedgerError::Corrupt(format!(
        "operation {id} changed under the write lock; make sure that only tunnelgate writes to the file"
    ))))
}

async fn insert_event(connection: &mut SqliteConnection, event: &Event) -> Result<(), Failure> {
    let row = &event.row;
    let text = |json: &Option<serde_json::Value>| json.as_ref().map(ToString::to_string);
    sqlx::query(
        "INSERT INTO audit_events (seq, format, id, occurred_at, event, operation_id, actor, actor_id, actor_kind,
                                   source_ip, user_agent, request_id, trace_id, vpc_id, gateway_id, tunnel_id,
                                   account, region, api, changes, before, sent, outcome, reason, rollback_of,
                                   upstream, prev_hash, hash)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
                 $23, $24, $25, $26, $27, $28)",
    )
    .bind(row.seq)
    .bind(row.format)
    .bind(row.id.to_string())
    .bind(row.occurred_at.to_string())
    .bind(&row.event)
    .bind(row.operation_id.map(|id| id.to_string()))
    .bind(&row.actor)
    .bind(&row.actor_id)
    .bind(&row.actor_kind)
    .bind(row.source_ip.map(|ip| ip.to_string()))
    .bind(&row.user_agent)
    .bind(&row.request_id)
    .bind(&row.trace_id)
    .bind(&row.vpc_id)
    .bind(&row.gateway_id)
    .bind(&row.tunnel_id)
    .bind(&row.account)
    .bind(&row.region)
    .bind(&row.api)
    .bind(text(&row.changes))
    .bind(text(&row.before))
    .bind(text(&row.sent))
    .bind(text(&row.outcome))
    .bind(&row.reason)
    .bind(row.rollback_of.map(|id| id.to_string()))
    .bind(text(&row.upstream))
    .bind(event.prev_hash.as_slice())
    .bind(event.hash.as_slice())
    .execute(&mut *connection)
    .await?;
    Ok(())
}
