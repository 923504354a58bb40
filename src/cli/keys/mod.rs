//! `tunnelgate keys`.

mod list;

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use secrecy::ExposeSecret;

use crate::app::open_ledger;
use crate::chance::{Chance, SystemChance};
use crate::clock::{Clock, SystemClock};
use crate::config::args::DatabaseArgs;
use crate::config::secrets::Secrets;
use crate::config::{Database, InvalidSetting, duration};
use crate::domain::event::EventKind;
use crate::domain::principal::{Grant, Scope, VpcPattern, VpcScope};
use crate::metrics::Metrics;
use crate::service::keys::{self, NewKey, NewToken};
use crate::service::ledger::{ApiKey, Ledger};

use super::{Failure, failure};

/// Longest name of a key, in characters. Every audit event of the key contains the name.
const MAX_NAME: usize = 64;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Create a key and print its token, alone on stdout. The token is shown only once: the ledger stores its SHA-256
    Create(Create),
    /// List all keys with their expiry and last use, without their tokens
    List(list::List),
    /// Give a key a new token and print it, alone on stdout. The older token works until the overlap is over
    Rotate(Rotate),
    /// Revoke a key with all of its tokens. Running gateways accept them for up to 5 more seconds
    Revoke(Revoke),
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// Name of the key, the actor in the audit log. 1 to 64 letters, digits or . _ @ -
    #[arg(long, value_parser = name)]
    name: String,
    /// Scope of the key: tunnels:read, tunnels:write or audit:read. Repeat the flag for several scopes
    #[arg(long, required = true, value_parser = scope, value_name = "SCOPE")]
    scope: Vec<Scope>,
    /// Pattern of the VPC ids that the scopes cover, e.g. vpc-prod-*. Repeat the flag for several patterns [default: all
    /// VPCs]
    #[arg(long, value_parser = pattern, value_name = "PATTERN")]
    vpc: Vec<VpcPattern>,
    /// Lifetime of the key, e.g. 90d [default: until it is revoked]
    #[arg(long, value_parser = duration::greater_than_zero, value_name = "DURATION")]
    expires_in: Option<Duration>,
    #[command(flatten)]
    database: DatabaseArgs,
}

#[derive(Debug, Args)]
pub(super) struct Rotate {
    /// Name of the key
    #[arg(value_name = "NAME")]
    name: String,
    /// How long the older tokens of the key keep working, e.g. 24h. 0 ends them at once: running gateways accept them for up
    /// to 5 more seconds. A token that ends earlier, because of an earlier rotation or the key's expiry, still ends then
    #[arg(long, default_value = "24h", value_parser = duration::parse, value_name = "DURATION")]
    overlap: Duration,
    /// New lifetime of the key, e.g. 90d [default: the key expires when it did before]
    #[arg(long, value_parser = duration::greater_than_zero, value_name = "DURATION")]
    expires_in: Option<Duration>,
    #[command(flatten)]
    database: DatabaseArgs,
}

#[derive(Debug, Args)]
pub(super) struct Revoke {
    /// Name of the key
    #[arg(value_name = "NAME", required_unless_present = "name")]
    key: Option<String>,
    /// Name of the key
    #[arg(long, conflicts_with = "key")]
    name: Option<String>,
    #[command(flatten)]
    database: DatabaseArgs,
}

fn name(text: &str) -> Result<String, String> {
    let allowed = |c: char| c.is_alphanumeric() || "._@-".contains(c);
    if text.is_empty() || text.chars().count() > MAX_NAME || !text.chars().all(allowed) {
        return Err(format!("must be 1 to {MAX_NAME} letters, digits or . _ @ -"));
    }
    Ok(text.to_owned())
}

fn scope(text: &str) -> Result<Scope, String> {
    Scope::from_word(text).ok_or_else(|| format!("must be one of {}", Scope::WORDS.join(", ")))
}

fn pattern(text: &str) -> Result<VpcPattern, String> {
    text.parse().map_err(|error: crate::domain::principal::InvalidPattern| error.to_string())
}

pub(super) async fn run(command: Command, secrets: &Secrets) -> Result<ExitCode, Failure> {
    match command {
        Command::Create(args) => create(args, secrets).await,
        Command::List(args) => list::run(&args, secrets).await,
        Command::Rotate(args) => rotate(&args, secrets).await,
        Command::Revoke(args) => revoke(&args, secrets).await,
    }
}

async fn create(args: Create, secrets: &Secrets) -> Result<ExitCode, Failure> {
    let database = Database::from_args(&args.database, secrets)?;
    let ledger = open_ledger(&database, true, &Metrics::default()).await?;
    let grants = args.scope.iter().map(|scope| Grant {
        scope: *scope,
        vpcs: if args.vpc.is_empty() { VpcScope::All } else { VpcScope::Matching(args.vpc.clone()) },
    });
    let now = SystemClock.now();
    let NewKey { key, token } = keys::draw(&SystemChance, &args.name, grants.collect(), args.expires_in, now);
    let event = keys::event(EventKind::KeyCreated, &key, SystemChance.id(now), now);
    if !ledger.create_key(&key, event).await? {
        return Err(InvalidSetting::new(
            "--name",
            "a key that is not revoked already has this name; choose another name or revoke that key",
        )
        .into());
    }
    failure::print(&format!("{}\n", token.expose_secret()))?;
    Ok(ExitCode::SUCCESS)
}

/// The key of this name that is not revoked.
async fn find(ledger: &dyn Ledger, name: &str) -> Result<ApiKey, Failure> {
    let keys = ledger.keys().await?;
    let key = keys.into_iter().find(|key| key.name == name && key.revoked_at.is_none());
    key.ok_or_else(|| no_key(name).into())
}

fn no_key(name: &str) -> InvalidSetting {
    InvalidSetting::new(
        "NAME",
        format!(
            "there is no API key {name:?}, or it is revoked already; `tunnelgate keys list` shows the names"
        ),
    )
}

async fn rotate(args: &Rotate, secrets: &Secrets) -> Result<ExitCode, Failure> {
    let database = Database::from_args(&args.database, secrets)?;
    let ledger = open_ledger(&database, false, &Metrics::default()).await?;
    let key = find(&*ledger, &args.name).await?;
    // The gateways compare the end of the overlap with the ledger's clock.
    let now = ledger.time().await?.unwrap_or_else(|| SystemClock.now());
    if args.expires_in.is_none() && !key.is_valid(now) {
        return Err(InvalidSetting::new(
            "NAME",
            "the key has expired; --expires-in gives it a new lifetime with the new token",
        )
        .into());
    }
    let NewToken { rotation, token } = keys::rotate(&SystemChance, &key, args.overlap, args.expires_in, now);
    let event = keys::rotation_event(&key, &rotation, SystemChance.id(now));
    if !ledger.rotate_key(&rotation, event).await? {
        // Revoked meanwhile, or rotated with another lifetime.
        find(&*ledger, &args.name).await?;
        return Err(InvalidSetting::new(
            "NAME",
            "another command has changed the expiry of the key; nothing was changed; run the command again",
        )
        .into());
    }
    failure::print(&format!("{}\n", token.expose_secret()))?;
    Ok(ExitCode::SUCCESS)
}

async fn revoke(args: &Revoke, secrets: &Secrets) -> Result<ExitCode, Failure> {
    let database = Database::from_args(&args.database, secrets)?;
    let ledger = open_ledger(&database, false, &Metrics::default()).await?;
    let name = args.key.as_ref().or(args.name.as_ref()).map_or("", String::as_str);
    let key = find(&*ledger, name).await?;
    let now = SystemClock.now();
    let event = keys::event(EventKind::KeyRevoked, &key, SystemChance.id(now), now);
    if !ledger.revoke_key(key.id, now, event).await? {
        return Err(no_key(name).into());
    }
    Ok(ExitCode::SUCCESS)
}
