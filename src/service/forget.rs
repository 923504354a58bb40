//! Expired idempotency keys are deleted.

use std::time::Duration;

use super::Service;
use super::ledger::{IDEMPOTENCY_WINDOW, LedgerError};

/// How long a key is kept after its window: the clocks of replicas may differ.
const MARGIN: Duration = Duration::from_secs(60 * 60);
/// Keys in one statement, so that no statement takes long.
const BATCH: u32 = 1000;

impl Service {
    /// Deletes all idempotency keys whose window and margin have passed.
    pub async fn forget_expired_keys(&self) -> Result<(), LedgerError> {
        let before = self.clock.now().minus(IDEMPOTENCY_WINDOW + MARGIN);
        while self.ledger.forget_idempotency_keys(before, BATCH).await? >= u64::from(BATCH) {}
        Ok(())
    }
}
