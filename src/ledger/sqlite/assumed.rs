//! What the ledger takes for granted of a SQLite file, checked at the start.

use std::path::Path;

use sqlx::{Row, SqlitePool};

use crate::ledger::OpenError;

const NO_LOG: &str = "names a file next to which SQLite can't keep its write-ahead log, as on most network file systems; \
     use a local disk, or PostgreSQL";
const NO_UTF_8: &str = "names a file whose text is not UTF-8; name a new file";

/// Checks an open file.
///
/// # Errors
/// If the ledger can't work with it, or a query fails.
pub(super) async fn check(pool: &SqlitePool, file: &Path) -> Result<(), OpenError> {
    for (query, wanted, refusal) in
        [("PRAGMA journal_mode", "wal", NO_LOG), ("PRAGMA encoding", "UTF-8", NO_UTF_8)]
    {
        let row = sqlx::query(query).fetch_one(pool).await;
        let value: String = row.and_then(|row| row.try_get(0)).map_err(|error| explain(file, error))?;
        if !value.eq_ignore_ascii_case(wanted) {
            return Err(OpenError::Refused(refusal.into()));
        }
    }
    Ok(())
}

/// Says why the file can't be opened, as far as the file system shows it.
pub(super) fn explain(file: &Path, source: sqlx::Error) -> OpenError {
    let problem = misplaced(file).unwrap_or(
        "can't be opened and written as a SQLite database; check the file and its rights, and those of its folder",
    );
    OpenError::File { file: file.to_owned(), problem, source }
}

/// Why there can be no file at this place.
pub(super) fn misplaced(file: &Path) -> Option<&'static str> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        Some("its folder does not exist; create the folder, or name a file in another one")
    } else if file.is_dir() {
        Some("is a folder; name a file")
    } else {
        None
    }
}
