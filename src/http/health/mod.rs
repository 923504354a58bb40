//! `/livez`, `/readyz`, `/metrics`.

pub(super) mod document;
mod unready;

use std::time::Duration;

use actix_web::{HttpResponse, web};
use serde::Serialize;
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use tracing::warn;
use utoipa::ToSchema;

use crate::causes::chain;
use crate::http::problem::{Problem, ProblemType};
use crate::http::state::HttpState;
use crate::service::MAX_SKEW;
use crate::service::ledger::{LedgerError, NotReady};

pub(super) use unready::Reported;
use unready::detail;

/// The time limit of the ledger query of a scrape.
const LEDGER_TIMEOUT: Duration = Duration::from_secs(1);
/// The text format of Prometheus.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The process is alive.
#[derive(Serialize, ToSchema)]
pub(super) struct Alive {
    #[schema(inline)]
    status: AliveStatus,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum AliveStatus {
    Alive,
}

/// The process accepts requests.
#[derive(Serialize, ToSchema)]
pub(super) struct Ready {
    #[schema(inline)]
    status: ReadyStatus,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum ReadyStatus {
    Ready,
}

pub(super) async fn livez() -> HttpResponse {
    HttpResponse::Ok().json(Alive { status: AliveStatus::Alive })
}

/// Ready means that the ledger is migrated and writable. The cloud is not checked: its outage must not take all replicas out
/// of service.
pub(super) async fn readyz(state: web::Data<HttpState>) -> Result<HttpResponse, Problem> {
    if state.shutdown.is_requested() {
        return Err(Problem::of(ProblemType::ShuttingDown));
    }
    let ready = state.ask(|service| async move { Ok::<_, LedgerError>(service.ready().await) }).await?;
    state.readiness.report(ready.as_ref().err());
    if let Err(not_ready) = ready {
        return Err(problem(&not_ready));
    }
    let skew = state.clock.skew();
    if skew.abs() > MAX_SKEW {
        let detail = format!(
            "this process's clock is {:.0} s {} the database's clock; synchronize both clocks",
            skew.abs(),
            if skew > 0.0 { "ahead of" } else { "behind" }
        );
        return Err(Problem::of(ProblemType::LedgerUnavailable).with_detail(detail));
    }
    Ok(HttpResponse::Ok().json(Ready { status: ReadyStatus::Ready }))
}

/// The answer, which everyone can read: the class of the reason, without a word of the database.
fn problem(not_ready: &NotReady) -> Problem {
    let problem = Problem::of_ledger(&not_ready.error);
    match not_ready.error {
        LedgerError::Unavailable(_) => problem.with_detail(detail(not_ready.class)),
        // Two numbers of events.
        LedgerError::Rewound(rewound) => problem.with_detail(rewound.to_string()),
        LedgerError::Corrupt(_) | LedgerError::UnreadableEvent(_) => problem,
    }
}

/// All metrics. Those of unfinished operations need a short query; without the ledger they are absent.
pub(super) async fn metrics(state: web::Data<HttpState>) -> HttpResponse {
    let service = state.service.clone();
    let interval = service.drift_interval();
    let work = async move {
        let drift = async {
            match interval {
                Some(_) => Some(timeout(LEDGER_TIMEOUT, service.drift_standing()).await),
                None => None,
            }
        };
        tokio::join!(timeout(LEDGER_TIMEOUT, service.unfinished()), drift)
    };
    state.metrics.clock_skew(state.clock.skew());
    state.metrics.accounts(&state.service.all_accounts());
    // Each of the two has a query of its own: one that fails takes no other value away.
    let (unfinished, drift) = match state.run(work).await {
        Ok((unfinished, drift)) => {
            (readable(unfinished, "unfinished operations"), drift.map(|drift| readable(drift, "drift")))
        }
        Err(_) => (None, interval.map(|_| None)),
    };
    match unfinished {
        Some(unfinished) => state.metrics.unfinished(&unfinished),
        None => state.metrics.ledger_is_down(),
    }
    match (interval, drift.flatten()) {
        (None, _) => state.metrics.no_drift(),
        (Some(interval), Some(standing)) => {
            state.metrics.drift(interval, &standing, &state.service.account_names());
        }
        (Some(interval), None) => state.metrics.drift_is_unreadable(interval),
    }
    HttpResponse::Ok().content_type(OPENMETRICS).body(state.registry.render())
}

/// What a query of the scrape found; `None`, with a line in the log, if it failed.
fn readable<T>(found: Result<Result<T, LedgerError>, Elapsed>, what: &str) -> Option<T> {
    let error = match found {
        Ok(Ok(found)) => return Some(found),
        Ok(Err(error)) => chain(&error),
        Err(elapsed) => elapsed.to_string(),
    };
    warn!(error, "the metrics of {what} can't be read");
    None
}
