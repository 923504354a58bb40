//! Idempotency keys are forgotten once no request can meet them any more.

use std::time::Duration;

use tracing::warn;

use crate::causes::chain;

use super::Service;
use super::ledger::{IDEMPOTENCY_WINDOW, LedgerError};

/// How often old keys are looked for.
const EVERY: Duration = Duration::from_secs(60 * 60);
/// How much longer than promised a key is kept: the clocks of replicas may differ.
const MARGIN: Duration = Duration::from_secs(60 * 60);
/// Keys in one statement, so that none takes long.
const AT_ONCE: u32 = 1000;

impl Service {
    /// Forgets old keys, for as long as the process serves.
    pub async fn forget_old_keys(self) {
        let mut hours = tokio::time::interval(EVERY);
        loop {
            hours.tick().await;
            if let Err(error) = self.forget_keys_of_yesterday().await {
                warn!(
                    error = chain(&error),
                    "old idempotency keys can't be removed; trying again in an hour"
                );
            }
        }
    }

    async fn forget_keys_of_yesterday(&self) -> Result<(), LedgerError> {
        let before = self.clock.now().minus(IDEMPOTENCY_WINDOW + MARGIN);
        while self.ledger.forget_idempotency_keys(before, AT_ONCE).await? >= u64::from(AT_ONCE) {}
        Ok(())
    }
}
