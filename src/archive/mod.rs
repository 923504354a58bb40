//! Archived segments: files with old events and the operations that ended with them. `docs/audit-format.md` describes them
//! for auditors.

mod error;
mod files;
mod line;
mod manifest;
mod read;
mod remove;
mod segment;
mod sink;

pub use error::ArchiveError;
pub use manifest::Manifest;
pub use read::Folder;
pub use remove::{remove_events, remove_operations};
pub use segment::{Written, write};
