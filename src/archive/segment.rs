//! Writing a segment, or comparing one with the ledger.

use std::path::Path;
use std::sync::Arc;

use crate::domain::chain::BEFORE_FIRST;
use crate::domain::fingerprint::hex;
use crate::domain::operation::OperationId;
use crate::domain::stored::StoredEvent;
use crate::domain::timestamp::Timestamp;
use crate::failpoint;
use crate::service::audit::{Break, Follow, Followed, Stretch, Walk, computed, follow, status_after};
use crate::service::ledger::{Checkpoint, Ledger, OperationBlock, Range, Snapshot};

use super::error::ArchiveError;
use super::files::{at, partial, publish};
use super::line::{OperationLine, write_event};
use super::manifest::{FORMAT, Manifest, events_name, manifest_name, operations_name};
use super::read::{check_files, read_manifest};
use super::sink::{Expected, NewFile, Sink};

/// Operations that are read at a time. Part of the files' form: each group is sorted by id.
const OPERATIONS: usize = 1000;

/// What a call of [`write`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    New(Manifest),
    /// The segment was there, and its files are as its manifest says.
    Before(Manifest),
}

/// Follows the chain and passes each event's line on.
struct Recorder<S> {
    walk: Walk,
    sink: S,
    line: Vec<u8>,
    first_at: Option<Timestamp>,
    /// The operations that end here, in the order of their ends.
    ended: Vec<OperationId>,
    failed: Option<std::io::Error>,
}

impl<S: Sink> Follow for Recorder<S> {
    fn follow(&mut self, event: &StoredEvent<'_>) -> Result<(), Break> {
        let canonical = self.walk.step(event)?;
        write_event(&mut self.line, event, canonical);
        self.first_at.get_or_insert(event.occurred_at);
        if status_after(event).is_some_and(|status| status.is_final()) {
            self.ended.extend(event.operation_id);
        }
        if self.failed.is_none() {
            self.failed = self.sink.line(&self.line).err();
        }
        Ok(())
    }
}

/// The events of a segment as they were recorded.
struct Recorded<S> {
    sink: S,
    first_at: Timestamp,
    before: [u8; 32],
    last: Checkpoint,
    ended: Vec<OperationId>,
}

/// Writes a segment: the file with its events, the file with the operations that end in it, the manifest.
///
/// # Errors
/// If the ledger can't be read, the log is broken, or a file can't be written. Files without a manifest may remain; the
/// next call overwrites them.
pub async fn write(ledger: &Arc<dyn Ledger>, folder: &Path, range: Range) -> Result<Written, ArchiveError> {
    if let Some(manifest) = read_manifest(folder, range)? {
        let (manifest, folder) = (manifest, folder.to_owned());
        let checked = computed(move || check_files(&folder, &manifest).map(|()| manifest)).await?;
        return checked.map(Written::Before);
    }
    std::fs::create_dir_all(folder).map_err(at(folder))?;
    let mut snapshot = ledger.snapshot().await?;
    let events = NewFile::create(folder, events_name(range))?;
    let recorded = record(&mut *snapshot, range, events, &folder.join(events_name(range))).await?;
    failpoint::at!("archive.events-written");
    let finished = recorded.sink;
    let events = computed(move || finished.finish()).await??;
    let operations = NewFile::create(folder, operations_name(range))?;
    let name = folder.join(operations_name(range));
    let operations = record_operations(&mut *snapshot, &recorded.ended, operations, &name).await?;
    let operations = computed(move || operations.finish()).await??;
    failpoint::at!("archive.operations-written");
    let manifest = Manifest {
        format: FORMAT,
        first_seq: range.first_seq,
        last_seq: range.last_seq,
        first_at: recorded.first_at,
        last_at: recorded.last.at,
        prev_hash: hex(&recorded.before),
        last_hash: hex(&recorded.last.hash),
        events,
        operations,
    };
    write_manifest(folder, range, &manifest)?;
    failpoint::at!("archive.manifest-written");
    Ok(Written::New(manifest))
}

/// Compares a segment's files, line by line, and its manifest with the ledger.
///
/// # Errors
/// If they differ.
pub(super) async fn compare(
    ledger: &Arc<dyn Ledger>,
    folder: &Path,
    range: Range,
    manifest: &Manifest,
) -> Result<(), ArchiveError> {
    let mut snapshot = ledger.snapshot().await?;
    let file = folder.join(events_name(range));
    let recorded = record(&mut *snapshot, range, Expected::open(file.clone())?, &file).await?;
    recorded.sink.finish()?;
    // The ledger and the log will contain these values when the events are gone.
    let is_same = manifest.format == FORMAT
        && (&manifest.events.name, &manifest.operations.name)
            == (&events_name(range), &operations_name(range))
        && (manifest.first_at, manifest.last_at) == (recorded.first_at, recorded.last.at)
        && manifest.prev_hash == hex(&recorded.before)
        && manifest.last_hash == hex(&recorded.last.hash);
    if !is_same {
        let problem = "differs from the ledger".to_owned();
        return Err(ArchiveError::File { file: folder.join(manifest_name(range)), problem });
    }
    let file = folder.join(operations_name(range));
    let expected = Expected::open(file.clone())?;
    record_operations(&mut *snapshot, &recorded.ended, expected, &file).await?.finish()
}

async fn record<S: Sink>(
    snapshot: &mut dyn Snapshot,
    range: Range,
    sink: S,
    file: &Path,
) -> Result<Recorded<S>, ArchiveError> {
    let before = hash_before(snapshot, range.first_seq).await?;
    let walk = Walk::new(
        before.map(|hash| Checkpoint { seq: range.first_seq - 1, hash, at: Timestamp::from_micros(0) }),
        None,
    );
    let recorder = Recorder { walk, sink, line: Vec::new(), first_at: None, ended: Vec::new(), failed: None };
    let events = u64::try_from(range.last_seq - range.first_seq + 1).unwrap_or_default();
    let stretch = Stretch { after: range.first_seq - 1, limit: events, deadline: None };
    let recorder = match follow(snapshot, stretch, recorder).await? {
        Followed::Broken { seq, why } => return Err(ArchiveError::Broken { seq, why }),
        Followed::ToTheEnd(recorder) | Followed::ToTheLimit(recorder) => recorder,
    };
    if let Some(source) = recorder.failed {
        return Err(at(file)(source));
    }
    match (recorder.walk.newest(), recorder.first_at) {
        (Some(last), Some(first_at)) if last.seq == range.last_seq => Ok(Recorded {
            sink: recorder.sink,
            first_at,
            before: before.unwrap_or(BEFORE_FIRST),
            last,
            ended: recorder.ended,
        }),
        _ => Err(ArchiveError::Refused(format!(
            "the log has no events {} to {}",
            range.first_seq, range.last_seq
        ))),
    }
}

/// Hash of the event before `first`; `None` before event 1.
async fn hash_before(snapshot: &mut dyn Snapshot, first: i64) -> Result<Option<[u8; 32]>, ArchiveError> {
    if first <= 1 {
        return Ok(None);
    }
    if let Some(archived) = snapshot.archived().await?.last()
        && archived.last_seq == first - 1
    {
        return Ok(Some(archived.last_hash));
    }
    let block = snapshot.events(first - 2, 1).await?;
    match (block.count() > 0).then(|| block.event(0)) {
        Some(Ok(event)) if event.seq == first - 1 => Ok(Some(event.hash)),
        _ => Err(ArchiveError::Broken { seq: first - 1, why: Break::Gap { expected: first - 1 } }),
    }
}

async fn record_operations<S: Sink>(
    snapshot: &mut dyn Snapshot,
    ended: &[OperationId],
    mut sink: S,
    file: &Path,
) -> Result<S, ArchiveError> {
    for ids in ended.chunks(OPERATIONS) {
        let block = snapshot.operations_of(ids).await?;
        if block.count() != ids.len() {
            let problem = "an operation of the segment is missing; run `tunnelgate audit verify`".to_owned();
            return Err(ArchiveError::Refused(problem));
        }
        let (passed, written) = computed(move || (pass_on(&mut sink, &*block), sink)).await?;
        sink = written;
        passed.map_err(at(file))?;
    }
    Ok(sink)
}

fn pass_on<S: Sink>(sink: &mut S, block: &dyn OperationBlock) -> std::io::Result<()> {
    for index in 0..block.count() {
        let unreadable = |id: String| std::io::Error::other(format!("operation {id} can't be read"));
        let operation = block.operation(index).map_err(unreadable)?;
        let mut line = OperationLine::of(&operation).and_then(|line| serde_json::to_vec(&line))?;
        line.push(b'\n');
        sink.line(&line)?;
    }
    Ok(())
}

fn write_manifest(folder: &Path, range: Range, manifest: &Manifest) -> Result<(), ArchiveError> {
    let name = manifest_name(range);
    let path = partial(folder, &name);
    let text = serde_json::to_string_pretty(manifest).map_err(|error| at(&path)(error.into()))?;
    let mut file = std::fs::File::create(&path).map_err(at(&path))?;
    std::io::Write::write_all(&mut file, format!("{text}\n").as_bytes()).map_err(at(&path))?;
    publish(folder, &name, &file)
}
