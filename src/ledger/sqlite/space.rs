//! The space that is left for the ledger's file.

use std::path::Path;

use super::super::unready::Reason;
use crate::service::ledger::LedgerError;

/// A change needs about 5 KiB, a whole batch less than this.
const ENOUGH: u64 = 512 * 1024;

/// Fails if a batch may not fit on the disk of this file. Says nothing of a file system that does not tell its size.
pub(super) fn check(file: &Path) -> Result<(), LedgerError> {
    let Ok(disk) = rustix::fs::statvfs(file) else { return Ok(()) };
    let left = disk.f_bavail.saturating_mul(disk.f_frsize);
    if disk.f_blocks > 0 && left < ENOUGH {
        return Err(Reason::NoSpace(ENOUGH).into());
    }
    Ok(())
}
