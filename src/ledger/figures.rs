//! What `/metrics` tells of the ledger.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};

use crate::metrics::Metrics;

/// The figures of one writer.
#[derive(Debug, Clone)]
pub(super) struct Figures {
    batch: Histogram,
    commit: Histogram,
    failures: Counter,
}

impl Figures {
    pub(super) fn new(metrics: &Metrics) -> Self {
        Self {
            batch: metrics.register(
                "ledger_batch_steps",
                "Steps that shared one transaction",
                Histogram::new(exponential_buckets(1.0, 2.0, 9)),
            ),
            commit: metrics.register(
                "ledger_commit_duration_seconds",
                "Seconds from the start of a transaction to the end of its commit",
                Histogram::new(exponential_buckets(0.000_25, 2.0, 15)),
            ),
            failures: metrics.register(
                "ledger_write_failures",
                "Transactions that did not come about",
                Counter::default(),
            ),
        }
    }

    pub(super) fn committed(&self, steps: usize, took: Duration) {
        self.batch.observe(steps as f64);
        self.commit.observe(took.as_secs_f64());
    }

    pub(super) fn failed(&self) {
        self.failures.inc();
    }
}
