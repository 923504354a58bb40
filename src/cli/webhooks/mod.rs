//! `tunnelgate webhooks`.

mod list;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::app::open_ledger;
use crate::chance::{Chance, SystemChance};
use crate::clock::{Clock, SystemClock};
use crate::config::args::DatabaseArgs;
use crate::config::number::{self, MAX_SEQ};
use crate::config::secrets::Secrets;
use crate::config::{Database, InvalidSetting, webhooks_of};
use crate::domain::text::is_plain;
use crate::metrics::Metrics;
use crate::service::ledger::{Forgotten, Replayed, Skipped};
use crate::service::webhooks::{Receiver, skipped, test_message};
use crate::webhooks::HttpReceiver;

use super::{Failure, failure};

/// The longest reason, in characters.
const MAX_REASON: usize = 500;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the webhooks that a gateway has delivered for: their places in the audit log, lag and failures
    List(list::List),
    /// Deliver events once more. They have the same webhook-id as before, so that a receiver can tell them from new ones
    Replay(Replay),
    /// Pass one event that a receiver refuses for ever. Writes the event webhook_skipped
    Skip(Skip),
    /// Delete the place of a webhook that was removed from the configuration file, so that `audit archive --drop` does not
    /// keep events for it
    Forget(Forget),
    /// Send a message that says that it is a test, and print what became of it. Exit code 0: taken; 1: not taken
    Test(Test),
}

#[derive(Debug, Args)]
pub(super) struct Replay {
    /// Name of the webhook
    #[arg(value_name = "NAME")]
    name: String,
    /// The first event to deliver again
    #[arg(long, value_name = "SEQ", value_parser = number::within::<i64>(1..=MAX_SEQ))]
    from: i64,
    /// Give each replayed event a new webhook-id, so that a receiver takes it for a new one
    #[arg(long)]
    as_new: bool,
    #[command(flatten)]
    database: DatabaseArgs,
}

#[derive(Debug, Args)]
pub(super) struct Skip {
    /// Name of the webhook
    #[arg(value_name = "NAME")]
    name: String,
    /// The event to pass. It must be the next one, which `webhooks list` shows
    #[arg(long, value_name = "SEQ", value_parser = number::within::<i64>(1..=MAX_SEQ))]
    seq: i64,
    /// Why the event is passed; stored in the audit log
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: String,
    #[command(flatten)]
    database: DatabaseArgs,
}

#[derive(Debug, Args)]
pub(super) struct Forget {
    /// Name of the webhook
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    database: DatabaseArgs,
}

#[derive(Debug, Args)]
pub(super) struct Test {
    /// Name of the webhook
    #[arg(value_name = "NAME")]
    name: String,
    /// TOML file with the webhook
    #[arg(long, env = "TUNNELGATE_CONFIG", value_name = "FILE")]
    config: PathBuf,
}

fn reason(text: &str) -> Result<String, String> {
    if text.trim().is_empty() || text.chars().count() > MAX_REASON || !is_plain(text) {
        return Err(format!("must be 1 to {MAX_REASON} characters without control characters"));
    }
    Ok(text.to_owned())
}

pub(super) async fn run(command: Command, secrets: &Secrets) -> Result<ExitCode, Failure> {
    match command {
        Command::List(args) => list::run(&args, secrets).await,
        Command::Replay(args) => replay(&args, secrets).await,
        Command::Skip(args) => skip(&args, secrets).await,
        Command::Forget(args) => forget(&args, secrets).await,
        Command::Test(args) => test(&args).await,
    }
}

fn unknown() -> InvalidSetting {
    InvalidSetting::new(
        "NAME",
        "no gateway has delivered for a webhook of this name; `tunnelgate webhooks list` shows the names",
    )
}

async fn replay(args: &Replay, secrets: &Secrets) -> Result<ExitCode, Failure> {
    let database = Database::from_args(&args.database, secrets)?;
    let ledger = open_ledger(&database, false, &Metrics::default()).await?;
    let salt = args.as_new.then(|| SystemChance.id(SystemClock.now()));
    let refused = |problem: String| Err(InvalidSetting::new("--from", problem).into());
    match ledger.replay_webhook(&args.name, args.from, salt).await? {
        Replayed::Moved => {
            failure::print(&format!("event {} is the next one for {}\n", args.from, args.name))?;
            Ok(ExitCode::SUCCESS)
        }
        Replayed::Unknown => Err(unknown().into()),
        Replayed::Archived(last) => {
            refused(format!("events 1 to {last} are archived; begin with event {} or later", last + 1))
        }
        Replayed::NotPassed(seq) => refused(format!(
            "the webhook has passed the events up to {seq} only; a replay begins with one of them"
        )),
    }
}

async fn skip(args: &Skip, secrets: &Secrets) -> Result<ExitCode, Failure> {
    let database = Database::from_args(&args.database, secrets)?;
    let ledger = open_ledger(&database, false, &Metrics::default()).await?;
    let now = SystemClock.now();
    let event = skipped(SystemChance.id(now), &args.name, args.seq, &args.reason, now);
    let refused = |problem: String| Err(InvalidSetting::new("--seq", problem).into());
    match ledger.skip_webhook(&args.name, args.seq, event).await? {
        Skipped::Skipped => {
            failure::print(&format!("event {} is passed for {}\n", args.seq, args.name))?;
            Ok(ExitCode::SUCCESS)
        }
        Skipped::Unknown => Err(unknown().into()),
        Skipped::NoEvent => refused(format!("the log has no event {} yet", args.seq)),
        Skipped::NotNext(seq) => refused(format!(
            "the webhook has passed the events up to {seq}; only the next one, {}, can be skipped",
            seq + 1
        )),
    }
}

async fn forget(args: &Forget, secrets: &Secrets) -> Result<ExitCode, Failure> {
    let database = Database::from_args(&args.database, secrets)?;
    let ledger = open_ledger(&database, false, &Metrics::default()).await?;
    let now = ledger.time().await?.unwrap_or_else(|| SystemClock.now());
    match ledger.forget_webhook(&args.name, now).await? {
        Forgotten::Forgotten => Ok(ExitCode::SUCCESS),
        Forgotten::Unknown => Err(unknown().into()),
        Forgotten::Held(holder) => Err(InvalidSetting::new(
            "NAME",
            format!(
                "the gateway {holder} delivers for the webhook; remove it from the configuration file first"
            ),
        )
        .into()),
    }
}

async fn test(args: &Test) -> Result<ExitCode, Failure> {
    let webhooks = webhooks_of(&args.config)?;
    let Some(settings) = webhooks.into_iter().find(|webhook| webhook.name == args.name) else {
        let problem = format!("{} has no webhook of this name", args.config.display());
        return Err(InvalidSetting::new("NAME", problem).into());
    };
    let now = SystemClock.now();
    let message = test_message(SystemChance.id(now), now);
    match HttpReceiver::new(settings)?.deliver(&message, now).await {
        Ok(()) => {
            failure::print(&format!("taken: webhook-id {}\n", message.id))?;
            Ok(ExitCode::SUCCESS)
        }
        Err(undelivered) => {
            failure::print(&format!("not taken: {}\n", undelivered.problem))?;
            Ok(ExitCode::from(1))
        }
    }
}
