//! Stores the last use of API keys.

use std::time::Duration;

use tracing::warn;

use crate::causes::chain;
use crate::service::Service;
use crate::shutdown::Shutdown;

/// Interval between two writes.
const INTERVAL: Duration = Duration::from_secs(5);

/// Stores the tokens that were used, and at the shutdown the last ones. Requests never wait for it. A ledger that refuses
/// the write causes one warning until a write succeeds.
pub(super) async fn run(service: Service, shutdown: Shutdown) {
    let (mut is_last, mut is_failing) = (false, false);
    while !is_last {
        tokio::select! {
            () = tokio::time::sleep(INTERVAL) => {}
            () = shutdown.requested() => is_last = true,
        }
        let stored = service.record_used_tokens().await;
        if let Err(error) = &stored
            && !is_failing
        {
            warn!(error = chain(error), "can't store when API keys were last used");
        }
        is_failing = stored.is_err();
    }
}
