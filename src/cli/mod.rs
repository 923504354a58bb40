//! The command line.

mod audit;
mod config;
mod failure;
mod health;
mod keys;
mod rollout;
mod sandbox;
mod serve;
mod simulate_cloud;
mod table;
mod webhooks;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use tracing::warn;

use crate::app::open_ledger;
use crate::config::args::{DatabaseArgs, LogArgs, ServeArgs};
use crate::config::secrets::Secrets;
use crate::config::{Database, Faults, InvalidSetting};
use crate::metrics::Metrics;
use crate::{http, telemetry};

pub use failure::Failure;

/// How long the end of the process waits for blocking work, such as a read of a file.
const LAST_WAIT: Duration = Duration::from_secs(1);

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
    /// Run the gateway
    Serve(Box<ServeArgs>),
    /// Run the gateway, a simulated cloud and a SQLite ledger in one process, with an API key that is ready to use
    Sandbox(sandbox::Args),
    /// Run only the simulated cloud, for tests and compose files
    SimulateCloud(simulate_cloud::Args),
    /// Ask the gateway on this machine whether it is alive or ready: exit code 0, or 1 with one line that says why not
    Health(health::Args),
    /// Check the settings
    #[command(subcommand)]
    Config(config::Command),
    /// Create, list, rotate and revoke API keys
    #[command(subcommand)]
    Keys(keys::Command),
    /// Verify and export the audit log
    #[command(subcommand)]
    Audit(audit::Command),
    /// Change many tunnels through a running gateway, batch by batch
    Rollout(Box<rollout::Args>),
    /// List webhooks, replay or skip their events, and send a test
    #[command(subcommand)]
    Webhooks(webhooks::Command),
    /// Apply the ledger's migrations
    Migrate(DatabaseArgs),
    /// Print the OpenAPI document
    Openapi,
}

/// Parses the command line, runs the command and returns its exit code.
pub fn run() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    let (command, wrong) = if config::is_check(&arguments) {
        match without_wrong_variables(&arguments) {
            Ok(readable) => readable,
            Err(faults) => return config::refuse(faults),
        }
    } else {
        (command(), Vec::new())
    };
    let parsed = command.try_get_matches_from(&arguments);
    let parsed = parsed.and_then(|matches| Ok((Cli::from_arg_matches(&matches)?, matches)));
    let (cli, matches) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return refuse(&error),
    };
    if let Err(error) = telemetry::init(&cli.log) {
        return failure::report(&error.into());
    }
    let secrets = Secrets::from_env();
    for name in secrets.unknown(&known_variables()) {
        warn!(name, "unknown environment variable; `tunnelgate serve --help` lists the settings");
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failure::report(&Failure::new("can't start the async runtime", error)),
    };
    if let Command::Config(asked) = cli.command {
        // With the names of all variables, those that do not count included.
        let command = Cli::command();
        let check = command.find_subcommand("config").and_then(|config| config.find_subcommand("check"));
        let given =
            matches.subcommand_matches("config").and_then(|config| config.subcommand_matches("check"));
        let Some(check) = check.zip(given) else { return ExitCode::SUCCESS };
        return config::run(asked, check, &secrets, wrong)
            .unwrap_or_else(|failure| failure::report(&failure));
    }
    let ended = runtime.block_on(execute(cli.command, &secrets));
    // A read of a file that hangs must not keep the process.
    runtime.shutdown_timeout(LAST_WAIT);
    match ended {
        Ok(code) => code,
        Err(failure) => failure::report(&failure),
    }
}

/// The command line. An empty variable counts as unset: compose files set unset variables to nothing.
fn command() -> clap::Command {
    fn without_empty(command: clap::Command) -> clap::Command {
        let is_empty = |argument: &clap::Arg| {
            argument.get_env().and_then(std::env::var_os).is_some_and(|value| value.is_empty())
        };
        command
            .mut_args(|argument| if is_empty(&argument) { argument.env(None::<&str>) } else { argument })
            .mut_subcommands(without_empty)
    }
    without_empty(Cli::command())
}

async fn execute(command: Command, secrets: &Secrets) -> Result<ExitCode, Failure> {
    match command {
        Command::Serve(args) => serve::run(&args, secrets).await,
        Command::Sandbox(args) => sandbox::run(&args).await,
        Command::SimulateCloud(args) => simulate_cloud::run(&args, secrets).await,
        Command::Health(args) => health::run(&args).await,
        Command::Keys(command) => keys::run(command, secrets).await,
        Command::Audit(command) => audit::run(command, secrets).await,
        Command::Rollout(args) => rollout::run(*args, secrets).await,
        Command::Webhooks(command) => webhooks::run(command, secrets).await,
        Command::Migrate(args) => {
            let database = Database::from_args(&args, secrets)?;
            open_ledger(&database, true, &Metrics::default()).await?;
            Ok(ExitCode::SUCCESS)
        }
        // Runs without the runtime.
        Command::Config(_) => Ok(ExitCode::SUCCESS),
        Command::Openapi => {
            failure::print(&http::openapi::document_json())?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Prints help to stdout, and an invalid value as one line on stderr that names the flag and its variable.
fn refuse(error: &clap::Error) -> ExitCode {
    match invalid_value(error) {
        Some((_, fault)) => failure::report(&fault.into()),
        None => {
            let _ = error.print();
            if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS }
        }
    }
}

/// The flag with an invalid value, and what is wrong with it.
fn invalid_value(error: &clap::Error) -> Option<(String, InvalidSetting)> {
    use clap::error::{ContextKind, ErrorKind};
    if !matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::ValueValidation) {
        return None;
    }
    let of = |kind| error.get(kind).map(ToString::to_string).unwrap_or_default();
    let flag = of(ContextKind::InvalidArg);
    let long = flag.trim_start_matches("--").split([' ', '=']).next().unwrap_or_default().to_owned();
    // Several commands have a flag of this name, each with a variable of its own.
    let mut flags = variables_of(asked()).chain(variables_of(Cli::command()));
    let variable = flags.find(|(flag, _)| *flag == long).map(|(_, variable)| variable);
    let name = variable.map_or_else(|| format!("--{long}"), |variable| format!("{variable} (--{long})"));
    let reason = match error.kind() {
        ErrorKind::InvalidValue => format!("must be one of {}", of(ContextKind::ValidValue)),
        // The message of the parser, without the value.
        _ => std::error::Error::source(error).map_or("is invalid".to_owned(), ToString::to_string),
    };
    Some((long, InvalidSetting::new(name, reason)))
}

/// The command line of a check without the variables whose values can't be read, and what is wrong with them: clap stops
/// at the first.
fn without_wrong_variables(arguments: &[OsString]) -> Result<(clap::Command, Vec<InvalidSetting>), Faults> {
    let mut command = command();
    let mut wrong: Vec<InvalidSetting> = Vec::new();
    loop {
        let Err(error) = command.clone().try_get_matches_from(arguments) else { return Ok((command, wrong)) };
        let Some((flag, fault)) = invalid_value(&error) else { return Ok((command, wrong)) };
        let is_known = wrong.contains(&fault);
        if !is_known {
            wrong.push(fault);
        }
        let of = |command: &clap::Command| {
            let id = command.get_arguments().find(|argument| argument.get_long() == Some(&flag))?.get_id();
            Some(id.clone())
        };
        let check = command.find_subcommand("config").and_then(|config| config.find_subcommand("check"));
        let Some(id) = check.and_then(of).filter(|_| !is_known) else {
            // The value comes from a flag.
            let mut faults = Faults::default();
            faults.extend(wrong);
            return Err(faults);
        };
        command = command.mut_subcommand("config", |config| {
            config.mut_subcommand("check", |check| check.mut_arg(id, |argument| argument.env(None::<&str>)))
        });
    }
}

/// The command that the arguments name.
fn asked() -> clap::Command {
    let mut command = Cli::command();
    for argument in std::env::args() {
        if let Some(subcommand) = command.find_subcommand(&argument).cloned() {
            command = subcommand;
        }
    }
    command
}

/// Flags of a command and its subcommands that have an environment variable, as pairs of both names.
fn variables_of(command: clap::Command) -> impl Iterator<Item = (String, String)> {
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
    variables_of(Cli::command()).map(|(_, variable)| variable).collect()
}
