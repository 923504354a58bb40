//! `tunnelgate audit archive`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use crate::app::open_ledger;
use crate::archive::{self, ArchiveError, Written};
use crate::chance::SystemChance;
use crate::cli::failure::{self, Failure};
use crate::clock::{Clock, SystemClock};
use crate::config::args::DatabaseArgs;
use crate::config::secrets::Secrets;
use crate::config::{Database, InvalidSetting};
use crate::domain::timestamp::Timestamp;
use crate::metrics::Metrics;
use crate::service::ledger::{Ledger, Range};

/// Younger events may still be needed: an idempotency key leads to its operation for a day.
const YOUNGEST: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Debug, Args)]
pub struct Archive {
    /// Archive the partitions whose events are all older than this time, e.g. 2026-01-01 (midnight UTC) or an RFC 3339 time
    #[arg(long, value_name = "DATE", value_parser = date)]
    before: Timestamp,
    /// Folder of the segments
    #[arg(long, value_name = "FOLDER")]
    output: PathBuf,
    /// Then compare the files with the ledger once more, and remove the archived events and their operations from the
    /// ledger. Needs the owner of the tables
    #[arg(long)]
    drop: bool,
    #[command(flatten)]
    database: DatabaseArgs,
}

fn date(text: &str) -> Result<Timestamp, String> {
    let midnight = format!("{text}T00:00:00Z");
    Timestamp::parse(text).or_else(|| Timestamp::parse(&midnight)).ok_or_else(|| {
        "must be a date such as 2026-01-01 or an RFC 3339 time such as 2026-01-01T00:00:00Z".to_owned()
    })
}

/// Writes the segments that are due; with `--drop` removes them from the ledger.
pub(super) async fn run(args: &Archive, secrets: &Secrets) -> Result<ExitCode, Failure> {
    let database = Database::from_args(&args.database, secrets)?;
    let ledger = open_ledger(&database, false, &Metrics::default()).await?;
    let now = ledger.time().await?.unwrap_or_else(|| SystemClock.now());
    if now.since(args.before) < YOUNGEST {
        return Err(InvalidSetting::new("--before", "must be at least a day ago").into());
    }
    let Some(due) = ledger.archivable(args.before).await? else {
        let problem = "SQLite keeps all events; only a ledger on PostgreSQL can be archived. \
                       `tunnelgate audit export` writes all events to a file";
        return Err(InvalidSetting::new("DATABASE_URL", problem).into());
    };
    if args.drop {
        // What an interrupted command left.
        report_operations(archive::remove_operations(&ledger).await?)?;
    }
    if due.is_empty() {
        failure::print("nothing to archive: no partition has only older events\n")?;
    }
    for range in due {
        write(&ledger, args, range).await?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn write(ledger: &Arc<dyn Ledger>, args: &Archive, range: Range) -> Result<(), ArchiveError> {
    let Range { first_seq, last_seq } = range;
    let (what, manifest) = match archive::write(ledger, &args.output, range).await? {
        Written::New(manifest) => ("written", manifest),
        Written::Before(manifest) => ("already written", manifest),
    };
    report(&format!(
        "segment {first_seq} to {last_seq}: {what}, {} events in {} bytes, {} operations in {} bytes\n",
        manifest.events.lines, manifest.events.bytes, manifest.operations.lines, manifest.operations.bytes
    ))?;
    if args.drop {
        archive::remove_events(ledger, &args.output, range, &SystemClock, &SystemChance).await?;
        report(&format!("segment {first_seq} to {last_seq}: removed from the ledger\n"))?;
        report_operations(archive::remove_operations(ledger).await?)?;
    }
    Ok(())
}

fn report(text: &str) -> Result<(), ArchiveError> {
    failure::print(text).map_err(|source| ArchiveError::Io { file: "stdout".into(), source })
}

fn report_operations(operations: u64) -> Result<(), ArchiveError> {
    if operations > 0 {
        report(&format!("{operations} operations removed from the ledger\n"))?;
    }
    Ok(())
}
