//! The command line.

mod audit;
mod config;
mod failure;
mod health;
mod keys;
mod parse;
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
use crate::config::{Database, Faults, Settings};
use crate::metrics::Metrics;
use crate::{http, telemetry};

pub use failure::Failure;
use parse::{Parsed, Refused, variables_of};

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
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let is_check = config::is_check(&arguments);
    let Parsed { matches, wrong, is_incomplete } = match parse::parse(&Cli::command(), arguments) {
        Ok(parsed) => parsed,
        Err(refused) => return refuse(refused, is_check),
    };
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => return refuse(Refused { wrong, error: Some(error) }, is_check),
    };
    telemetry::init(&cli.log);
    let secrets = Secrets::from_env();
    for name in secrets.unknown(&known_variables()) {
        warn!(name, "unknown environment variable; `tunnelgate serve --help` lists the settings");
    }
    if !wrong.is_empty() {
        let mut faults = Faults::default();
        faults.extend(wrong);
        if let (Some(args), false) = (cli.command.settings(), is_incomplete) {
            faults.extend(Settings::from_args(args, &secrets).err().into_iter().flatten());
        }
        return tell(faults, is_check);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failure::report(&Failure::new("can't start the async runtime", error)),
    };
    if let Command::Config(asked) = cli.command {
        // With the names of all variables, those that do not count included.
        let command = Cli::command();
        let given =
            matches.subcommand_matches("config").and_then(|config| config.subcommand_matches("check"));
        let Some(given) = given else { return ExitCode::SUCCESS };
        return config::run(asked, &command, given, &secrets)
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

impl Command {
    /// The settings of the service, of a command that reads all of them.
    fn settings(&self) -> Option<&ServeArgs> {
        match self {
            Self::Serve(args) => Some(args),
            Self::Config(config::Command::Check(args)) => Some(args),
            _ => None,
        }
    }
}

/// Prints help to stdout, and invalid values as one line each on stderr.
fn refuse(Refused { wrong, error }: Refused, is_check: bool) -> ExitCode {
    if let Some(error) = error.filter(|error| wrong.is_empty() || !error.use_stderr()) {
        let _ = error.print();
        return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
    }
    let mut faults = Faults::default();
    faults.extend(wrong);
    tell(faults, is_check)
}

fn tell(faults: Faults, is_check: bool) -> ExitCode {
    if is_check { config::refuse(faults) } else { failure::report(&faults.into()) }
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

fn known_variables() -> Vec<String> {
    variables_of(Cli::command()).map(|(_, variable)| variable).collect()
}
