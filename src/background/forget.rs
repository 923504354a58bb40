//! Deletes idempotency keys after their window.

use std::time::Duration;

use tracing::warn;

use crate::causes::chain;
use crate::failpoint;
use crate::service::Service;

/// Interval between two runs.
const INTERVAL: Duration = Duration::from_secs(60 * 60);

/// Deletes expired keys once per interval.
pub(super) async fn run(service: Service) {
    let mut ticks = tokio::time::interval(INTERVAL);
    loop {
        ticks.tick().await;
        failpoint::at!("forget.loop");
        if let Err(error) = service.forget_expired_keys().await {
            warn!(error = chain(&error), "can't delete expired idempotency keys; trying again in an hour");
        }
    }
}
