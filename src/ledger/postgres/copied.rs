//! Rows in the binary format of COPY (PostgreSQL's manual, "COPY", "Binary Format"): for each row the number of its
//! fields, for each field its length and the bytes of the type's binary form. All numbers are big-endian.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;

use crate::domain::stored::{StoredEvent, StoredOperation};
use crate::domain::timestamp::Timestamp;
use crate::service::ledger::{EventBlock, OperationBlock};

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
/// The times of PostgreSQL count from 2000-01-01T00:00:00Z.
const EPOCH: i64 = 946_684_800_000_000;
/// The address families of `inet`.
const V4: u8 = 2;
const V6: u8 = 3;

/// The buffers of a snapshot's blocks. A block returns its buffer, so that the next one needs no fresh memory.
#[derive(Debug, Clone, Default)]
pub(super) struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

impl Buffers {
    /// An empty buffer.
    pub(super) fn take(&self) -> Vec<u8> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    fn put_back(&self, mut buffer: Vec<u8>) {
        buffer.clear();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(buffer);
    }
}

/// The output of one COPY.
pub(super) struct Copied {
    bytes: Vec<u8>,
    /// Where each row's first field starts.
    rows: Vec<usize>,
    buffers: Buffers,
}

impl Drop for Copied {
    fn drop(&mut self) {
        self.buffers.put_back(std::mem::take(&mut self.bytes));
    }
}

/// Rows with the columns [`crate::ledger::columns::EVENT`].
pub(super) struct Events(pub(super) Copied);

/// Rows with the columns [`crate::ledger::columns::OPERATION`] and `last_seq`.
pub(super) struct Operations(pub(super) Copied);

impl Copied {
    /// Finds the rows. `None` if the bytes do not have the format.
    pub(super) fn new(bytes: Vec<u8>, buffers: Buffers) -> Option<Self> {
        let mut reader = Reader { bytes: bytes.strip_prefix(SIGNATURE)? };
        let _flags = reader.take(4)?;
        let extension = usize::try_from(i32::from_be_bytes(reader.array()?)).ok()?;
        reader.take(extension)?;
        let mut rows = Vec::new();
        loop {
            let fields = i16::from_be_bytes(reader.array()?);
            if fields < 0 {
                break;
            }
            rows.push(bytes.len() - reader.bytes.len());
            for _ in 0..fields {
                reader.field()?;
            }
        }
        Some(Self { bytes, rows, buffers })
    }

    pub(super) fn count(&self) -> usize {
        self.rows.len()
    }

    fn row(&self, index: usize) -> Reader<'_> {
        Reader { bytes: &self.bytes[self.rows[index]..] }
    }
}

impl EventBlock for Events {
    fn count(&self) -> usize {
        self.0.count()
    }

    fn event(&self, index: usize) -> Result<StoredEvent<'_>, i64> {
        let mut row = self.0.row(index);
        let seq = row.number().unwrap_or_default();
        event(row, seq).ok_or(seq)
    }
}

impl OperationBlock for Operations {
    fn count(&self) -> usize {
        self.0.count()
    }

    fn operation(&self, index: usize) -> Result<StoredOperation<'_>, String> {
        let mut row = self.0.row(index);
        let id = row.uuid().flatten().unwrap_or_default();
        operation(row, id).ok_or_else(|| id.to_string())
    }
}

/// The fields after `seq`.
fn event(mut row: Reader<'_>, seq: i64) -> Option<StoredEvent<'_>> {
    Some(StoredEvent {
        seq,
        format: i32::from_be_bytes(row.field()??.try_into().ok()?),
        id: row.uuid()??,
        occurred_at: row.timestamp()??,
        event: row.text()??,
        operation_id: row.uuid()?,
        actor: row.text()??,
        actor_id: row.text()?,
        actor_kind: row.text()??,
        source_ip: row.address()?,
        user_agent: row.text()?,
        request_id: row.text()?,
        trace_id: row.text()?,
        vpc_id: row.text()?,
        gateway_id: row.text()?,
        tunnel_id: row.text()?,
        account: row.text()?,
        region: row.text()?,
        api: row.text()?,
        changes: row.json()?,
        before: row.json()?,
        sent: row.json()?,
        outcome: row.json()?,
        reason: row.text()?,
        rollback_of: row.uuid()?,
        upstream: row.json()?,
        prev_hash: row.field()??.try_into().ok()?,
        hash: row.field()??.try_into().ok()?,
    })
}

/// The fields after `id`.
fn operation(mut row: Reader<'_>, id: Uuid) -> Option<StoredOperation<'_>> {
    Some(StoredOperation {
        id,
        status: row.text()??,
        vpc_id: row.text()??,
        gateway_id: row.text()??,
        tunnel_id: row.text()??,
        account: row.text()??,
        region: row.text()??,
        api: row.text()??,
        task_id: row.text()?,
        changes: row.json()??,
        before: row.json()?,
        reason: row.text()?,
        rollback_of: row.uuid()?,
        fingerprint_key_id: row.text()?,
        requested_by: row.text()??,
        actor_id: row.text()?,
        actor_kind: row.text()??,
        request_id: row.text()?,
        trace_id: row.text()?,
        created_at: row.timestamp()??,
        updated_at: row.timestamp()??,
        finished_at: row.timestamp()?,
        error: row.json()?,
        verification: row.json()?,
        last_seq: row.number()?,
    })
}

/// Reads fields in their order. The outer `None` is for bytes that do not have the format, the inner one for NULL.
struct Reader<'a> {
    bytes: &'a [u8],
}

#[allow(clippy::option_option, reason = "NULL is not an error")]
impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(length)?;
        self.bytes = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn field(&mut self) -> Option<Option<&'a [u8]>> {
        match i32::from_be_bytes(self.array()?) {
            -1 => Some(None),
            length => self.take(usize::try_from(length).ok()?).map(Some),
        }
    }

    /// A field in its type; NULL stays NULL.
    fn typed<T>(&mut self, decode: impl FnOnce(&'a [u8]) -> Option<T>) -> Option<Option<T>> {
        match self.field()? {
            Some(bytes) => decode(bytes).map(Some),
            None => Some(None),
        }
    }

    fn number(&mut self) -> Option<i64> {
        self.typed(|bytes| Some(i64::from_be_bytes(bytes.try_into().ok()?)))?
    }

    fn text(&mut self) -> Option<Option<&'a str>> {
        self.typed(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// The text of a `jsonb`. A byte with the version of the form comes first.
    fn json(&mut self) -> Option<Option<&'a str>> {
        self.typed(|bytes| std::str::from_utf8(bytes.strip_prefix(&[1])?).ok())
    }

    fn uuid(&mut self) -> Option<Option<Uuid>> {
        self.typed(|bytes| Uuid::from_slice(bytes).ok())
    }

    /// A `timestamptz`. The infinite ones are not times.
    fn timestamp(&mut self) -> Option<Option<Timestamp>> {
        self.typed(|bytes| match i64::from_be_bytes(bytes.try_into().ok()?) {
            i64::MIN | i64::MAX => None,
            micros => Some(Timestamp::from_micros(micros.checked_add(EPOCH)?)),
        })
    }

    /// The address of an `inet`: family, bits of the network, whether it is a `cidr`, length, address.
    fn address(&mut self) -> Option<Option<IpAddr>> {
        self.typed(|bytes| match bytes {
            [V4, _, _, 4, address @ ..] => Some(IpAddr::from(<[u8; 4]>::try_from(address).ok()?)),
            [V6, _, _, 16, address @ ..] => Some(IpAddr::from(<[u8; 16]>::try_from(address).ok()?)),
            _ => None,
        })
    }
}
