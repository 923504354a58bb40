//! The metrics of the calls to the cloud.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};

use crate::domain::connection_fault::ConnectionFault;
use crate::metrics::Metrics;
use crate::service::cloud::Priority;

use super::meaning;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Call {
    action: &'static str,
    code: String,
    account: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Wait {
    priority: &'static str,
    account: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AccountLabel {
    account: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NoConnection {
    cause: &'static str,
    account: Arc<str>,
}

/// The metrics of one account's call budget.
#[derive(Debug, Clone)]
pub(super) struct BudgetMetrics {
    rate: Gauge,
    failures: Counter,
}

impl BudgetMetrics {
    /// Calls a second; 0 = no limit.
    pub(super) fn rate(&self, calls_per_second: u32) {
        self.rate.set(calls_per_second.into());
    }

    pub(super) fn failed(&self) {
        self.failures.inc();
    }
}

/// The metrics of all accounts.
#[derive(Debug, Clone)]
pub struct CloudMetrics {
    calls: Family<Call, Counter>,
    seconds: Family<Call, Histogram>,
    unconnected: Family<NoConnection, Counter>,
    waits: Family<Wait, Histogram>,
    rates: Family<AccountLabel, Gauge>,
    failures: Family<AccountLabel, Counter>,
}

fn histogram() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 2.0, 15))
}

impl CloudMetrics {
    /// Registers the metrics.
    #[must_use]
    pub fn new(metrics: &Metrics) -> Self {
        Self {
            calls: metrics.register(
                "cloud_calls",
                "Calls to the cloud by action, code and account, failed ones included",
                Family::default(),
            ),
            seconds: metrics.register(
                "cloud_call_duration_seconds",
                "Seconds from the start of a call to the cloud to its answer",
                Family::new_with_constructor(histogram as fn() -> Histogram),
            ),
            unconnected: metrics.register(
                "cloud_connection_failures",
                "Attempts of calls that got no connection to the cloud, by cause and account",
                Family::default(),
            ),
            waits: metrics.register(
                "cloud_budget_wait_seconds",
                "Seconds that calls waited for the call budget, by priority and account",
                Family::new_with_constructor(histogram as fn() -> Histogram),
            ),
            rates: metrics.register(
                "cloud_budget_calls_per_second",
                "Calls to the cloud per second that the budget allows all replicas, as this process knows; 0 = no limit",
                Family::default(),
            ),
            failures: metrics.register(
                "cloud_budget_failures",
                "Reservations of calls that failed in the ledger",
                Family::default(),
            ),
        }
    }

    pub(super) fn of_budget(&self, account: &str) -> BudgetMetrics {
        let label = AccountLabel { account: account.to_owned() };
        BudgetMetrics {
            rate: self.rates.get_or_create(&label).clone(),
            failures: self.failures.get_or_create(&label).clone(),
        }
    }
}

/// The metrics of one account.
#[derive(Debug, Clone)]
pub(super) struct CallMetrics {
    account: Arc<str>,
    metrics: CloudMetrics,
}

impl CallMetrics {
    pub(super) fn new(account: &str, metrics: CloudMetrics) -> Self {
        let metrics = Self { account: account.into(), metrics };
        for fault in ConnectionFault::ALL {
            // Present from the start, at zero.
            drop(metrics.connection_failures(*fault));
        }
        metrics
    }

    /// The metrics of all accounts.
    pub(super) fn of_all(&self) -> &CloudMetrics {
        &self.metrics
    }

    /// The account's name.
    pub(super) fn account(&self) -> &str {
        &self.account
    }

    pub(super) fn call(&self, action: &'static str, code: &str, took: Duration) {
        let is_ours =
            matches!(code, "lost" | "timeout" | "unreachable" | "unreadable") || code.starts_with("http_");
        let code = if is_ours { code } else { meaning::label(code) }.to_owned();
        let labels = Call { action, code, account: self.account.clone() };
        self.metrics.calls.get_or_create(&labels).inc();
        self.metrics.seconds.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// Counts an attempt without a connection.
    pub(super) fn unconnected(&self, fault: ConnectionFault) {
        self.connection_failures(fault).inc();
    }

    fn connection_failures(&self, fault: ConnectionFault) -> Counter {
        let labels = NoConnection { cause: fault.as_str(), account: self.account.clone() };
        self.metrics.unconnected.get_or_create(&labels).clone()
    }

    pub(super) fn wait(&self, priority: Priority, took: Duration) {
        let priority = match priority {
            Priority::Change => "change",
            Priority::Poll => "poll",
            Priority::Read => "read",
            Priority::Sweep => "sweep",
        };
        let labels = Wait { priority, account: self.account.clone() };
        self.metrics.waits.get_or_create(&labels).observe(took.as_secs_f64());
    }
}
