//! The command line.

mod audit;
mod failure;
mod keys;
mod sandbox;
mod serve;
mod simulate_cloud;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use tracing::warn;

use crate::app::open_ledger;
use crate::config::args::{DatabaseArgs, LogArgs, ServeArgs};
use crate::config::secrets::Secrets;
use crate::config::{Database, InvalidSetting};
use crate::metrics::Metrics;
use crate::{http, telemetry};

pub use failure::Failure;

/// A REST gateway that lets a company's own teams change Tencent Cloud VPN tunnels safely
#[derive(Debug, Parser)]
#[command(name = "tunnelgate", version, max_term_width = 110)]
struct Cli {
    #[command(flatten)]
    log: LogArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the service
    Serve(Box<ServeArgs>),
    /// Runs the service with everything it needs in one process: a simulated cloud, a SQLite ledger, one API key
    Sandbox(sandbox::Args),
    /// Runs only the simulated cloud, for tests and compose files
    SimulateCloud(simulate_cloud::Args),
    /// Makes, lists and revokes API keys
    #[command(subcommand)]
    Keys(keys::Command),
    /// Checks and exports the audit log
    #[command(subcommand)]
    Audit(audit::Command),
    /// Applies the migrations
    Migrate(DatabaseArgs),
    /// Prints the OpenAPI document
    Openapi,
}

/// Runs the command line to its end.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    if let Err(error) = telemetry::init(&cli.log) {
        return failure::tell(&error.into());
    }
    let secrets = Secrets::from_env();
    for name in secrets.unknown(&known_variables()) {
        warn!(name, "this environment variable looks like a setting, but is none");
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failure::tell(&Failure::new("the runtime could not be started", error)),
    };
    match runtime.block_on(carry_out(cli.command, &secrets)) {
        Ok(code) => code,
        Err(failure) => failure::tell(&failure),
    }
}

async fn carry_out(command: Command, secrets: &Secrets) -> Result<ExitCode, Failure> {
    match command {
        Command::Serve(args) => serve::run(&args, secrets).await,
        Command::Sandbox(args) => sandbox::run(&args).await,
        Command::SimulateCloud(args) => simulate_cloud::run(&args, secrets).await,
        Command::Keys(command) => keys::run(command, secrets).await,
        Command::Audit(command) => audit::run(command, secrets).await,
        Command::Migrate(args) => {
            let database = Database::from_args(&args, secrets)?;
            open_ledger(&database, true, &Metrics::default()).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Openapi => {
            failure::print(&http::openapi::document_json())?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Help goes to stdout; a value that is wrong is told in one line, which names the flag and its variable.
fn refuse(error: &clap::Error) -> ExitCode {
    use clap::error::{ContextKind, ErrorKind};
    let is_value = matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::ValueValidation);
    if !is_value {
        let _ = error.print();
        return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
    }
    let of = |kind| error.get(kind).map(ToString::to_string).unwrap_or_default();
    let flag = of(ContextKind::InvalidArg);
    let long = flag.trim_start_matches("--").split([' ', '=']).next().unwrap_or_default().to_owned();
    let variable = variables().find(|(flag, _)| *flag == long).map(|(_, variable)| variable);
    let name = variable.map_or_else(|| format!("--{long}"), |variable| format!("{variable} (--{long})"));
    let text = error.to_string();
    // For a parser of ours the reason stands behind the last colon of the first line; for a list of words clap
    // names the words.
    let first = text.lines().next().unwrap_or_default();
    let reason = match error.kind() {
        ErrorKind::InvalidValue => format!("must be one of {}", of(ContextKind::ValidValue)),
        _ => first
            .rsplit_once(">': ")
            .or_else(|| first.rsplit_once("': "))
            .map_or("is wrong", |(_, r)| r)
            .to_owned(),
    };
    failure::tell(&InvalidSetting::new(name, reason).into())
}

/// Every flag that has an environment variable.
fn variables() -> impl Iterator<Item = (String, String)> {
    let command = Cli::command();
    let mut found = Vec::new();
    let mut open = vec![command];
    while let Some(command) = open.pop() {
        for argument in command.get_arguments() {
            if let (Some(long), Some(variable)) = (argument.get_long(), argument.get_env()) {
                found.push((long.to_owned(), variable.to_string_lossy().into_owned()));
            }
        }
        open.extend(command.get_subcommands().cloned());
    }
    found.into_iter()
}

fn known_variables() -> Vec<String> {
    variables().map(|(_, variable)| variable).collect()
}
