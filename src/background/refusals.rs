//! Writes the events that count refused changes.

use std::time::Duration;

use tracing::warn;

use crate::causes::chain;
use crate::service::Service;
use crate::shutdown::Shutdown;

/// Interval between two checks for minutes that are over.
const INTERVAL: Duration = Duration::from_secs(5);

/// Writes the events of ended minutes, and at the shutdown those of all minutes.
pub(super) async fn run(service: Service, shutdown: Shutdown) {
    let mut is_last = false;
    while !is_last {
        tokio::select! {
            () = tokio::time::sleep(INTERVAL) => {}
            () = shutdown.requested() => is_last = true,
        }
        if let Err(error) = service.record_counted_refusals(is_last).await {
            warn!(error = chain(&error), "can't record the number of refused changes");
        }
    }
}
