//! Reading operations and events.

use std::net::IpAddr;

use serde_json::{Value, json as json_value};
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{AssertSqlSafe, QueryBuilder, Row, Sqlite};
use uuid::Uuid;

use crate::domain::event::{Event, EventRow};
use crate::domain::operation::{Operation, OperationId};
use crate::domain::principal::{VpcPattern, VpcScope};
use crate::domain::timestamp::Timestamp;
use crate::ledger::columns::{self, EVENT, OPERATION, OperationRow};
use crate::ledger::unavailable;
use crate::service::ledger::{Checkpoint, LedgerError};

pub(super) fn timestamp(row: &SqliteRow, column: &str) -> Result<Timestamp, LedgerError> {
    optional_timestamp(row, column)?.ok_or_else(|| LedgerError::Corrupt(format!("column {column}")))
}

pub(super) fn optional_timestamp(row: &SqliteRow, column: &str) -> Result<Option<Timestamp>, LedgerError> {
    parsed(row, column, Timestamp::parse)
}

pub(super) fn uuid(row: &SqliteRow, column: &str) -> Result<Uuid, LedgerError> {
    parsed(row, column, |text| text.parse().ok())?
        .ok_or_else(|| LedgerError::Corrupt(format!("column {column}")))
}

fn json(row: &SqliteRow, column: &str) -> Result<Option<Value>, LedgerError> {
    parsed(row, column, |text| serde_json::from_str(text).ok())
}

/// A column that is stored as text.
fn parsed<T>(
    row: &SqliteRow,
    column: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, LedgerError> {
    let text: Option<&str> = row.try_get(column).map_err(unavailable)?;
    text.map(|text| parse(text).ok_or_else(|| LedgerError::Corrupt(format!("column {column}")))).transpose()
}

pub(super) fn operation_row(row: &SqliteRow) -> Result<OperationRow, LedgerError> {
    let text = |column| row.try_get::<String, _>(column).map_err(unavailable);
    let optional = |column| row.try_get::<Option<String>, _>(column).map_err(unavailable);
    Ok(OperationRow {
        id: uuid(row, "id")?,
        status: text("status")?,
        vpc_id: text("vpc_id")?,
        gateway_id: text("gateway_id")?,
        tunnel_id: text("tunnel_id")?,
        task_id: optional("task_id")?,
        changes: json(row, "changes")?.unwrap_or_default(),
        fingerprint_key_id: optional("fingerprint_key_id")?,
        requested_by: text("requested_by")?,
        actor_kind: text("actor_kind")?,
        request_id: optional("request_id")?,
        trace_id: optional("trace_id")?,
        created_at: timestamp(row, "created_at")?,
        updated_at: timestamp(row, "updated_at")?,
        finished_at: optional_timestamp(row, "finished_at")?,
        error: json(row, "error")?,
        verification: json(row, "verification")?,
    })
}

pub(super) fn event_of(row: &SqliteRow) -> Result<Event, LedgerError> {
    let seq: i64 = row.try_get("seq").map_err(unavailable)?;
    read_event(row, seq).map_err(|_| LedgerError::UnreadableEvent(seq))
}

fn read_event(row: &SqliteRow, seq: i64) -> Result<Event, LedgerError> {
    let text = |column| row.try_get::<String, _>(column).map_err(unavailable);
    let optional = |column| row.try_get::<Option<String>, _>(column).map_err(unavailable);
    let hash = |column| -> Result<[u8; 32], LedgerError> {
        let bytes: Vec<u8> = row.try_get(column).map_err(unavailable)?;
        columns::hash(&bytes, &format!("event {seq}"))
    };
    Ok(Event {
        row: EventRow {
            seq,
            id: uuid(row, "id")?,
            occurred_at: timestamp(row, "occurred_at")?,
            event: text("event")?,
            operation_id: parsed(row, "operation_id", |id| id.parse().ok())?,
            actor: text("actor")?,
            actor_kind: text("actor_kind")?,
            source_ip: parsed(row, "source_ip", |ip| ip.parse::<IpAddr>().ok())?,
            user_agent: optional("user_agent")?,
            request_id: optional("request_id")?,
            trace_id: optional("trace_id")?,
            vpc_id: text("vpc_id")?,
            gateway_id: text("gateway_id")?,
            tunnel_id: text("tunnel_id")?,
            changes: json(row, "changes")?,
            upstream: json(row, "upstream")?,
        },
        prev_hash: hash("prev_hash")?,
        hash: hash("hash")?,
    })
}

/// Adds the VPCs that the caller may see. GLOB, because LIKE takes no notice of letter case here; ids and patterns
/// hold none of its other signs.
pub(super) fn push_scope(query: &mut QueryBuilder<Sqlite>, column: &str, patterns: &[VpcPattern]) {
    query.push(" AND (false");
    for pattern in patterns {
        query.push(format!(" OR {column} GLOB ")).push_bind(pattern.as_str().to_owned());
    }
    query.push(")");
}

pub(super) fn push_vpcs(query: &mut QueryBuilder<Sqlite>, column: &str, vpcs: &VpcScope) {
    if let VpcScope::Matching(patterns) = vpcs {
        push_scope(query, column, patterns);
    }
}

pub(super) async fn operation(
    pool: &SqlitePool,
    id: OperationId,
    vpcs: &VpcScope,
) -> Result<Option<Operation>, LedgerError> {
    let sql = format!("SELECT {OPERATION} FROM operations o WHERE o.id = ");
    let mut query = QueryBuilder::new(sql);
    query.push_bind(id.to_string());
    push_vpcs(&mut query, "o.vpc_id", vpcs);
    let row = query.build().fetch_optional(pool).await.map_err(unavailable)?;
    row.map(|row| operation_row(&row)?.into_operation()).transpose()
}

pub(super) async fn operations_by_id(
    pool: &SqlitePool,
    ids: &[OperationId],
) -> Result<Vec<Operation>, LedgerError> {
    let sql = format!("SELECT {OPERATION} FROM operations o WHERE o.id IN (SELECT value FROM json_each($1))");
    let rows = sqlx::query(AssertSqlSafe(sql))
        .bind(json_value!(ids).to_string())
        .fetch_all(pool)
        .await
        .map_err(unavailable)?;
    rows.iter().map(|row| operation_row(row)?.into_operation()).collect()
}

pub(super) async fn events_of(pool: &SqlitePool, ids: &[OperationId]) -> Result<Vec<Event>, LedgerError> {
    let sql = format!(
        "SELECT {EVENT} FROM audit_events e WHERE e.operation_id IN (SELECT value FROM json_each($1)) ORDER BY e.seq"
    );
    let rows = sqlx::query(AssertSqlSafe(sql))
        .bind(json_value!(ids).to_string())
        .fetch_all(pool)
        .await
        .map_err(unavailable)?;
    rows.iter().map(event_of).collect()
}

pub(super) async fn event(
    pool: &SqlitePool,
    seq: i64,
    vpcs: &VpcScope,
) -> Result<Option<Event>, LedgerError> {
    let mut query = QueryBuilder::new(format!("SELECT {EVENT} FROM audit_events e WHERE e.seq = "));
    query.push_bind(seq);
    push_vpcs(&mut query, "e.vpc_id", vpcs);
    let row = query.build().fetch_optional(pool).await.map_err(unavailable)?;
    row.map(|row| event_of(&row)).transpose()
}

pub(super) async fn checkpoint(pool: &SqlitePool) -> Result<Option<Checkpoint>, LedgerError> {
    let row = sqlx::query("SELECT seq, hash, occurred_at FROM audit_events ORDER BY seq DESC LIMIT 1");
    let Some(row) = row.fetch_optional(pool).await.map_err(unavailable)? else { return Ok(None) };
    let hash: Vec<u8> = row.try_get("hash").map_err(unavailable)?;
    let seq = row.try_get("seq").map_err(unavailable)?;
    Ok(Some(Checkpoint {
        seq,
        hash: columns::hash(&hash, "the newest event")?,
        at: timestamp(&row, "occurred_at")?,
    }))
}

/// Migrated to the version that this program knows, and open for writing.
pub(super) async fn ready(
    pool: &SqlitePool,
    write_pool: &SqlitePool,
    migrations: &Migrator,
) -> Result<(), LedgerError> {
    let wanted = migrations.iter().map(|migration| migration.version).max().unwrap_or_default();
    let sql = "SELECT coalesce(max(version), 0) FROM _sqlx_migrations WHERE success";
    let row = sqlx::query(sql).fetch_one(pool).await.map_err(unavailable)?;
    let found: i64 = row.try_get(0).map_err(unavailable)?;
    if found < wanted {
        return Err(LedgerError::Unavailable(format!("migration {wanted} is not applied").into()));
    }
    // A file that can't be written refuses this, and a full disk its commit.
    let mut transaction = write_pool.begin_with("BEGIN IMMEDIATE").await.map_err(unavailable)?;
    sqlx::query("UPDATE chain_head SET seq = seq").execute(&mut *transaction).await.map_err(unavailable)?;
    transaction.commit().await.map_err(unavailable)
}
