//! Chooses the store of a URL.

use std::sync::Arc;

use crate::causes::chain;
use crate::metrics::Metrics;
use crate::service::ledger::Ledger;
use crate::trace;

use super::postgres::Postgres;
use super::sqlite::Sqlite;
use super::traced::Traced;
use super::{OpenError, Options, Source};

/// Opens the ledger at a URL (`postgres://…`, `sqlite:…`).
///
/// # Errors
/// If the database is unreachable within the time limit, or a migration fails.
pub async fn open(url: &str, options: Options, metrics: &Metrics) -> Result<Arc<dyn Ledger>, OpenError> {
    let (store, system): (Arc<dyn Ledger>, _) = if url.starts_with("sqlite:") {
        (Arc::new(Sqlite::open(url, options, metrics).await?), "sqlite")
    } else {
        (Arc::new(Postgres::open(url, options, metrics).await?), "postgresql")
    };
    Ok(if trace::is_on() { Arc::new(Traced { store, system }) } else { store })
}

/// Checks a URL as [`open`] does, without a connection.
///
/// # Errors
/// What is wrong, as the rest of a sentence that begins with the setting. It contains no secret.
pub fn check_url(url: &str, allow_plain: bool) -> Result<(), String> {
    let checked =
        if url.starts_with("sqlite:") { Sqlite::check(url) } else { Postgres::check(url, allow_plain) };
    // The setting's name is the caller's: the URL may come from a file.
    checked.map_err(|error| {
        let text = chain(&error);
        text.strip_prefix("DATABASE_URL ").unwrap_or(&text).to_owned()
    })
}

/// Applies the migrations of this version to a PostgreSQL database, and those of a later version, as that version does:
/// for tests of upgrades.
///
/// # Errors
/// If the database is unreachable within the time limit, or a migration fails.
pub async fn upgrade(url: &str, options: &Options, later: &[Source]) -> Result<(), OpenError> {
    Postgres::migrate(url, options, later).await
}
