//! `tunnelgate audit`.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use serde::Deserialize;

use crate::app::open_ledger;
use crate::config::args::DatabaseArgs;
use crate::config::secrets::Secrets;
use crate::config::{Database, InvalidSetting};
use crate::domain::fingerprint::{from_hex, hex};
use crate::domain::timestamp::Timestamp;
use crate::metrics::Metrics;
use crate::service::audit::{self, Verdict};
use crate::service::export;
use crate::service::ledger::Checkpoint;

use super::{Failure, failure};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Verify the hash chain, and the operations and other tables against it. Exit code 0: whole; 1: broken (prints the first
    /// bad row and the reason); 2: the ledger could not be read
    Verify(Verify),
    /// Write all events, oldest first
    Export(Export),
}

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// File with an earlier response of GET /audit-events/checkpoint. Also detects events removed from the end of the log
    /// and a rewritten log
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    #[command(flatten)]
    database: DatabaseArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// One JSON object per line
    Ndjson,
    /// CSV with a header line
    Csv,
}

impl From<Format> for export::Format {
    fn from(format: Format) -> Self {
        match format {
            Format::Ndjson => Self::Ndjson,
            Format::Csv => Self::Csv,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct Export {
    /// Format of the events
    #[arg(long)]
    format: Format,
    /// File to write [default: stdout]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    database: DatabaseArgs,
}

pub(super) async fn run(command: Command, secrets: &Secrets) -> Result<ExitCode, Failure> {
    match command {
        Command::Verify(args) => verify(&args, secrets).await,
        Command::Export(args) => export(&args, secrets).await,
    }
}

/// A checkpoint in the JSON form of the API.
#[derive(Deserialize)]
struct Kept {
    seq: i64,
    hash: String,
    at: Timestamp,
}

fn kept(file: &PathBuf) -> Result<Checkpoint, Failure> {
    let wrong =
        |problem: String| InvalidSetting::new("--checkpoint", format!("{}: {problem}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    let kept: Kept = serde_json::from_str(&text)
        .map_err(|error| wrong(format!("not a response of GET /audit-events/checkpoint: {error}")))?;
    let hash = from_hex(&kept.hash).ok_or_else(|| wrong("`hash` must be 64 hex digits".into()))?;
    Ok(Checkpoint { seq: kept.seq, hash, at: kept.at })
}

async fn verify(args: &Verify, secrets: &Secrets) -> Result<ExitCode, Failure> {
    let checkpoint = args.checkpoint.as_ref().map(kept).transpose()?;
    let database = Database::from_args(&args.database, secrets)?;
    let ledger = open_ledger(&database, false, &Metrics::default()).await?;
    match audit::verify(&*ledger, checkpoint).await? {
        Verdict::Whole { events, newest } => {
            let newest =
                newest.map(|newest| format!(", newest seq {} hash {}", newest.seq, hex(&newest.hash)));
            failure::print(&format!("whole: {events} events{}\n", newest.unwrap_or_default()))?;
            Ok(ExitCode::SUCCESS)
        }
        Verdict::Broken { row, why } => {
            failure::print(&format!("broken at {row}: {why}\n"))?;
            Ok(ExitCode::from(1))
        }
    }
}

async fn export(args: &Export, secrets: &Secrets) -> Result<ExitCode, Failure> {
    let database = Database::from_args(&args.database, secrets)?;
    let ledger = open_ledger(&database, false, &Metrics::default()).await?;
    let mut output: Box<dyn Write + Send> = match &args.output {
        Some(file) => Box::new(BufWriter::new(
            File::create(file)
                .map_err(|error| Failure::new(&format!("can't write {}", file.display()), error))?,
        )),
        None => Box::new(BufWriter::new(std::io::stdout())),
    };
    let mut export = export::Export::all(ledger, args.format.into());
    while let Some(block) = export.next().await? {
        output.write_all(&block)?;
    }
    output.flush()?;
    Ok(ExitCode::SUCCESS)
}
