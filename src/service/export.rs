//! Exports of the audit log: events as JSON, NDJSON and CSV. The API and the command line write the same bytes.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::domain::event::{Event, EventRow};
use crate::domain::fingerprint::hex;
use crate::domain::principal::VpcScope;
use crate::domain::text::escaped;

use super::Service;
use super::cells::Cells;
use super::ledger::{EventFilter, Ledger, LedgerError, Order};

/// Events in one block.
const BLOCK: u32 = 500;

/// The columns, in the order of the table.
pub const COLUMNS: &[&str] = &[
    "seq",
    "format",
    "id",
    "occurred_at",
    "event",
    "operation_id",
    "actor",
    "actor_id",
    "actor_kind",
    "source_ip",
    "user_agent",
    "request_id",
    "trace_id",
    "vpc_id",
    "gateway_id",
    "tunnel_id",
    "account",
    "region",
    "api",
    "changes",
    "before",
    "sent",
    "outcome",
    "reason",
    "rollback_of",
    "upstream",
    "prev_hash",
    "hash",
];

/// How an export is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    Ndjson,
    /// A header line with [`COLUMNS`], then one record an event.
    Csv(Cells),
}

impl Format {
    /// The bytes before the first event.
    #[must_use]
    pub fn header(self) -> Vec<u8> {
        match self {
            Self::Ndjson => Vec::new(),
            Self::Csv(cells) => [cells.start(), cells.record(COLUMNS)].concat(),
        }
    }

    /// An event with its line end.
    #[must_use]
    pub fn line(self, event: &Event) -> Vec<u8> {
        match self {
            Self::Ndjson => ndjson(event),
            Self::Csv(cells) => csv(event, cells),
        }
    }
}

/// Reads the events that match, oldest first, block by block. No connection is held between two blocks.
pub struct Export {
    ledger: Arc<dyn Ledger>,
    vpcs: VpcScope,
    filter: EventFilter,
    format: Format,
    /// Seq of the newest event that was read.
    after: Option<i64>,
    /// Seq of the last event to export; `None` exports until no event is left.
    last: Option<i64>,
    header: Vec<u8>,
}

impl Export {
    /// An export of every event, until none is left.
    #[must_use]
    pub fn all(ledger: Arc<dyn Ledger>, format: Format) -> Self {
        let (vpcs, filter) = (VpcScope::All, EventFilter::default());
        Self { ledger, vpcs, filter, format, after: None, last: None, header: format.header() }
    }

    /// The next block's bytes, the header's included in the first; `None` at the end.
    ///
    /// # Errors
    /// If the ledger could not be read.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, LedgerError> {
        let events =
            self.ledger.events(&self.vpcs, &self.filter, Order::OldestFirst, self.after, BLOCK).await?;
        self.after = events.last().map(|event| event.row.seq).or(self.after);
        let mut bytes = std::mem::take(&mut self.header);
        for event in events.iter().filter(|event| self.last.is_none_or(|last| event.row.seq <= last)) {
            bytes.extend(self.format.line(event));
        }
        Ok((!bytes.is_empty()).then_some(bytes))
    }
}

impl Service {
    /// Begins an export of the events that match. It ends with the newest event of this moment, even while the log grows.
    ///
    /// # Errors
    /// If the ledger could not be read.
    pub async fn export(
        &self,
        vpcs: VpcScope,
        filter: EventFilter,
        format: Format,
    ) -> Result<Export, LedgerError> {
        let last = self.ledger.checkpoint().await?.map_or(0, |newest| newest.seq);
        let ledger = self.ledger.clone();
        Ok(Export { ledger, vpcs, filter, format, after: None, last: Some(last), header: format.header() })
    }
}

/// One line of the audit log: every column of `audit_events`.
#[derive(Serialize)]
pub struct EventView<'a> {
    #[serde(flatten)]
    row: &'a EventRow,
    prev_hash: String,
    hash: String,
}

impl<'a> From<&'a Event> for EventView<'a> {
    fn from(event: &'a Event) -> Self {
        Self { row: &event.row, prev_hash: hex(&event.prev_hash), hash: hex(&event.hash) }
    }
}

/// An event as one line of NDJSON, with its line end. Some readers also split lines at U+2028 and the like, which only
/// occur inside texts, so they are escaped.
fn ndjson(event: &Event) -> Vec<u8> {
    // Texts, numbers and JSON values always have a JSON form.
    let line = serde_json::to_string(&EventView::from(event)).unwrap_or_default();
    let mut line = escaped(&line).into_owned().into_bytes();
    line.push(b'\n');
    line
}

/// An event as one record of CSV; an absent value is an empty field, JSON is a text field.
fn csv(event: &Event, cells: Cells) -> Vec<u8> {
    let row = &event.row;
    let id = |id: &Option<Uuid>| id.map(|id| id.to_string()).unwrap_or_default();
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let json = |value: &Option<Value>| value.as_ref().map(ToString::to_string).unwrap_or_default();
    cells.record(&[
        row.seq.to_string(),
        row.format.to_string(),
        row.id.to_string(),
        row.occurred_at.to_string(),
        row.event.clone(),
        id(&row.operation_id),
        row.actor.clone(),
        text(&row.actor_id),
        row.actor_kind.clone(),
        row.source_ip.map(|ip| ip.to_string()).unwrap_or_default(),
        text(&row.user_agent),
        text(&row.request_id),
        text(&row.trace_id),
        text(&row.vpc_id),
        text(&row.gateway_id),
        text(&row.tunnel_id),
        text(&row.account),
        text(&row.region),
        text(&row.api),
        json(&row.changes),
        json(&row.before),
        json(&row.sent),
        json(&row.outcome),
        text(&row.reason),
        id(&row.rollback_of),
        json(&row.upstream),
        hex(&event.prev_hash),
        hex(&event.hash),
    ])
}
