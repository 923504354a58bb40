//! Rows as operations, events and timestamps.

use std::net::IpAddr;

use ipnet::IpNet;
use sqlx::postgres::PgRow;
use sqlx::{Postgres, QueryBuilder, Row};
use time::OffsetDateTime;

use crate::domain::event::{Event, EventRow};
use crate::domain::operation::Operation;
use crate::domain::principal::{VpcPattern, VpcScope};
use crate::domain::timestamp::Timestamp;
use crate::ledger::columns::{self, OperationRow, like};
use crate::service::ledger::LedgerError;

pub(super) fn timestamp(row: &PgRow, column: &str) -> Result<Timestamp, LedgerError> {
    let offset: OffsetDateTime = row.try_get(column)?;
    Timestamp::from_offset(offset).ok_or_else(|| LedgerError::Corrupt(format!("column {column}")))
}

pub(super) fn optional_timestamp(row: &PgRow, column: &str) -> Result<Option<Timestamp>, LedgerError> {
    let offset: Option<OffsetDateTime> = row.try_get(column)?;
    Ok(offset.and_then(Timestamp::from_offset))
}

pub(super) fn operation_of(row: &PgRow) -> Result<Operation, LedgerError> {
    OperationRow {
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
        created_at: timestamp(row, "created_at")?,
        updated_at: timestamp(row, "updated_at")?,
        finished_at: optional_timestamp(row, "finished_at")?,
        error: row.try_get("error")?,
        verification: row.try_get("verification")?,
    }
    .into_operation()
}

pub(super) fn event_of(row: &PgRow) -> Result<Event, LedgerError> {
    let seq: i64 = row.try_get("seq")?;
    read_event(row, seq).map_err(|_| LedgerError::UnreadableEvent(seq))
}

fn read_event(row: &PgRow, seq: i64) -> Result<Event, LedgerError> {
    let source_ip: Option<IpNet> = row.try_get("source_ip")?;
    let hash = |column| -> Result<[u8; 32], LedgerError> {
        let bytes: Vec<u8> = row.try_get(column)?;
        columns::hash(&bytes, &format!("event {seq}"))
    };
    Ok(Event {
        row: EventRow {
            seq,
            id: row.try_get("id")?,
            occurred_at: timestamp(row, "occurred_at")?,
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
            changes: row.try_get("changes")?,
            upstream: row.try_get("upstream")?,
        },
        prev_hash: hash("prev_hash")?,
        hash: hash("hash")?,
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
