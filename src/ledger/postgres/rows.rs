//! Decoding rows.

use std::net::IpAddr;

use ipnet::IpNet;
use sqlx::Row;
use sqlx::postgres::PgRow;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::event::{Event, EventRow};
use crate::domain::operation::Operation;
use crate::domain::timestamp::Timestamp;
use crate::ledger::columns::{self, OperationRow, StoredRow};
use crate::service::ledger::LedgerError;

impl StoredRow for PgRow {
    fn operation(&self) -> Result<Operation, LedgerError> {
        OperationRow {
            id: self.try_get("id")?,
            status: self.try_get("status")?,
            vpc_id: self.try_get("vpc_id")?,
            gateway_id: self.try_get("gateway_id")?,
            tunnel_id: self.try_get("tunnel_id")?,
            account: self.try_get("account")?,
            region: self.try_get("region")?,
            api: self.try_get("api")?,
            task_id: self.try_get("task_id")?,
            changes: self.try_get("changes")?,
            before: self.try_get("before")?,
            reason: self.try_get("reason")?,
            rollback_of: self.try_get("rollback_of")?,
            fingerprint_key_id: self.try_get("fingerprint_key_id")?,
            requested_by: self.try_get("requested_by")?,
            actor_id: self.try_get("actor_id")?,
            actor_kind: self.try_get("actor_kind")?,
            request_id: self.try_get("request_id")?,
            trace_id: self.try_get("trace_id")?,
            created_at: self.timestamp("created_at")?,
            updated_at: self.timestamp("updated_at")?,
            finished_at: self.optional_timestamp("finished_at")?,
            error: self.try_get("error")?,
            verification: self.try_get("verification")?,
        }
        .into_operation()
    }

    fn event(&self) -> Result<Event, LedgerError> {
        let seq: i64 = self.try_get("seq")?;
        event(self, seq).map_err(|_| LedgerError::UnreadableEvent(seq))
    }

    fn text(&self, column: &str) -> Result<String, LedgerError> {
        Ok(self.try_get(column)?)
    }

    fn optional_text(&self, column: &str) -> Result<Option<String>, LedgerError> {
        Ok(self.try_get(column)?)
    }

    fn number(&self, column: &str) -> Result<Option<i64>, LedgerError> {
        Ok(self.try_get(column)?)
    }

    fn flag(&self, column: &str) -> Result<bool, LedgerError> {
        Ok(self.try_get(column)?)
    }

    fn uuid(&self, column: &str) -> Result<Uuid, LedgerError> {
        Ok(self.try_get(column)?)
    }

    fn optional_timestamp(&self, column: &str) -> Result<Option<Timestamp>, LedgerError> {
        let offset: Option<OffsetDateTime> = self.try_get(column)?;
        let timestamp = |offset| {
            Timestamp::from_offset(offset).ok_or_else(|| LedgerError::Corrupt(format!("column {column}")))
        };
        offset.map(timestamp).transpose()
    }

    fn hash(&self, column: &str, name: &str) -> Result<[u8; 32], LedgerError> {
        columns::hash(self.try_get(column)?, name)
    }
}

fn event(row: &PgRow, seq: i64) -> Result<Event, LedgerError> {
    let name = format!("event {seq}");
    let source_ip: Option<IpNet> = row.try_get("source_ip")?;
    Ok(Event {
        row: EventRow {
            seq,
            format: row.try_get("format")?,
            id: row.try_get("id")?,
            occurred_at: row.timestamp("occurred_at")?,
            event: row.try_get("event")?,
            operation_id: row.try_get("operation_id")?,
            actor: row.try_get("actor")?,
            actor_id: row.try_get("actor_id")?,
            actor_kind: row.try_get("actor_kind")?,
            source_ip: source_ip.map(|net| -> IpAddr { net.addr() }),
            user_agent: row.try_get("user_agent")?,
            request_id: row.try_get("request_id")?,
            trace_id: row.try_get("trace_id")?,
            vpc_id: row.try_get("vpc_id")?,
            gateway_id: row.try_get("gateway_id")?,
            tunnel_id: row.try_get("tunnel_id")?,
            account: row.try_get("account")?,
            region: row.try_get("region")?,
            api: row.try_get("api")?,
            changes: row.try_get("changes")?,
            before: row.try_get("before")?,
            sent: row.try_get("sent")?,
            outcome: row.try_get("outcome")?,
            reason: row.try_get("reason")?,
            rollback_of: row.try_get("rollback_of")?,
            upstream: row.try_get("upstream")?,
        },
        prev_hash: row.hash("prev_hash", &name)?,
        hash: row.hash("hash", &name)?,
    })
}
