//! Decoding rows. Ids, times and JSON are stored as text.

use std::net::IpAddr;

use serde_json::Value;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use crate::domain::event::{Event, EventRow};
use crate::domain::operation::Operation;
use crate::domain::timestamp::Timestamp;
use crate::ledger::columns::{self, OperationRow, StoredRow};
use crate::service::ledger::LedgerError;

impl StoredRow for SqliteRow {
    fn operation(&self) -> Result<Operation, LedgerError> {
        OperationRow {
            id: self.uuid("id")?,
            status: self.try_get("status")?,
            vpc_id: self.try_get("vpc_id")?,
            gateway_id: self.try_get("gateway_id")?,
            tunnel_id: self.try_get("tunnel_id")?,
            account: self.try_get("account")?,
            region: self.try_get("region")?,
            api: self.try_get("api")?,
            task_id: self.try_get("task_id")?,
            changes: json(self, "changes")?.unwrap_or_default(),
            before: json(self, "before")?,
            reason: self.try_get("reason")?,
            rollback_of: parsed(self, "rollback_of", |id| id.parse().ok())?,
            fingerprint_key_id: self.try_get("fingerprint_key_id")?,
            requested_by: self.try_get("requested_by")?,
            actor_id: self.try_get("actor_id")?,
            actor_kind: self.try_get("actor_kind")?,
            request_id: self.try_get("request_id")?,
            trace_id: self.try_get("trace_id")?,
            created_at: self.timestamp("created_at")?,
            updated_at: self.timestamp("updated_at")?,
            finished_at: self.optional_timestamp("finished_at")?,
            error: json(self, "error")?,
            verification: json(self, "verification")?,
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
        parsed(self, column, |text| text.parse().ok())?
            .ok_or_else(|| LedgerError::Corrupt(format!("column {column}")))
    }

    fn optional_timestamp(&self, column: &str) -> Result<Option<Timestamp>, LedgerError> {
        parsed(self, column, Timestamp::parse)
    }

    fn hash(&self, column: &str, name: &str) -> Result<[u8; 32], LedgerError> {
        columns::hash(self.try_get(column)?, name)
    }
}

fn event(row: &SqliteRow, seq: i64) -> Result<Event, LedgerError> {
    let name = format!("event {seq}");
    Ok(Event {
        row: EventRow {
            seq,
            format: row.try_get("format")?,
            id: row.uuid("id")?,
            occurred_at: row.timestamp("occurred_at")?,
            event: row.try_get("event")?,
            operation_id: parsed(row, "operation_id", |id| id.parse().ok())?,
            actor: row.try_get("actor")?,
            actor_id: row.try_get("actor_id")?,
            actor_kind: row.try_get("actor_kind")?,
            source_ip: parsed(row, "source_ip", |ip| ip.parse::<IpAddr>().ok())?,
            user_agent: row.try_get("user_agent")?,
            request_id: row.try_get("request_id")?,
            trace_id: row.try_get("trace_id")?,
            vpc_id: row.try_get("vpc_id")?,
            gateway_id: row.try_get("gateway_id")?,
            tunnel_id: row.try_get("tunnel_id")?,
            account: row.try_get("account")?,
            region: row.try_get("region")?,
            api: row.try_get("api")?,
            changes: json(row, "changes")?,
            before: json(row, "before")?,
            sent: json(row, "sent")?,
            outcome: json(row, "outcome")?,
            reason: row.try_get("reason")?,
            rollback_of: parsed(row, "rollback_of", |id| id.parse().ok())?,
            upstream: json(row, "upstream")?,
        },
        prev_hash: row.hash("prev_hash", &name)?,
        hash: row.hash("hash", &name)?,
    })
}

fn json(row: &SqliteRow, column: &str) -> Result<Option<Value>, LedgerError> {
    parsed(row, column, |text| serde_json::from_str(text).ok())
}

fn parsed<T>(
    row: &SqliteRow,
    column: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, LedgerError> {
    let text: Option<&str> = row.try_get(column)?;
    text.map(|text| parse(text).ok_or_else(|| LedgerError::Corrupt(format!("column {column}")))).transpose()
}
