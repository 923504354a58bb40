//! `tunnelgate keys list`.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use crate::app::open_ledger;
use crate::cli::failure::{self, Failure};
use crate::cli::table::aligned;
use crate::clock::{Clock, SystemClock};
use crate::config::Database;
use crate::config::args::DatabaseArgs;
use crate::config::secrets::Secrets;
use crate::domain::day::Day;
use crate::domain::principal::{Grant, VpcPattern, VpcScope};
use crate::domain::timestamp::Timestamp;
use crate::metrics::Metrics;
use crate::service::keys;
use crate::service::ledger::{ApiKey, ApiToken};

#[derive(Debug, Args)]
pub struct List {
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    database: DatabaseArgs,
}

pub(super) async fn run(args: &List, secrets: &Secrets) -> Result<ExitCode, Failure> {
    let database = Database::from_args(&args.database, secrets)?;
    let ledger = open_ledger(&database, false, &Metrics::default()).await?;
    let now = SystemClock.now();
    let keys = ledger.keys().await?;
    let text = if args.json { document(&keys, now) } else { table(&keys, now) };
    failure::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// `{"items": [...]}`, one item a key.
fn document(keys: &[ApiKey], now: Timestamp) -> String {
    let items: Value = keys.iter().map(|key| item(key, now)).collect();
    format!("{:#}\n", json!({"items": items}))
}

fn item(key: &ApiKey, now: Timestamp) -> Value {
    let tokens: Value = tokens(key, now)
        .map(|token| {
            json!({
                "created_at": token.created_at,
                "valid_until": token.valid_until,
                "last_used_on": token.last_used_on,
            })
        })
        .collect();
    json!({
        "id": key.id,
        "name": key.name,
        "state": state(key, now),
        "grants": keys::grants(key),
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "last_used_on": last_use(key),
        "tokens": tokens,
    })
}

/// The tokens of a key that have not ended. Those of a revoked or expired key ended with it.
fn tokens(key: &ApiKey, now: Timestamp) -> impl Iterator<Item = &ApiToken> {
    let is_over = key.revoked_at.is_some() || key.expires_at.is_some_and(|end| end <= now);
    let tokens = key.tokens.iter().filter(move |_| !is_over);
    tokens.filter(move |token| token.valid_until.is_none_or(|end| now < end))
}

fn table(keys: &[ApiKey], now: Timestamp) -> String {
    let mut rows =
        vec![["NAME", "STATE", "CREATED", "EXPIRES", "LAST USED", "OLD TOKEN", "SCOPES"].map(String::from)];
    rows.extend(keys.iter().map(|key| row(key, now)));
    aligned(&rows)
}

fn row(key: &ApiKey, now: Timestamp) -> [String; 7] {
    let old = tokens(key, now).filter_map(|token| token.valid_until).max();
    [
        key.name.clone(),
        state(key, now).to_owned(),
        seconds(key.created_at),
        key.expires_at.map_or_else(|| "never".to_owned(), seconds),
        last_use(key).map_or_else(|| "never".to_owned(), Day::to_string),
        old.map_or_else(|| "-".to_owned(), |end| format!("until {}", seconds(end))),
        scopes(key),
    ]
}

/// A moment without its fraction of a second: `2026-03-01T12:00:00Z`.
fn seconds(moment: Timestamp) -> String {
    let mut text = moment.to_string();
    if let Some(at) = text.find('.') {
        text.truncate(at);
        text.push('Z');
    }
    text
}

fn last_use(key: &ApiKey) -> Option<&Day> {
    key.tokens.iter().filter_map(|token| token.last_used_on.as_ref()).max()
}

fn state(key: &ApiKey, now: Timestamp) -> &'static str {
    if key.revoked_at.is_some() {
        "revoked"
    } else if key.is_valid(now) {
        "valid"
    } else {
        "expired"
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
