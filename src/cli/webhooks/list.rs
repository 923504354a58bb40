//! `tunnelgate webhooks list`.

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
use crate::domain::timestamp::Timestamp;
use crate::metrics::Metrics;
use crate::service::ledger::WebhookPlace;

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
    let now = ledger.time().await?.unwrap_or_else(|| SystemClock.now());
    let places = ledger.webhooks().await?;
    let text = if args.json { document(&places, now) } else { table(&places, now) };
    failure::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// Events that the webhook has not passed.
fn lag(place: &WebhookPlace) -> i64 {
    place.newest.saturating_sub(place.seq).max(0)
}

/// Age of the oldest of them, in seconds.
fn age(place: &WebhookPlace, now: Timestamp) -> u64 {
    place.waiting_since.map_or(0, |since| now.since(since).as_secs())
}

/// The process that delivers.
fn holder(place: &WebhookPlace, now: Timestamp) -> Option<&str> {
    let (holder, until) = place.lease.as_ref()?;
    (*until > now).then_some(holder)
}

/// `{"items": [...]}`, one item a webhook.
fn document(places: &[WebhookPlace], now: Timestamp) -> String {
    let items: Value = places
        .iter()
        .map(|place| {
            let failing = place.failing.as_ref().map(|failing| {
                json!({
                    "attempts": failing.attempts,
                    "problem": failing.problem,
                    "retry_at": failing.retry_at,
                })
            });
            json!({
                "name": place.name,
                "seq": place.seq,
                "lag_events": lag(place),
                "lag_seconds": age(place, now),
                "held_by": holder(place, now),
                "failing": failing,
            })
        })
        .collect();
    format!("{:#}\n", json!({"items": items}))
}

fn table(places: &[WebhookPlace], now: Timestamp) -> String {
    let mut rows = vec![["NAME", "PASSED", "LAG", "OLDEST", "HELD BY", "NEXT EVENT"].map(String::from)];
    rows.extend(places.iter().map(|place| {
        let next = match &place.failing {
            Some(failing) => {
                format!("{} failed {} times: {}", place.seq + 1, failing.attempts, failing.problem)
            }
            None if lag(place) > 0 => (place.seq + 1).to_string(),
            None => "-".to_owned(),
        };
        [
            place.name.clone(),
            place.seq.to_string(),
            format!("{} events", lag(place)),
            format!("{} s", age(place, now)),
            holder(place, now).unwrap_or("-").to_owned(),
            next,
        ]
    }));
    aligned(&rows)
}
