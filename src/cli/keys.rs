//! `tunnelgate keys`.

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
use crate::domain::timestamp::Timestamp;
use crate::metrics::Metrics;
use crate::service::keys::{self, NewKey};
use crate::service::ledger::ApiKey;

use super::{Failure, failure};

/// Longest name of a key, in characters. Every audit event of the key contains the name.
const MAX_NAME: usize = 64;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Create a key and print its token, alone on stdout. The token is shown only once: the ledger stores its SHA-256
    Create(Create),
    /// List all keys, without their tokens
    List(DatabaseArgs),
    /// Revoke a key. Running gateways accept it for up to 5 more seconds
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
    #[arg(long, value_parser = duration::parse, value_name = "DURATION")]
    expires_in: Option<Duration>,
    #[command(flatten)]
    database: DatabaseArgs,
}

#[derive(Debug, Args)]
pub(super) struct Revoke {
    /// Name of the key
    #[arg(long)]
    name: String,
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
        Command::List(args) => list(&args, secrets).await,
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

async fn list(args: &DatabaseArgs, secrets: &Secrets) -> Result<ExitCode, Failure> {
    let database = Database::from_args(args, secrets)?;
    let ledger = open_ledger(&database, false, &Metrics::default()).await?;
    let now = SystemClock.now();
    let mut text = format!("{:<24} {:<8} {:<28} {:<28} SCOPES\n", "NAME", "STATE", "CREATED", "EXPIRES");
    for key in ledger.keys().await? {
        let expires = key.expires_at.map_or_else(|| "never".to_owned(), |end| end.to_string());
        text.push_str(&format!(
            "{:<24} {:<8} {:<28} {expires:<28} {}\n",
            key.name,
            state(&key, now),
            key.created_at.to_string(),
            scopes(&key)
        ));
    }
    failure::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn state(key: &ApiKey, now: Timestamp) -> &'static str {
    if key.revoked_at.is_some() {
        "revoked"
    } else if key.expires_at.is_some_and(|end| end <= now) {
        "expired"
    } else {
        "valid"
    }
}

fn scopes(key: &ApiKey) -> String {
    let grant = |grant: &Grant| match &grant.vpcs {
        VpcScope::All => grant.scope.to_string(),
        VpcScope::Matching(patterns) => {
            let patterns: Vec<&str> = patterns.iter().map(VpcPattern::as_str).collect();
            format!("{} in {}", grant.scope, patterns.join(" "))
        }
    };
    key.grants.iter().map(grant).collect::<Vec<_>>().join(", ")
}

async fn revoke(args: &Revoke, secrets: &Secrets) -> Result<ExitCode, Failure> {
    let database = Database::from_args(&args.database, secrets)?;
    let ledger = open_ledger(&database, false, &Metrics::default()).await?;
    let keys = ledger.keys().await?;
    let key = keys.iter().find(|key| key.name == args.name && key.revoked_at.is_none());
    let now = SystemClock.now();
    let is_revoked = match key {
        Some(key) => {
            let event = keys::event(EventKind::KeyRevoked, key, SystemChance.id(now), now);
            ledger.revoke_key(key.id, now, event).await?
        }
        None => false,
    };
    if is_revoked {
        Ok(ExitCode::SUCCESS)
    } else {
        Err(InvalidSetting::new(
            "--name",
            "no valid key has this name; `tunnelgate keys list` shows the names",
        )
        .into())
    }
}
