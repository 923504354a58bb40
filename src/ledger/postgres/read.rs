//! Reading operations and events.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgPool, PgRow};
use sqlx::{AssertSqlSafe, Postgres, QueryBuilder, Row};
use time::OffsetDateTime;

use crate::domain::event::{Event, EventRow};
use crate::domain::operation::{Operation, OperationId};
use crate::domain::principal::{VpcPattern, VpcScope};
use crate::domain::timestamp::Timestamp;
use crate::ledger::columns::{self, EVENT, OPERATION, OperationRow, like};
use crate::ledger::unavailable;
use crate::service::ledger::{Checkpoint, LedgerError};

pub(super) fn timestamp(row: &PgRow, column: &str) -> Result<Timestamp, LedgerError> {
    let offset: OffsetDateTime = row.try_get(column).map_err(unavailable)?;
    Timestamp::from_offset(offset).ok_or_else(|| LedgerError::Corrupt(format!("column {column}")))
}

pub(super) fn optional_timestamp(row: &PgRow, column: &str) -> Result<Option<Timestamp>, LedgerError> {
    let offset: Option<OffsetDateTime> = row.try_get(column).map_err(unavailable)?;
    Ok(offset.and_then(Timestamp::from_offset))
}

pub(super) fn operation_row(row: &PgRow) -> Result<OperationRow, LedgerError> {
    let read = || -> Result<OperationRow, sqlx::Error> {
        Ok(OperationRow {
            id: row.try_get("id")?,
            status: row.try_get("status")?,
            vpc_id: row.try_get("vpc_id")?,
            gateway_id: row.try_get("gateway_id")?,
            tunnel_id: row.try_get("tunnel_id")?,
            task_id: row.try_get("task_id")?,
            changes: row.try_get("changes")?,
            fingerprint_key_id: row.try_get("fingerprint_key_id")?,
            requested_by: row.try_get("requested_by")?,
            actor_kind: row.try_get("actor_kind")?,
            request_id: row.try_get("request_id")?,
            trace_id: row.try_get("trace_id")?,
            created_at: Timestamp::from_micros(0),
            updated_at: Timestamp::from_micros(0),
            finished_at: None,
            error: row.try_get("error")?,
            verification: row.try_get("verification")?,
        })
    };
    Ok(OperationRow {
        created_at: timestamp(row, "created_at")?,
        updated_at: timestamp(row, "updated_at")?,
        finished_at: optional_timestamp(row, "finished_at")?,
        ..read().map_err(unavailable)?
    })
}

pub(super) fn event_of(row: &PgRow) -> Result<Event, LedgerError> {
    let seq: i64 = row.try_get("seq").map_err(unavailable)?;
    read_event(row, seq).map_err(|_| LedgerError::UnreadableEvent(seq))
}

fn read_event(row: &PgRow, seq: i64) -> Result<Event, LedgerError> {
    let read = || -> Result<(EventRow, Vec<u8>, Vec<u8>), sqlx::Error> {
        let source_ip: Option<IpNet> = row.try_get("source_ip")?;
        let event = EventRow {
            seq,
            id: row.try_get("id")?,
            occurred_at: Timestamp::from_micros(0),
            event: row.try_get("event")?,
            operation_id: row.try_get("operation_id")?,
            actor: row.try_get("actor")?,
            actor_kind: row.try_get("actor_kind")?,
            source_ip: source_ip.map(|net| -> IpAddr { net.addr() }),
            user_agent: row.try_get("user_agent")?,
            request_id: row.try_get("request_id")?,
            trace_id: row.try_get("trace_id")?,
            vpc_id: row.try_get("vpc_id")?,
            gateway_id: row.try_get("gateway_id")?,
            tunnel_id: row.try_get("tunnel_id")?,
            changes: row.try_get::<Option<Value>, _>("changes")?,
            upstream: row.try_get::<Option<Value>, _>("upstream")?,
        };
        Ok((event, row.try_get("prev_hash")?, row.try_get("hash")?))
    };
    let (event, prev_hash, hash) = read().map_err(unavailable)?;
    let what = format!("event {}", event.seq);
    Ok(Event {
        row: EventRow { occurred_at: timestamp(row, "occurred_at")?, ..event },
        prev_hash: columns::hash(&prev_hash, &what)?,
        hash: columns::hash(&hash, &what)?,
    })
}

/// Adds the VPCs that the caller may see.
pub(super) fn push_scope(query: &mut QueryBuilder<Postgres>, column: &str, patterns: &[VpcPattern]) {
    query.push(format!(" AND {column} LIKE ANY (")).push_bind(patterns.iter().map(like).collect::<Vec<_>>());
    query.push(")");
}

pub(super) fn push_vpcs(query: &mut QueryBuilder<Postgres>, column: &str, vpcs: &VpcScope) {
    if let VpcScope::Matching(patterns) = vpcs {
        push_scope(query, column, patterns);
    }
}

pub(super) async fn operation(
    pool: &PgPool,
    id: OperationId,
    vpcs: &VpcScope,
) -> Result<Option<Operation>, LedgerError> {
    let sql = format!("SELECT {OPERATION} FROM operations o WHERE o.id = ");
    let mut query = QueryBuilder::new(sql);
    query.push_bind(id);
    push_vpcs(&mut query, "o.vpc_id", vpcs);
    let row = query.build().fetch_optional(pool).await.map_err(unavailable)?;
    row.map(|row| operation_row(&row)?.into_operation()).transpose()
}

pub(super) async fn operations_by_id(
    pool: &PgPool,
    ids: &[OperationId],
) -> Result<Vec<Operation>, LedgerError> {
    let sql = format!("SELECT {OPERATION} FROM operations o WHERE o.id = ANY($1)");
    let rows = sqlx::query(AssertSqlSafe(sql)).bind(ids).fetch_all(pool).await.map_err(unavailable)?;
    rows.iter().map(|row| operation_row(row)?.into_operation()).collect()
}

pub(super) async fn events_of(pool: &PgPool, ids: &[OperationId]) -> Result<Vec<Event>, LedgerError> {
    let sql = format!("SELECT {EVENT} FROM audit_events e WHERE e.operation_id = ANY($1) ORDER BY e.seq");
    let rows = sqlx::query(AssertSqlSafe(sql)).bind(ids).fetch_all(pool).await.map_err(unavailable)?;
    rows.iter().map(event_of).collect()
}

pub(super) async fn event(pool: &PgPool, seq: i64, vpcs: &VpcScope) -> Result<Option<Event>, LedgerError> {
    let mut query = QueryBuilder::new(format!("SELECT {EVENT} FROM audit_events e WHERE e.seq = "));
    query.push_bind(seq);
    push_vpcs(&mut query, "e.vpc_id", vpcs);
    let row = query.build().fetch_optional(pool).await.map_err(unavailable)?;
    row.map(|row| event_of(&row)).transpose()
}

pub(super) async fn checkpoint(pool: &PgPool) -> Result<Option<Checkpoint>, LedgerError> {
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
pub(super) async fn ready(pool: &PgPool, migrations: &Migrator) -> Result<(), LedgerError> {
    let wanted = migrations.iter().map(|migration| migration.version).max().unwrap_or_default();
    let sql = "SELECT coalesce(max(version), 0) FROM _sqlx_migrations WHERE success";
    let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(pool).await.map_err(unavailable)?;
    let found: i64 = row.try_get(0).map_err(unavailable)?;
    if found < wanted {
        return Err(LedgerError::Unavailable(format!("migration {wanted} is not applied").into()));
    }
    // Refused by a server that is read-only; waits for nobody's lock, because it finds no row.
    sqlx::query("UPDATE chain_head SET seq = seq WHERE false").execute(pool).await.map_err(unavailable)?;
    Ok(())
}
