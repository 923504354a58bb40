//! Rows of the ledger as they are stored, borrowed from the block in which the ledger read them. JSON columns are text.
//! Verification reads every row, so it decodes no more than it compares.

use std::io::Write;
use std::net::IpAddr;
use std::ops::Range;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::canonical::{NotCanonical, Writer};
use super::timestamp::Timestamp;

/// A row of `audit_events`.
#[derive(Debug, Clone)]
pub struct StoredEvent<'a> {
    pub seq: i64,
    pub format: i32,
    pub id: Uuid,
    pub occurred_at: Timestamp,
    pub event: &'a str,
    pub operation_id: Option<Uuid>,
    pub actor: &'a str,
    pub actor_id: Option<&'a str>,
    pub actor_kind: &'a str,
    pub source_ip: Option<IpAddr>,
    pub user_agent: Option<&'a str>,
    pub request_id: Option<&'a str>,
    pub trace_id: Option<&'a str>,
    pub vpc_id: Option<&'a str>,
    pub gateway_id: Option<&'a str>,
    pub tunnel_id: Option<&'a str>,
    pub account: Option<&'a str>,
    pub region: Option<&'a str>,
    pub api: Option<&'a str>,
    pub changes: Option<&'a str>,
    pub before: Option<&'a str>,
    pub sent: Option<&'a str>,
    pub outcome: Option<&'a str>,
    pub reason: Option<&'a str>,
    pub rollback_of: Option<Uuid>,
    pub upstream: Option<&'a str>,
    pub prev_hash: [u8; 32],
    pub hash: [u8; 32],
}

/// A row of `operations`, without `lock_id`, which no event has.
#[derive(Debug, Clone)]
pub struct StoredOperation<'a> {
    pub id: Uuid,
    pub status: &'a str,
    pub vpc_id: &'a str,
    pub gateway_id: &'a str,
    pub tunnel_id: &'a str,
    pub account: &'a str,
    pub region: &'a str,
    pub api: &'a str,
    pub task_id: Option<&'a str>,
    pub changes: &'a str,
    pub before: Option<&'a str>,
    pub reason: Option<&'a str>,
    pub rollback_of: Option<Uuid>,
    /// The key of the fingerprints. No event has it.
    pub fingerprint_key_id: Option<&'a str>,
    pub requested_by: &'a str,
    pub actor_id: Option<&'a str>,
    pub actor_kind: &'a str,
    pub request_id: Option<&'a str>,
    pub trace_id: Option<&'a str>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    pub error: Option<&'a str>,
    pub verification: Option<&'a str>,
    pub last_seq: i64,
}

/// The canonical form of events, one after another in the same buffer.
#[derive(Debug, Default)]
pub struct CanonicalEvent {
    writer: Writer,
    changes: Range<usize>,
    before: Range<usize>,
    outcome: Range<usize>,
}

impl CanonicalEvent {
    /// Writes the canonical form of an event, as [`super::chain::hash`] does.
    ///
    /// # Errors
    /// If a JSON column has no canonical form.
    pub fn write(&mut self, event: &StoredEvent<'_>) -> Result<(), NotCanonical> {
        let Self { writer, changes, before, outcome } = self;
        writer.out.clear();
        text(writer, r#"{"account":"#, event.account);
        text(writer, r#","actor":"#, Some(event.actor));
        text(writer, r#","actor_id":"#, event.actor_id);
        text(writer, r#","actor_kind":"#, Some(event.actor_kind));
        text(writer, r#","api":"#, event.api);
        *before = json(writer, r#","before":"#, event.before)?;
        *changes = json(writer, r#","changes":"#, event.changes)?;
        text(writer, r#","event":"#, Some(event.event));
        // Writing to memory does not fail.
        let _ = write!(writer.out, r#","format":{}"#, event.format);
        text(writer, r#","gateway_id":"#, event.gateway_id);
        id(writer, r#","id":"#, Some(event.id));
        writer.out.extend_from_slice(br#","occurred_at":""#);
        event.occurred_at.write_to(&mut writer.out);
        writer.out.push(b'"');
        id(writer, r#","operation_id":"#, event.operation_id);
        *outcome = json(writer, r#","outcome":"#, event.outcome)?;
        text(writer, r#","reason":"#, event.reason);
        text(writer, r#","region":"#, event.region);
        text(writer, r#","request_id":"#, event.request_id);
        id(writer, r#","rollback_of":"#, event.rollback_of);
        json(writer, r#","sent":"#, event.sent)?;
        let _ = write!(writer.out, r#","seq":{}"#, event.seq);
        let _ = match event.source_ip {
            Some(address) => write!(writer.out, r#","source_ip":"{address}""#),
            None => write!(writer.out, r#","source_ip":null"#),
        };
        text(writer, r#","trace_id":"#, event.trace_id);
        text(writer, r#","tunnel_id":"#, event.tunnel_id);
        json(writer, r#","upstream":"#, event.upstream)?;
        text(writer, r#","user_agent":"#, event.user_agent);
        text(writer, r#","vpc_id":"#, event.vpc_id);
        writer.out.push(b'}');
        Ok(())
    }

    /// The hash of the event that was written last, if it follows an event with this hash.
    #[must_use]
    pub fn hash(&self, prev_hash: &[u8; 32]) -> [u8; 32] {
        let mut sha = Sha256::new();
        sha.update(prev_hash);
        sha.update(&self.writer.out);
        sha.finalize().into()
    }

    /// The event that was written last: one object.
    #[must_use]
    pub fn object(&self) -> &[u8] {
        &self.writer.out
    }

    /// The canonical JSON of its `changes`; `null` if there are none.
    #[must_use]
    pub fn changes(&self) -> &[u8] {
        &self.writer.out[self.changes.clone()]
    }

    /// The canonical JSON of its `before`, likewise.
    #[must_use]
    pub fn before(&self) -> &[u8] {
        &self.writer.out[self.before.clone()]
    }

    /// The canonical JSON of its `outcome`, likewise.
    #[must_use]
    pub fn outcome(&self) -> &[u8] {
        &self.writer.out[self.outcome.clone()]
    }
}

/// The columns of operations that have a canonical form, one operation after another in the same buffer.
#[derive(Debug, Default)]
pub struct CanonicalOperation {
    writer: Writer,
    changes: Range<usize>,
    before: Range<usize>,
    outcome: Range<usize>,
}

impl CanonicalOperation {
    /// Writes an operation's JSON. `error` and `verification`, together with `status` and `task_id`, have the form of an
    /// event's `outcome`.
    ///
    /// # Errors
    /// If a JSON column has no canonical form.
    pub fn write(&mut self, operation: &StoredOperation<'_>) -> Result<(), NotCanonical> {
        let Self { writer, changes, before, outcome } = self;
        writer.out.clear();
        *changes = json(writer, "", Some(operation.changes))?;
        *before = json(writer, "", operation.before)?;
        let start = writer.out.len();
        json(writer, r#"{"error":"#, operation.error)?;
        text(writer, r#","status":"#, Some(operation.status));
        text(writer, r#","task_id":"#, operation.task_id);
        json(writer, r#","verification":"#, operation.verification)?;
        writer.out.push(b'}');
        *outcome = start..writer.out.len();
        Ok(())
    }

    /// The canonical JSON of its `changes`.
    #[must_use]
    pub fn changes(&self) -> &[u8] {
        &self.writer.out[self.changes.clone()]
    }

    /// The canonical JSON of its `before`; `null` if the tunnel was not read.
    #[must_use]
    pub fn before(&self) -> &[u8] {
        &self.writer.out[self.before.clone()]
    }

    /// The outcome that its newest event must have, as canonical JSON.
    #[must_use]
    pub fn outcome(&self) -> &[u8] {
        &self.writer.out[self.outcome.clone()]
    }
}

fn text(writer: &mut Writer, name: &str, value: Option<&str>) {
    writer.out.extend_from_slice(name.as_bytes());
    match value {
        Some(text) => writer.text(text),
        None => writer.out.extend_from_slice(b"null"),
    }
}

fn id(writer: &mut Writer, name: &str, value: Option<Uuid>) {
    writer.out.extend_from_slice(name.as_bytes());
    match value {
        Some(id) => {
            writer.out.push(b'"');
            writer.out.extend_from_slice(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()).as_bytes());
            writer.out.push(b'"');
        }
        None => writer.out.extend_from_slice(b"null"),
    }
}

/// Writes a member; returns where its value is.
fn json(writer: &mut Writer, name: &str, value: Option<&str>) -> Result<Range<usize>, NotCanonical> {
    writer.out.extend_from_slice(name.as_bytes());
    let start = writer.out.len();
    match value {
        Some(text) => writer.json(text)?,
        None => writer.out.extend_from_slice(b"null"),
    }
    Ok(start..writer.out.len())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::chain;
    use crate::domain::event::EventRow;

    #[test]
    fn a_stored_row_has_the_hash_that_was_computed_when_it_was_written() {
        let value = json!({"b": [1, {"z": "\u{1F310}", "y": "\n"}], "a": null, "c": 1.5});
        for is_full in [true, false] {
            let optional = |text: &str| is_full.then(|| text.to_owned());
            let value = is_full.then(|| value.clone());
            let row = EventRow {
                format: 1,
                seq: 41,
                id: Uuid::from_u128(7),
                occurred_at: Timestamp::from_micros(1_700_000_000_123_456),
                event: "requested".into(),
                operation_id: is_full.then(|| Uuid::from_u128(9)),
                actor: "größe \"\\\u{1}".into(),
                actor_id: optional("an id"),
                actor_kind: "api_key".into(),
                source_ip: is_full.then(|| IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1])),
                user_agent: optional("curl"),
                request_id: optional("request"),
                trace_id: optional("trace"),
                vpc_id: optional("vpc-1"),
                gateway_id: optional("vpngw-1"),
                tunnel_id: optional("vpnx-1"),
                account: optional("default"),
                region: optional("ap-guangzhou"),
                api: optional("2.0"),
                changes: value.clone(),
                before: value.clone(),
                sent: value.clone(),
                outcome: value.clone(),
                reason: optional("上海"),
                rollback_of: is_full.then(|| Uuid::from_u128(11)),
                upstream: value.clone(),
            };
            let text = value.map(|value| value.to_string());
            let json = text.as_deref();
            let stored = StoredEvent {
                seq: row.seq,
                format: row.format,
                id: row.id,
                occurred_at: row.occurred_at,
                event: &row.event,
                operation_id: row.operation_id,
                actor: &row.actor,
                actor_id: row.actor_id.as_deref(),
                actor_kind: &row.actor_kind,
                source_ip: row.source_ip,
                user_agent: row.user_agent.as_deref(),
                request_id: row.request_id.as_deref(),
                trace_id: row.trace_id.as_deref(),
                vpc_id: row.vpc_id.as_deref(),
                gateway_id: row.gateway_id.as_deref(),
                tunnel_id: row.tunnel_id.as_deref(),
                account: row.account.as_deref(),
                region: row.region.as_deref(),
                api: row.api.as_deref(),
                changes: json,
                before: json,
                sent: json,
                outcome: json,
                reason: row.reason.as_deref(),
                rollback_of: row.rollback_of,
                upstream: json,
                prev_hash: [3; 32],
                hash: [4; 32],
            };
            let mut canonical = CanonicalEvent::default();
            canonical.write(&stored).expect("a canonical form");
            assert_eq!(Some(canonical.hash(&[3; 32])), chain::hash(&[3; 32], &row));
        }
    }
}
