//! Reading segments.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use flate2::read::GzDecoder;
use serde::de::DeserializeOwned;

use crate::domain::fingerprint::hex;
use crate::service::audit::{Archived, SegmentFault, computed};
use crate::service::ledger::{ArchivedSegment, EventBlock, LedgerError, OperationBlock, Range};

use super::error::ArchiveError;
use super::files::{at, sha256};
use super::line::{EventLines, OperationLines};
use super::manifest::{FileEntry, Manifest, events_name, manifest_name, operations_name};

/// The manifest of a segment; `None` if there is none.
pub(super) fn read_manifest(folder: &Path, range: Range) -> Result<Option<Manifest>, ArchiveError> {
    let file = folder.join(manifest_name(range));
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(at(&file)(error)),
    };
    let wrong = |problem: String| ArchiveError::File { file: file.clone(), problem };
    let manifest: Manifest = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    if (manifest.first_seq, manifest.last_seq) != (range.first_seq, range.last_seq) {
        return Err(wrong("is the manifest of another segment".into()));
    }
    Ok(Some(manifest))
}

/// Checks that the files of a segment are as its manifest says.
pub(super) fn check_files(folder: &Path, manifest: &Manifest) -> Result<(), ArchiveError> {
    for FileEntry { name, sha256: expected, .. } in [&manifest.events, &manifest.operations] {
        let file = folder.join(name);
        if hex(&sha256(&file).map_err(at(&file))?) != *expected {
            let problem = "its SHA-256 is not the one in the segment's manifest".to_owned();
            return Err(ArchiveError::File { file, problem });
        }
    }
    Ok(())
}

type Lines = BufReader<GzDecoder<BufReader<File>>>;

/// A folder with segments, read in order.
pub struct Folder {
    path: PathBuf,
    events: Option<(PathBuf, Lines)>,
    operations: Option<(PathBuf, Lines)>,
}

impl Folder {
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, events: None, operations: None }
    }
}

fn open(file: &Path) -> std::io::Result<Lines> {
    Ok(BufReader::with_capacity(1 << 18, GzDecoder::new(BufReader::new(File::open(file)?))))
}

/// Reads up to `limit` lines.
fn read<T: DeserializeOwned>(lines: &mut Lines, limit: u32) -> std::io::Result<Vec<T>> {
    let (mut read, mut line) = (Vec::new(), Vec::new());
    while read.len() < limit as usize {
        line.clear();
        if lines.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        read.push(serde_json::from_slice(&line)?);
    }
    Ok(read)
}

/// Reads the next lines on a thread of its own.
async fn next<T: DeserializeOwned + Send + 'static>(
    place: &mut Option<(PathBuf, Lines)>,
    limit: u32,
) -> Result<Vec<T>, SegmentFault> {
    let Some((file, mut lines)) = place.take() else { return Ok(Vec::new()) };
    let (found, lines) = computed(move || (read(&mut lines, limit), lines)).await?;
    let fault = |error: std::io::Error| SegmentFault::file(&file, error.to_string());
    let found = found.map_err(fault)?;
    *place = Some((file, lines));
    Ok(found)
}

#[async_trait]
impl Archived for Folder {
    async fn open(&mut self, segment: &ArchivedSegment) -> Result<(), SegmentFault> {
        let range = Range { first_seq: segment.first_seq, last_seq: segment.last_seq };
        let mut opened = Vec::new();
        for (kind, name, expected) in [
            ("events", events_name(range), segment.events_sha256),
            ("operations", operations_name(range), segment.operations_sha256),
        ] {
            let file = self.path.join(name);
            let lines = computed({
                let file = file.clone();
                move || Ok::<_, std::io::Error>((sha256(&file)? == expected, open(&file)?))
            });
            match lines.await? {
                Ok((true, lines)) => opened.push((file, lines)),
                Ok((false, _)) => return Err(SegmentFault::Changed(kind)),
                Err(error) => return Err(SegmentFault::file(&file, error.to_string())),
            }
        }
        self.operations = opened.pop();
        self.events = opened.pop();
        Ok(())
    }

    async fn events(&mut self, limit: u32) -> Result<Box<dyn EventBlock>, SegmentFault> {
        Ok(Box::new(EventLines(next(&mut self.events, limit).await?)))
    }

    async fn operations(&mut self, limit: u32) -> Result<Box<dyn OperationBlock>, SegmentFault> {
        Ok(Box::new(OperationLines(next(&mut self.operations, limit).await?)))
    }
}

impl From<LedgerError> for SegmentFault {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}
