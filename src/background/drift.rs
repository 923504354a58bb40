//! Sweeps the tunnels for drift, while the settings ask for it.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use tokio::time::sleep;
use tracing::{info, warn};

use crate::causes::chain;
use crate::failpoint;
use crate::metrics::Metrics;
use crate::service::Service;
use crate::service::drift::sweep::{Stepped, Sweeper};
use crate::service::ledger::LedgerError;
use crate::shutdown::Shutdown;

/// First and longest wait after the ledger failed.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Call {
    account: String,
    result: &'static str,
}

/// A gauge that can be absent; only a family with labels can.
type Number = Family<[(&'static str, &'static str); 0], Gauge>;

/// The metrics of the sweep.
#[derive(Clone)]
pub struct SweepMetrics {
    calls: Family<Call, Counter>,
    sweeps: Counter,
    watched: Number,
    unseen: Number,
}

impl SweepMetrics {
    /// Registers the metrics.
    #[must_use]
    pub fn new(metrics: &Metrics) -> Self {
        Self {
            calls: metrics.register(
                "drift_calls",
                "Calls that read a page of tunnels for drift, by account and result: read or failed",
                Family::default(),
            ),
            sweeps: metrics.register(
                "drift_sweeps",
                "Sweeps for drift that this process ended",
                Counter::default(),
            ),
            watched: metrics.register(
                "drift_watched_tunnels",
                "Tunnels that the last sweep watched; absent unless this process ended it",
                Number::default(),
            ),
            unseen: metrics.register(
                "drift_unseen_tunnels",
                "Watched tunnels that the last sweep could not compare; absent unless this process ended it",
                Number::default(),
            ),
        }
    }

    fn add(&self, stepped: &Stepped) {
        if let Some(call) = &stepped.call {
            let result = if call.is_read { "read" } else { "failed" };
            self.calls.get_or_create(&Call { account: call.account.clone(), result }).inc();
        }
        if let Some(ended) = stepped.ended {
            let gauge = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
            self.sweeps.inc();
            self.watched.get_or_create(&[]).set(gauge(ended.watched));
            self.unseen.get_or_create(&[]).set(gauge(ended.watched.saturating_sub(ended.compared)));
            info!(
                tunnels = ended.watched,
                compared = ended.compared,
                seconds = ended.took.as_secs(),
                "swept the tunnels for drift"
            );
        }
        if !stepped.is_holder {
            self.clear();
        }
    }

    /// Another process has newer numbers.
    fn clear(&self) {
        self.watched.clear();
        self.unseen.clear();
    }
}

/// Sweeps until the shutdown is requested.
pub(super) async fn run(service: Service, holder: Arc<str>, metrics: SweepMetrics, shutdown: Shutdown) {
    let mut sweeper = Sweeper::new(service.clone(), &holder);
    let mut interval = service.drift.clone();
    let mut retry = FIRST_RETRY;
    while !shutdown.is_requested() {
        failpoint::at!("drift.loop");
        let current = *interval.borrow_and_update();
        let wait = match current {
            None => {
                release(&mut sweeper, &metrics).await;
                Duration::MAX
            }
            Some(interval) => {
                let stepped = sweeper.step(interval, shutdown.requested()).await;
                let wait = waits(stepped, &metrics, retry);
                retry = wait.1;
                wait.0
            }
        };
        tokio::select! {
            () = sleep(wait) => {}
            // Never ready again once the settings can't change any more.
            Ok(()) = interval.changed() => {}
            () = shutdown.requested() => {}
        }
    }
    release(&mut sweeper, &metrics).await;
}

/// The wait after a step, and the wait after the next failure.
fn waits(
    stepped: Result<Stepped, LedgerError>,
    metrics: &SweepMetrics,
    retry: Duration,
) -> (Duration, Duration) {
    match stepped {
        Ok(stepped) => {
            metrics.add(&stepped);
            (stepped.wait, FIRST_RETRY)
        }
        Err(error) => {
            warn!(error = chain(&error), "the sweep for drift can't reach the ledger");
            (retry, (retry * 2).min(LONGEST_RETRY))
        }
    }
}

async fn release(sweeper: &mut Sweeper, metrics: &SweepMetrics) {
    metrics.clear();
    if let Err(error) = sweeper.release().await {
        warn!(error = chain(&error), "the sweep for drift can't be given back; its lease ends by itself");
    }
}
