//! `tunnelgate audit`.

mod archive;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use serde::Deserialize;

use crate::app::open_ledger;
use crate::archive::Folder;
use crate::chance::{Chance, SystemChance};
use crate::clock::{Clock, SystemClock};
use crate::config::args::DatabaseArgs;
use crate::config::number::{self, MAX_SEQ};
use crate::config::secrets::Secrets;
use crate::config::{Database, InvalidSetting};
use crate::domain::event::{Actor, EventKind, NewEvent};
use crate::domain::fingerprint::{from_hex, hex};
use crate::domain::timestamp::Timestamp;
use crate::metrics::Metrics;
use crate::service::audit::{self, NotVerified, Verdict};
use crate::service::cells::Cells;
use crate::service::export;
use crate::service::ledger::{AcceptedLoss, Checkpoint};

use super::{Failure, failure};
use archive::Archive;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Verify the hash chain, and the operations and other tables against it. Exit code 0: whole; 1: broken (prints the first
    /// bad row and the reason); 2: the ledger could not be read
    Verify(Verify),
    /// Write all events, oldest first
    Export(Export),
    /// Write old events and their operations to files, whole partitions of a ledger on PostgreSQL; with --drop remove them from
    /// the ledger. An interrupted command continues when it is repeated. Exit code 0: done, or nothing to do; 2: not done
    Archive(Archive),
    /// Accept that the newest events of the log are lost, so that the gateway works again. Writes the event log_rewound. Exit
    /// code 0: accepted; 2: refused, nothing was written
    AcceptLoss(AcceptLoss),
}

#[derive(Debug, Args)]
pub(super) struct AcceptLoss {
    /// The newest event that is still in the log. GET /readyz names the first missing event, which follows this one
    #[arg(long, value_name = "SEQ", value_parser = number::within::<i64>(0..=MAX_SEQ))]
    after: i64,
    #[command(flatten)]
    database: DatabaseArgs,
}

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// File with an earlier response of GET /audit-events/checkpoint. Also detects events removed from the end of the log
    /// and a rewritten log
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Folder with the archived segments, which are verified too. Without it, verification begins with the first event in
    /// the ledger
    #[arg(long, value_name = "FOLDER")]
    archive: Option<PathBuf>,
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

#[derive(Debug, Args)]
pub(super) struct Export {
    /// Format of the events
    #[arg(long)]
    format: Format,
    /// CSV: write the values unchanged. By default a value that a spreadsheet would read as a formula begins with ', and
    /// invisible controls are written \u202e
    #[arg(long)]
    raw: bool,
    /// CSV: begin with a byte order mark, by which Excel reads UTF-8
    #[arg(long)]
    bom: bool,
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
        Command::Archive(args) => archive::run(&args, secrets).await,
        Command::AcceptLoss(args) => accept_loss(&args, secrets).await,
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
    if let Some(folder) = args.archive.as_ref().filter(|folder| !folder.is_dir()) {
        let problem = format!("{} is not a folder", folder.display());
        return Err(InvalidSetting::new("--archive", problem).into());
    }
    let database = Database::from_args(&args.database, secrets)?;
    let ledger = open_ledger(&database, false, &Metrics::default()).await?;
    let mut folder = args.archive.clone().map(Folder::new);
    let files = folder.as_mut().map(|folder| folder as &mut dyn audit::Archived);
    let report = audit::verify_with(&*ledger, checkpoint, files).await?;
    match report.verdict {
        Verdict::Whole { events, newest } => {
            let newest =
                newest.map(|newest| format!(", newest seq {} hash {}", newest.seq, hex(&newest.hash)));
            failure::print(&format!("whole: {events} events{}\n", newest.unwrap_or_default()))?;
            failure::print(&gaps(&report.not_verified))?;
            Ok(ExitCode::SUCCESS)
        }
        Verdict::Broken { row, why } => {
            failure::print(&format!("broken at {row}: {why}\n"))?;
            Ok(ExitCode::from(1))
        }
    }
}

/// What a verdict does not cover, a line each.
fn gaps(not_verified: &NotVerified) -> String {
    let NotVerified { archived_to, segments, partly_archived, leftover, is_checkpoint_archived } =
        not_verified;
    let mut text = String::new();
    if *archived_to > 0 {
        text += &format!(
            "not verified: events 1 to {archived_to}, which are archived in {segments} segments; --archive FOLDER verifies them \
             too\n"
        );
    }
    if *partly_archived > 0 {
        text += &format!(
            "not verified: the request of {partly_archived} operations, whose first events are archived\n"
        );
    }
    if *is_checkpoint_archived {
        text += "not verified: the checkpoint, whose event is archived\n";
    }
    if *leftover > 0 {
        text += &format!(
            "not verified: {leftover} operations whose events are archived; `tunnelgate audit archive --drop` removes them\n"
        );
    }
    text
}

async fn accept_loss(args: &AcceptLoss, secrets: &Secrets) -> Result<ExitCode, Failure> {
    let database = Database::from_args(&args.database, secrets)?;
    let ledger = open_ledger(&database, false, &Metrics::default()).await?;
    let now = SystemClock.now();
    let event = NewEvent::new(SystemChance.id(now), EventKind::LogRewound, Actor::command_line(), now);
    let refused = |problem: String| Err(InvalidSetting::new("--after", problem).into());
    match ledger.accept_loss(args.after, event).await? {
        AcceptedLoss::Accepted => {
            failure::print(&format!("accepted: the log continues after seq {}\n", args.after))?;
            Ok(ExitCode::SUCCESS)
        }
        AcceptedLoss::NothingLost => {
            refused("no loss is noted in the ledger; there is nothing to accept".into())
        }
        AcceptedLoss::NotNewest(newest) => {
            refused(format!("{} is not the newest event in the log, which is {newest}", args.after))
        }
    }
}

async fn export(args: &Export, secrets: &Secrets) -> Result<ExitCode, Failure> {
    let format = match args.format {
        Format::Ndjson if args.raw || args.bom => {
            let flag = if args.raw { "--raw" } else { "--bom" };
            return Err(
                InvalidSetting::new(flag, "belongs to --format csv; NDJSON always has the values").into()
            );
        }
        Format::Ndjson => export::Format::Ndjson,
        Format::Csv => export::Format::Csv(Cells { raw: args.raw, byte_order_mark: args.bom }),
    };
    let database = Database::from_args(&args.database, secrets)?;
    let ledger = open_ledger(&database, false, &Metrics::default()).await?;
    let into = args.output.as_ref().map(|file| (file, format!("can't write {}", file.display())));
    let mut output: Box<dyn Write + Send> = match &into {
        Some((file, problem)) => {
            let file = File::create(file).map_err(|error| Failure::new(problem, error))?;
            Box::new(BufWriter::new(file))
        }
        None => Box::new(BufWriter::new(std::io::stdout())),
    };
    let failed = |error: std::io::Error| match &into {
        Some((_, problem)) => {
            Failure::new(&format!("{problem}, which has only a part of the events now"), error)
        }
        None => Failure::from(error),
    };
    if let Some(archived) = ledger.newest_archived().await? {
        let first = archived.last_seq.saturating_add(1);
        let said =
            format!("events 1 to {} are archived; the export begins with event {first}", archived.last_seq);
        let _ = writeln!(std::io::stderr(), "tunnelgate: {said}");
    }
    let mut export = export::Export::all(ledger, format);
    while let Some(block) = export.next().await? {
        output.write_all(&block).map_err(failed)?;
    }
    output.flush().map_err(failed)?;
    Ok(ExitCode::SUCCESS)
}
