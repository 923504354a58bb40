//! Measures the ledger's clock, by which leases, due times and ages go.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, warn};

use crate::causes::chain;
use crate::clock::{Clock, LedgerClock};
use crate::service::MAX_SKEW;
use crate::service::ledger::Ledger;

/// Interval between two measurements. A new primary may have another clock.
const INTERVAL: Duration = Duration::from_secs(5);

/// Measures once.
pub async fn measure(ledger: &dyn Ledger, clock: &LedgerClock) {
    let before = Instant::now();
    match ledger.time().await {
        Ok(Some(time)) => clock.set(before, Instant::now(), time),
        Ok(None) => return,
        Err(error) => return debug!(error = chain(&error), "can't read the ledger's clock"),
    }
    let skew = clock.skew();
    if skew.abs() > MAX_SKEW {
        warn!(
            skew_seconds = skew,
            "this process's clock differs from the ledger's clock; synchronize the clocks"
        );
    }
}

/// Measures once per interval.
pub(super) async fn run(ledger: Arc<dyn Ledger>, clock: Arc<LedgerClock>) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        measure(&*ledger, &clock).await;
    }
}
