//! Why a segment could not be written, verified or removed.

use std::path::PathBuf;

use crate::service::audit::Break;
use crate::service::ledger::LedgerError;

/// Why a segment could not be written, verified or removed.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("{}", .file.display())]
    Io { file: PathBuf, source: std::io::Error },
    #[error("{}: {problem}", .file.display())]
    File { file: PathBuf, problem: String },
    #[error("the log is broken at seq {seq}: {why}; run `tunnelgate audit verify`")]
    Broken { seq: i64, why: Break },
    #[error("{0}")]
    Refused(String),
}
