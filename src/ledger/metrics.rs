//! Metrics of the ledger's writer.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};

use crate::metrics::Metrics;
use crate::service::ledger::Written;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StatusLabel {
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabel {
    result: &'static str,
}

/// Metrics of the writer.
#[derive(Debug, Clone)]
pub(super) struct WriterMetrics {
    batch: Histogram,
    commit: Histogram,
    failures: Counter,
    opened: Counter,
    ended: Family<StatusLabel, Counter>,
    verified: Family<ResultLabel, Counter>,
}

impl WriterMetrics {
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
                "Transactions that failed",
                Counter::default(),
            ),
            opened: metrics.register(
                "operations_opened",
                "Operations that this process opened",
                Counter::default(),
            ),
            ended: metrics.register(
                "operations_ended",
                "Operations that this process moved to a final status, by status",
                Family::default(),
            ),
            verified: metrics.register(
                "operations_verified",
                "Succeeded operations by the result of reading the tunnel back",
                Family::default(),
            ),
        }
    }

    pub(super) fn committed(&self, written: &[Written], took: Duration) {
        self.batch.observe(written.len() as f64);
        self.commit.observe(took.as_secs_f64());
        for step in written {
            match step {
                Written::Opened => {
                    self.opened.inc();
                }
                Written::Advanced(operation) if operation.state.status().is_final() => {
                    let status = operation.state.status().as_str();
                    self.ended.get_or_create(&StatusLabel { status }).inc();
                    if let Some(verification) = operation.state.verification() {
                        self.verified.get_or_create(&ResultLabel { result: verification.result() }).inc();
                    }
                }
                _ => {}
            }
        }
    }

    pub(super) fn failed(&self) {
        self.failures.inc();
    }
}
