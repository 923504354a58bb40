//! Removing archived events and operations from the ledger.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use crate::chance::Chance;
use crate::clock::Clock;
use crate::domain::event::{Actor, EventKind, NewEvent};
use crate::failpoint;
use crate::service::audit::{Boundary, computed};
use crate::service::ledger::{Ledger, Range, Removal};

use super::error::ArchiveError;
use super::read::{check_files, read_manifest};
use super::segment::compare;

/// Operations that are deleted in one transaction.
const OPERATIONS: u32 = 1000;

/// Removes a segment's events from the ledger: compares its files with the ledger once more, then drops its partition and
/// writes the event `log_archived` in one transaction.
///
/// # Errors
/// If the files differ from the ledger, or the ledger refuses. Then nothing was removed.
pub async fn remove_events(
    ledger: &Arc<dyn Ledger>,
    folder: &Path,
    range: Range,
    clock: &dyn Clock,
    chance: &dyn Chance,
) -> Result<(), ArchiveError> {
    let refused = |problem: String| {
        let Range { first_seq, last_seq } = range;
        Err(ArchiveError::Refused(format!("segment {first_seq} to {last_seq}: {problem}")))
    };
    let Some(manifest) = read_manifest(folder, range)? else {
        return refused("it has no manifest in the folder".into());
    };
    let Some(segment) = manifest.segment() else { return refused("its manifest is not valid".into()) };
    let (checked, of_files) = (folder.to_owned(), manifest.clone());
    computed(move || check_files(&checked, &of_files)).await??;
    compare(ledger, folder, range, &manifest).await?;
    failpoint::at!("archive.compared");
    let now = clock.now();
    let event = NewEvent {
        changes: Some(json!({ "archived": Boundary::of(&segment) })),
        ..NewEvent::new(chance.id(now), EventKind::LogArchived, Actor::command_line(), now)
    };
    match ledger.remove_events(&segment, event).await? {
        Removal::Removed => Ok(()),
        Removal::Unfinished(id) => {
            refused(format!("operation {id} has events in it and is unfinished; nothing was removed"))
        }
        Removal::Undelivered { webhook, seq } => refused(format!(
            "webhook {webhook:?} has not delivered the events after {seq}; nothing was removed. `tunnelgate webhooks list` \
             shows why; `tunnelgate webhooks forget {webhook}` gives the place of a webhook up that no longer exists"
        )),
        Removal::NotOldest => {
            refused("it is not the oldest partition of the log; nothing was removed".into())
        }
    }
}

/// Deletes the operations whose events are all archived; returns how many. Also continues after a crash.
///
/// # Errors
/// If the ledger refuses.
pub async fn remove_operations(ledger: &Arc<dyn Ledger>) -> Result<u64, ArchiveError> {
    let mut operations = 0;
    loop {
        let removed = ledger.remove_operations(OPERATIONS).await?;
        operations += removed;
        if removed == 0 {
            return Ok(operations);
        }
        failpoint::at!("archive.operations-removed");
    }
}
