//! Chooses the store of a URL.

use std::sync::Arc;

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

/// Applies the migrations of this version to a PostgreSQL database, and those of a later version, as that version does:
/// for tests of upgrades.
///
/// # Errors
/// If the database is unreachable within the time limit, or a migration fails.
pub async fn upgrade(url: &str, options: &Options, later: &[Source]) -> Result<(), OpenError> {
    Postgres::migrate(url, options, later).await
}
