//! Events and operations as lines of JSON.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::domain::fingerprint::{from_hex, hex};
use crate::domain::stored::{CanonicalEvent, StoredEvent, StoredOperation};
use crate::domain::timestamp::Timestamp;
use crate::service::ledger::{EventBlock, OperationBlock};

/// Writes an event's line: its canonical form with both hashes as last members.
pub(super) fn write_event(line: &mut Vec<u8>, event: &StoredEvent<'_>, canonical: &CanonicalEvent) {
    line.clear();
    let object = canonical.object();
    line.extend_from_slice(&object[..object.len().saturating_sub(1)]);
    for (name, hash) in [("prev_hash", &event.prev_hash), ("hash", &event.hash)] {
        line.extend_from_slice(format!(",\"{name}\":\"{}\"", hex(hash)).as_bytes());
    }
    line.extend_from_slice(b"}\n");
}

/// An event of a file.
#[derive(Deserialize)]
pub(super) struct EventLine {
    seq: i64,
    format: i32,
    id: Uuid,
    occurred_at: Timestamp,
    event: String,
    operation_id: Option<Uuid>,
    actor: String,
    actor_id: Option<String>,
    actor_kind: String,
    source_ip: Option<IpAddr>,
    user_agent: Option<String>,
    request_id: Option<String>,
    trace_id: Option<String>,
    vpc_id: Option<String>,
    gateway_id: Option<String>,
    tunnel_id: Option<String>,
    account: Option<String>,
    region: Option<String>,
    api: Option<String>,
    changes: Option<Box<RawValue>>,
    before: Option<Box<RawValue>>,
    sent: Option<Box<RawValue>>,
    outcome: Option<Box<RawValue>>,
    reason: Option<String>,
    rollback_of: Option<Uuid>,
    upstream: Option<Box<RawValue>>,
    prev_hash: String,
    hash: String,
}

/// Events of a file.
pub(super) struct EventLines(pub(super) Vec<EventLine>);

fn json(value: Option<&RawValue>) -> Option<&str> {
    value.map(RawValue::get)
}

impl EventBlock for EventLines {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn event(&self, index: usize) -> Result<StoredEvent<'_>, i64> {
        let Some(line) = self.0.get(index) else { return Err(0) };
        let hashes = from_hex(&line.prev_hash).zip(from_hex(&line.hash));
        let (prev_hash, hash) = hashes.ok_or(line.seq)?;
        Ok(StoredEvent {
            seq: line.seq,
            format: line.format,
            id: line.id,
            occurred_at: line.occurred_at,
            event: &line.event,
            operation_id: line.operation_id,
            actor: &line.actor,
            actor_id: line.actor_id.as_deref(),
            actor_kind: &line.actor_kind,
            source_ip: line.source_ip,
            user_agent: line.user_agent.as_deref(),
            request_id: line.request_id.as_deref(),
            trace_id: line.trace_id.as_deref(),
            vpc_id: line.vpc_id.as_deref(),
            gateway_id: line.gateway_id.as_deref(),
            tunnel_id: line.tunnel_id.as_deref(),
            account: line.account.as_deref(),
            region: line.region.as_deref(),
            api: line.api.as_deref(),
            changes: json(line.changes.as_deref()),
            before: json(line.before.as_deref()),
            sent: json(line.sent.as_deref()),
            outcome: json(line.outcome.as_deref()),
            reason: line.reason.as_deref(),
            rollback_of: line.rollback_of,
            upstream: json(line.upstream.as_deref()),
            prev_hash,
            hash,
        })
    }
}

/// An operation of a file: the columns of `operations` without `lock_id`, which follows from the others.
#[derive(Serialize, Deserialize)]
pub(super) struct OperationLine {
    id: Uuid,
    status: String,
    vpc_id: String,
    gateway_id: String,
    tunnel_id: String,
    account: String,
    region: String,
    api: String,
    task_id: Option<String>,
    changes: Box<RawValue>,
    before: Option<Box<RawValue>>,
    reason: Option<String>,
    rollback_of: Option<Uuid>,
    fingerprint_key_id: Option<String>,
    requested_by: String,
    actor_id: Option<String>,
    actor_kind: String,
    request_id: Option<String>,
    trace_id: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
    finished_at: Option<Timestamp>,
    error: Option<Box<RawValue>>,
    verification: Option<Box<RawValue>>,
    last_seq: i64,
}

impl OperationLine {
    /// # Errors
    /// If a JSON column is not JSON.
    pub(super) fn of(row: &StoredOperation<'_>) -> serde_json::Result<Self> {
        let raw = |text: &str| serde_json::from_str::<Box<RawValue>>(text);
        let text = |text: Option<&str>| text.map(str::to_owned);
        Ok(Self {
            id: row.id,
            status: row.status.to_owned(),
            vpc_id: row.vpc_id.to_owned(),
            gateway_id: row.gateway_id.to_owned(),
            tunnel_id: row.tunnel_id.to_owned(),
            account: row.account.to_owned(),
            region: row.region.to_owned(),
            api: row.api.to_owned(),
            task_id: text(row.task_id),
            changes: raw(row.changes)?,
            before: row.before.map(raw).transpose()?,
            reason: text(row.reason),
            rollback_of: row.rollback_of,
            fingerprint_key_id: text(row.fingerprint_key_id),
            requested_by: row.requested_by.to_owned(),
            actor_id: text(row.actor_id),
            actor_kind: row.actor_kind.to_owned(),
            request_id: text(row.request_id),
            trace_id: text(row.trace_id),
            created_at: row.created_at,
            updated_at: row.updated_at,
            finished_at: row.finished_at,
            error: row.error.map(raw).transpose()?,
            verification: row.verification.map(raw).transpose()?,
            last_seq: row.last_seq,
        })
    }

    fn stored(&self) -> StoredOperation<'_> {
        StoredOperation {
            id: self.id,
            status: &self.status,
            vpc_id: &self.vpc_id,
            gateway_id: &self.gateway_id,
            tunnel_id: &self.tunnel_id,
            account: &self.account,
            region: &self.region,
            api: &self.api,
            task_id: self.task_id.as_deref(),
            changes: self.changes.get(),
            before: json(self.before.as_deref()),
            reason: self.reason.as_deref(),
            rollback_of: self.rollback_of,
            fingerprint_key_id: self.fingerprint_key_id.as_deref(),
            requested_by: &self.requested_by,
            actor_id: self.actor_id.as_deref(),
            actor_kind: &self.actor_kind,
            request_id: self.request_id.as_deref(),
            trace_id: self.trace_id.as_deref(),
            created_at: self.created_at,
            updated_at: self.updated_at,
            finished_at: self.finished_at,
            error: json(self.error.as_deref()),
            verification: json(self.verification.as_deref()),
            last_seq: self.last_seq,
        }
    }
}

/// Operations of a file.
pub(super) struct OperationLines(pub(super) Vec<OperationLine>);

impl OperationBlock for OperationLines {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn operation(&self, index: usize) -> Result<StoredOperation<'_>, String> {
        self.0.get(index).map(OperationLine::stored).ok_or_else(String::new)
    }
}
