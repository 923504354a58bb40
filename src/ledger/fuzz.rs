//! Properties of the readers of DATABASE_URL, for the fuzzer (`tests/fuzz`).

#![allow(clippy::expect_used, clippy::panic, reason = "a property that does not hold stops the fuzzer")]

use std::str::FromStr;

use sqlx::sqlite::SqliteConnectOptions;

use crate::causes;

use super::OpenError;
use super::postgres::fuzz as postgres;

/// Reads a URL whose form is right; returns why it is refused. A SQLite ledger is a file that can be written.
pub fn database_url(url: &str) -> Option<String> {
    let refused = if url.starts_with("sqlite:") {
        SqliteConnectOptions::from_str(url).map(|connect| is_a_file(&connect)).map_err(OpenError::Url)
    } else {
        postgres::urls(url)
    };
    refused.err().map(|error| causes::chain(&error))
}

fn is_a_file(connect: &SqliteConnectOptions) {
    let file = connect.get_filename().to_str().expect("text");
    assert!(!file.is_empty() && file != ":memory:" && !file.starts_with("file:"), "{file:?}");
    let shown = format!("{connect:?}");
    for field in ["in_memory: false", "read_only: false", "immutable: false"] {
        assert!(shown.contains(field), "{field} is not in {shown}");
    }
}
