//! The metrics of the calls to the cloud.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};

use crate::metrics::Metrics;
use crate::service::cloud::Priority;

use super::meaning;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Call {
    action: &'static str,
    code: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Wait {
    priority: &'static str,
}

/// The metrics of one client.
#[derive(Debug, Clone)]
pub(super) struct CallMetrics {
    calls: Family<Call, Counter>,
    seconds: Family<Call, Histogram>,
    waits: Family<Wait, Histogram>,
}

fn histogram() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 2.0, 15))
}

impl CallMetrics {
    pub(super) fn new(metrics: &Metrics) -> Self {
        Self {
            calls: metrics.register(
                "cloud_calls",
                "Calls to the cloud by action and code, failed ones included",
                Family::default(),
            ),
            seconds: metrics.register(
                "cloud_call_duration_seconds",
                "Seconds from the start of a call to the cloud to its answer",
                Family::new_with_constructor(histogram as fn() -> Histogram),
            ),
            waits: metrics.register(
                "cloud_budget_wait_seconds",
                "Seconds that calls waited for the call budget, by priority",
                Family::new_with_constructor(histogram as fn() -> Histogram),
            ),
        }
    }

    pub(super) fn call(&self, action: &'static str, code: &str, took: Duration) {
        let is_ours =
            matches!(code, "lost" | "timeout" | "unreachable" | "unreadable") || code.starts_with("http_");
        let code = if is_ours { code } else { meaning::label(code) }.to_owned();
        let labels = Call { action, code };
        self.calls.get_or_create(&labels).inc();
        self.seconds.get_or_create(&labels).observe(took.as_secs_f64());
    }

    pub(super) fn wait(&self, priority: Priority, took: Duration) {
        let priority = match priority {
            Priority::Change => "change",
            Priority::Poll => "poll",
            Priority::Read => "read",
        };
        self.waits.get_or_create(&Wait { priority }).observe(took.as_secs_f64());
    }
}
