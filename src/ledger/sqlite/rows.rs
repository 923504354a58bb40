//! Rows as operations, events and timestamps.

use std::net::IpAddr;

use serde_json::Value;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite};
use uuid::Uuid;

use crate::domain::event::{Event, EventRow};
use crate::domain::operation::Operation;
use crate::domain::principal::{VpcPattern, VpcScope};
use crate::domain::timestamp::Timestamp;
use crate::ledger::columns::{self, OperationRow};
use crate::service::ledger::LedgerError;

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
    let text: Option<&str> = row.try_get(column)?;
    text.map(|text| parse(text).ok_or_else(|| LedgerError::Corrupt(format!("column {column}")))).transpose()
}

pub(super) fn operation_of(row: &SqliteRow) -> Result<Operation, LedgerError> {
    let text = |column| row.try_get::<String, _>(column);
    let optional = |column| row.try_get::<Option<String>, _>(column);
    OperationRow {
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
    }
    .into_operation()
}

pub(super) fn event_of(row: &SqliteRow) -> Result<Event, LedgerError> {
    let seq: i64 = row.try_get("seq")?;
    read_event(row, seq).map_err(|_| LedgerError::UnreadableEvent(seq))
}

fn read_event(row: &SqliteRow, seq: i64) -> Result<Event, LedgerError> {
    let text = |column| row.try_get::<String, _>(column);
    let optional = |column| row.try_get::<Option<String>, _>(column);
    let hash = |column| -> Result<[u8; 32], LedgerError> {
        let bytes: Vec<u8> = row.try_get(column)?;
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
