//! The metrics of the API.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::exemplar::HistogramWithExemplars;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::exponential_buckets;

use crate::domain::operation::Status;
use crate::metrics::Metrics;
use crate::service::accounts::Account;
use crate::service::drift::list::Standing;
use crate::service::read::Unfinished;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answer {
    method: &'static str,
    route: String,
    status: u16,
}

/// The trace of one request in a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Exemplar {
    trace_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refusal {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Work {
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfAccount {
    account: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Build {
    version: &'static str,
}

/// A gauge that can be absent; only a family with labels can.
type Seconds = Family<[(&'static str, &'static str); 0], Gauge<f64, AtomicU64>>;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Waiting {
    kind: &'static str,
}

/// The metrics of the API.
#[derive(Debug, Clone)]
pub struct HttpMetrics {
    requests: Family<Answer, Counter>,
    seconds: Family<Answer, HistogramWithExemplars<Exemplar>>,
    in_flight: Gauge,
    waiting: Family<Waiting, Gauge>,
    refused: Family<Refusal, Counter>,
    ledger_up: Gauge,
    unfinished: Family<Work, Gauge>,
    without_account: Family<OfAccount, Gauge>,
    account_reachable: Family<OfAccount, Gauge>,
    drift: Family<OfAccount, Gauge>,
    drift_readable: Family<[(&'static str, &'static str); 0], Gauge>,
    sweep_age: Seconds,
    sweep_interval: Seconds,
    oldest: Seconds,
    lag: Seconds,
    clock_skew: Seconds,
}

/// Increments a gauge until it is dropped.
pub struct InFlight(Gauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn histogram() -> HistogramWithExemplars<Exemplar> {
    HistogramWithExemplars::new(exponential_buckets(0.000_5, 2.0, 17))
}

impl HttpMetrics {
    pub fn new(metrics: &Metrics) -> Self {
        let build: Family<Build, Gauge> =
            metrics.register("build_info", "Always 1; the label is the program's version", Family::default());
        build.get_or_create(&Build { version: env!("CARGO_PKG_VERSION") }).set(1);
        let waiting: Family<Waiting, Gauge> = Family::default();
        for kind in ["wait", "stream"] {
            // Present from the start, at zero.
            drop(waiting.get_or_create(&Waiting { kind }));
        }
        Self {
            requests: metrics.register(
                "http_requests",
                "Requests by method, route pattern and status",
                Family::default(),
            ),
            seconds: metrics.register(
                "http_request_duration_seconds",
                "Seconds from the end of a request's head to the start of its answer",
                Family::new_with_constructor(histogram as fn() -> HistogramWithExemplars<Exemplar>),
            ),
            in_flight: metrics.register("http_requests_in_flight", "Requests in flight", Gauge::default()),
            waiting: metrics.register(
                "http_waiting_clients",
                "Clients that wait for an operation, by Prefer: wait or on a stream",
                waiting,
            ),
            refused: metrics.register(
                "auth_refusals",
                "Refused requests by reason: no token, an invalid token, a missing scope, or a rate limit",
                Family::default(),
            ),
            ledger_up: metrics.register(
                "ledger_up",
                "1 if the ledger answered this scrape, else 0",
                Gauge::default(),
            ),
            clock_skew: metrics.register(
                "clock_skew_seconds",
                "Seconds by which the process's clock is ahead of the ledger's clock",
                Family::default(),
            ),
            unfinished: metrics.register(
                "operations_unfinished",
                "Unfinished operations of all replicas, by status",
                Family::default(),
            ),
            without_account: metrics.register(
                "operations_without_account",
                "Unfinished operations of all replicas whose account is not configured any more, by account",
                Family::default(),
            ),
            account_reachable: metrics.register(
                "account_reachable",
                "1 if the account's last call got an answer, else 0; absent before its first call",
                Family::default(),
            ),
            drift: metrics.register(
                "drift_tunnels",
                "Tunnels with drift, by account; absent unless drift is watched",
                Family::default(),
            ),
            drift_readable: metrics.register(
                "drift_readable",
                "1 if this scrape could read the state of drift in the ledger, else 0; absent unless drift is watched",
                Family::default(),
            ),
            sweep_age: metrics.register(
                "drift_sweep_age_seconds",
                "Seconds since the last sweep for drift ended that read every tunnel, or since drift was first turned on",
                Seconds::default(),
            ),
            sweep_interval: metrics.register(
                "drift_interval_seconds",
                "Interval of the sweeps for drift, in seconds; absent unless drift is watched",
                Seconds::default(),
            ),
            oldest: metrics.register(
                "operations_oldest_unfinished_age_seconds",
                "Age of the oldest unfinished operation, in seconds; 0 without unfinished operations",
                Seconds::default(),
            ),
            lag: metrics.register(
                "tracker_lag_seconds",
                "How long the most overdue poll of the tracker is overdue, in seconds; 0 if no poll is overdue",
                Seconds::default(),
            ),
        }
    }

    pub fn begin(&self) -> InFlight {
        self.in_flight.inc();
        InFlight(self.in_flight.clone())
    }

    /// Counts a client that waits for an operation, until the answer is dropped.
    pub fn waits(&self, kind: &'static str) -> InFlight {
        let waiting = self.waiting.get_or_create(&Waiting { kind }).clone();
        waiting.inc();
        InFlight(waiting)
    }

    /// Counts a request. `trace_id` is the id of its trace if that is exported.
    pub fn answered(
        &self,
        method: &'static str,
        route: &str,
        status: u16,
        took: Duration,
        trace_id: Option<String>,
    ) {
        let labels = Answer { method, route: route.to_owned(), status };
        self.requests.get_or_create(&labels).inc();
        let exemplar = trace_id.map(|trace_id| Exemplar { trace_id });
        self.seconds.get_or_create(&labels).observe(took.as_secs_f64(), exemplar, None);
    }

    /// Sets the gauges of unfinished operations.
    pub fn unfinished(&self, work: &Unfinished) {
        self.ledger_up.set(1);
        for status in Status::ALL.iter().filter(|status| !status.is_final()) {
            let count =
                work.by_status.iter().find(|(found, _)| found == status).map_or(0, |(_, count)| *count);
            let gauge = self.unfinished.get_or_create(&Work { status: status.as_str() });
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        self.without_account.clear();
        for (account, count) in &work.without_account {
            let gauge = self.without_account.get_or_create(&OfAccount { account: account.clone() });
            gauge.set(i64::try_from(*count).unwrap_or(i64::MAX));
        }
        self.oldest.get_or_create(&[]).set(work.oldest_age.as_secs_f64());
        self.lag.get_or_create(&[]).set(work.lag.as_secs_f64());
    }

    /// Sets the gauges of drift. `accounts` are those that have one even without drift.
    pub fn drift(&self, interval: Duration, standing: &Standing, accounts: &[String]) {
        self.no_drift();
        for account in accounts {
            self.drift.get_or_create(&OfAccount { account: account.clone() }).set(0);
        }
        for (account, tunnels) in &standing.tunnels {
            let gauge = self.drift.get_or_create(&OfAccount { account: account.clone() });
            gauge.set(i64::try_from(*tunnels).unwrap_or(i64::MAX));
        }
        self.drift_readable.get_or_create(&[]).set(1);
        self.sweep_interval.get_or_create(&[]).set(interval.as_secs_f64());
        if let Some(age) = standing.age {
            self.sweep_age.get_or_create(&[]).set(age.as_secs_f64());
        }
    }

    /// Removes the gauges of drift that the ledger did not tell.
    pub fn drift_is_unreadable(&self, interval: Duration) {
        self.no_drift();
        self.drift_readable.get_or_create(&[]).set(0);
        self.sweep_interval.get_or_create(&[]).set(interval.as_secs_f64());
    }

    /// Removes the gauges of drift.
    pub fn no_drift(&self) {
        self.drift.clear();
        self.drift_readable.clear();
        self.sweep_age.clear();
        self.sweep_interval.clear();
    }

    /// Removes the gauges of unfinished operations, because their values would be stale.
    pub fn ledger_is_down(&self) {
        self.ledger_up.set(0);
        self.unfinished.clear();
        self.without_account.clear();
        self.oldest.clear();
        self.lag.clear();
    }

    /// Sets the gauges of the accounts.
    pub fn accounts(&self, accounts: &[Account]) {
        self.account_reachable.clear();
        for account in accounts {
            if let Some(is_reachable) = account.is_reachable {
                let labels = OfAccount { account: account.route.account.clone() };
                self.account_reachable.get_or_create(&labels).set(is_reachable.into());
            }
        }
    }

    pub fn clock_skew(&self, seconds: f64) {
        self.clock_skew.get_or_create(&[]).set(seconds);
    }

    pub fn refused(&self, reason: &'static str) {
        self.refused.get_or_create(&Refusal { reason }).inc();
    }
}
