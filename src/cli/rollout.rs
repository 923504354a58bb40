//! `tunnelgate rollout`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use crate::chance::SystemChance;
use crate::clock::SystemClock;
use crate::config::number::{self, MAX_U32};
use crate::config::secrets::{Secrets, secret_of};
use crate::config::{Faults, InvalidSetting, duration};
use crate::rollout::order::BatchSizes;
use crate::rollout::{self, Base, Client, Hooks, Job, RolloutError, Source, Token, World};
use crate::shutdown::Shutdown;

use super::{Failure, failure};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Plan: YAML, or CSV if its name ends in .csv
    #[arg(value_name = "PLAN", required_unless_present = "rollback", conflicts_with = "rollback")]
    plan: Option<PathBuf>,
    /// Address of the gateway, e.g. https://net.example.com/tunnelgate; required
    #[arg(long, env = "TUNNELGATE_URL", value_name = "URL")]
    url: Option<String>,
    /// File that contains TUNNELGATE_TOKEN, the token of an API key or an OIDC issuer with tunnels:read and tunnels:write.
    /// Read again for every call
    #[arg(long, env = "TUNNELGATE_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Allow a plain http URL for any address: the token and pre-shared keys are then sent unencrypted
    #[arg(long)]
    allow_plain_http: bool,
    /// Show what would change, and change nothing: exit code 0 if nothing would, 3 if something would
    #[arg(long)]
    dry_run: bool,
    /// Do not ask before the first change
    #[arg(long)]
    yes: bool,
    /// Sizes of the batches: numbers and percentages of all tunnels. The last size repeats
    #[arg(long, default_value = "1,5,25%", value_name = "SIZES")]
    batch: BatchSizes,
    /// Number of tunnels that are not as asked after which no change begins
    #[arg(long, default_value = "1", value_name = "N", value_parser = number::within::<u32>(1..=MAX_U32))]
    max_failures: u32,
    /// Shell command to run before each change, with TUNNELGATE_VPC_ID, TUNNELGATE_GATEWAY_ID and TUNNELGATE_TUNNEL_ID in
    /// the environment and the new pre-shared key on standard input. If it fails, the tunnel is left alone
    #[arg(long, value_name = "COMMAND")]
    before: Option<String>,
    /// Shell command to run after each change that succeeded, as --before, with TUNNELGATE_OPERATION_ID
    #[arg(long, value_name = "COMMAND")]
    after: Option<String>,
    /// Time limit of --before and --after for one tunnel. A command that takes longer is ended, and counts as failed
    #[arg(long, default_value = "5m", value_parser = duration::parse, value_name = "DURATION")]
    command_timeout: Duration,
    /// How long a call to the gateway is repeated after 429, 503 and lost connections
    #[arg(long, default_value = "5m", value_parser = duration::parse, value_name = "DURATION")]
    retry_for: Duration,
    /// Reason that is sent with every change, e.g. the number of a ticket
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// File that keeps what an interrupted rollout needs to go on; must not exist [default: PLAN.state]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["resume", "rollback"])]
    state: Option<PathBuf>,
    /// State file of an interrupted rollout of the same plan, to go on with it
    #[arg(long, value_name = "FILE", conflicts_with = "rollback")]
    resume: Option<PathBuf>,
    /// State file of a rollout whose changes to put back. Changes of pre-shared keys can't be put back
    #[arg(long, value_name = "FILE")]
    rollback: Option<PathBuf>,
    /// Print one JSON object a line, for programs
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args, secrets: &Secrets) -> Result<ExitCode, Failure> {
    let client = client(&args, secrets)?;
    let source = source(&args)?;
    if args.command_timeout.is_zero() {
        return Err(InvalidSetting::new("--command-timeout", "must be greater than zero").into());
    }
    if args.json && !args.yes && !args.dry_run {
        return Err(
            InvalidSetting::new("--json", "can't ask for confirmation: add --yes or --dry-run").into()
        );
    }
    let job = Job {
        source,
        sizes: args.batch,
        max_failures: usize::try_from(args.max_failures).unwrap_or(usize::MAX),
        hooks: Hooks { before: args.before, after: args.after, limit: args.command_timeout },
        reason: args.reason,
        is_dry_run: args.dry_run,
        is_confirmed: args.yes,
        is_json: args.json,
    };
    let shutdown = Shutdown::new();
    shutdown.at_signals()?;
    let world = World { clock: Arc::new(SystemClock), chance: Arc::new(SystemChance), shutdown };
    match rollout::run(&client, &job, &world).await {
        Ok(exit) => Ok(ExitCode::from(exit)),
        Err(RolloutError::InvalidPlan { path, faults }) => {
            let mut all = Faults::default();
            all.extend(
                faults.iter().map(|fault| InvalidSetting::new(path.display().to_string(), fault.to_string())),
            );
            Err(all.into())
        }
        Err(error @ RolloutError::Stopped(_)) => {
            failure::report(&error.into());
            Ok(ExitCode::from(rollout::NOT_ALL))
        }
        Err(error) => Err(error.into()),
    }
}

fn source(args: &Args) -> Result<Source, Failure> {
    match (&args.plan, &args.resume, &args.rollback) {
        (_, _, Some(state)) => Ok(Source::Rollback { state: state.clone() }),
        (Some(plan), Some(state), None) => Ok(Source::Resume { plan: plan.clone(), state: state.clone() }),
        (Some(plan), None, None) => {
            let beside = || {
                let mut name = plan.clone().into_os_string();
                name.push(".state");
                name.into()
            };
            let state = args.state.clone().unwrap_or_else(beside);
            Ok(Source::Start { plan: plan.clone(), state })
        }
        (None, _, None) => Err(InvalidSetting::new("PLAN", "is required").into()),
    }
}

fn client(args: &Args, secrets: &Secrets) -> Result<Client, Failure> {
    let mut faults = Faults::default();
    let base = match args.url.as_deref() {
        Some(url) => {
            let base = Base::parse(url, args.allow_plain_http);
            base.map_err(|fault| InvalidSetting::new("TUNNELGATE_URL (--url)", fault.to_string()))
        }
        None => Err(InvalidSetting::new("TUNNELGATE_URL (--url)", "is required")),
    };
    let base = faults.take(base);
    let given = secrets.read("TUNNELGATE_TOKEN", args.token_file.as_deref());
    let given = given.and_then(|token| {
        token.ok_or_else(|| InvalidSetting::new("TUNNELGATE_TOKEN", "is required, or --token-file"))
    });
    match (base, faults.take(given)) {
        (Some(base), Some(token)) => {
            Client::new(base, reader(token, args.token_file.clone()), args.retry_for, Arc::new(SystemChance))
                .map_err(Failure::from)
        }
        _ => Err(faults.into()),
    }
}

/// Reads the token for a call.
fn reader(token: SecretString, file: Option<PathBuf>) -> Token {
    Arc::new(move || match &file {
        Some(file) => secret_of(file),
        None => Ok(token.clone()),
    })
}
