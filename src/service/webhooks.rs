//! Webhooks: events of the log as messages to receivers.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::domain::event::{Actor, EventKind, EventRow, NewEvent};
use crate::domain::operation::Operation;
use crate::domain::principal::VpcScope;
use crate::domain::timestamp::Timestamp;

use super::Service;
use super::feed::{Entry, is_readable};
use super::ledger::{LedgerError, NewIds};

/// Time limit of one attempt, from the connection to the response's status.
pub const LIMIT: Duration = Duration::from_secs(15);

/// The type of the message that `tunnelgate webhooks test` sends.
const TEST: &str = "webhook.test";

/// The public JSON form of an operation.
pub type OperationForm = fn(&Operation) -> Value;

/// Which events a receiver gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// `None` for all.
    pub events: Option<Vec<EventKind>>,
    /// An event of no VPC needs all VPCs.
    pub vpcs: VpcScope,
}

impl Filter {
    /// True if the receiver gets the event.
    #[must_use]
    pub fn passes(&self, row: &EventRow) -> bool {
        let is_wanted = |kinds: &Vec<EventKind>| kinds.iter().any(|kind| kind.as_str() == row.event.as_str());
        self.events.as_ref().is_none_or(is_wanted) && is_readable(&self.vpcs, row)
    }
}

/// A message to a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// By which a receiver notices a message that it has had.
    pub id: Uuid,
    pub body: Bytes,
}

/// Why a message was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undelivered {
    /// The label of the metric.
    pub outcome: &'static str,
    pub problem: String,
    /// The receiver asks for no attempt before this has passed.
    pub retry_after: Option<Duration>,
}

/// A receiver of messages.
#[async_trait]
pub trait Receiver: Send + Sync + Debug {
    fn name(&self) -> &str;

    fn filter(&self) -> &Filter;

    /// Makes one attempt, within [`LIMIT`]. `now` is the time in the signature.
    async fn deliver(&self, message: &Message, now: Timestamp) -> Result<(), Undelivered>;
}

/// All receivers.
pub type All = Arc<Vec<Arc<dyn Receiver>>>;

#[derive(Serialize)]
struct Body<'a> {
    r#type: &'a str,
    timestamp: Timestamp,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    event: Option<&'a RawValue>,
    operation: Option<Value>,
}

/// The type of a message about an event of this kind: `operation.failed`, `tunnel.drift_detected`, `key.created`.
#[must_use]
pub fn type_of(row: &EventRow) -> String {
    let kind = row.event.as_str();
    let is_step = EventKind::from_word(kind).is_some_and(|kind| kind.status_after().is_some());
    match kind.split_once('_') {
        _ if is_step => format!("operation.{kind}"),
        Some(("drift", _)) => format!("tunnel.{kind}"),
        Some((subject, rest)) => format!("{subject}.{rest}"),
        None if kind == EventKind::Denied.as_str() => "access.denied".to_owned(),
        None => format!("log.{kind}"),
    }
}

/// The id of a message about an event: the event's own, or in a replay under new ids one that is derived from both.
fn id_of(row: &EventRow, new_ids: Option<NewIds>) -> Uuid {
    match new_ids {
        Some(NewIds { to, salt }) if row.seq <= to => {
            let digest =
                Sha256::new().chain_update(salt.as_bytes()).chain_update(row.id.as_bytes()).finalize();
            let mut bytes = [0; 16];
            bytes.copy_from_slice(&digest[..16]);
            uuid::Builder::from_custom_bytes(bytes).into_uuid()
        }
        _ => row.id,
    }
}

fn body(r#type: &str, timestamp: Timestamp, data: Data<'_>) -> Bytes {
    // Texts, numbers and JSON values always have a JSON form.
    serde_json::to_vec(&Body { r#type, timestamp, data }).unwrap_or_default().into()
}

/// A message that says that it is a test.
#[must_use]
pub fn test_message(id: Uuid, now: Timestamp) -> Message {
    Message { id, body: body(TEST, now, Data { event: None, operation: None }) }
}

/// The event of a skipped event.
#[must_use]
pub fn skipped(id: Uuid, name: &str, seq: i64, reason: &str, now: Timestamp) -> NewEvent {
    NewEvent {
        changes: Some(json!({"webhook": {"name": name, "seq": seq}})),
        reason: Some(reason.to_owned()),
        ..NewEvent::new(id, EventKind::WebhookSkipped, Actor::command_line(), now)
    }
}

impl Service {
    /// The message about an event, with its operation as it is now.
    ///
    /// # Errors
    /// If the ledger could not be read.
    pub async fn webhook_message(
        &self,
        entry: &Entry,
        new_ids: Option<NewIds>,
        form: OperationForm,
    ) -> Result<Message, LedgerError> {
        let row = &entry.event.row;
        let operation = match row.operation_id {
            Some(id) => self.ledger.operation(id, &VpcScope::All).await?,
            None => None,
        };
        let event = serde_json::from_str(&entry.json).ok();
        let data = Data { event, operation: operation.as_ref().map(form) };
        Ok(Message { id: id_of(row, new_ids), body: body(&type_of(row), row.occurred_at, data) })
    }
}
