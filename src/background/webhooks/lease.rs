//! The lease on an entry: one process at a time delivers for it.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};
use tracing::warn;

use crate::causes::chain;
use crate::service::Service;
use crate::service::ledger::{Failing, LedgerError, NewIds, WebhookClaim};

/// Length of a lease. After a crash another process continues this much later.
const LEASE: Duration = Duration::from_secs(15);
/// A lease is extended when it has this much left.
const RENEW: Duration = Duration::from_secs(10);
/// An attempt ends this much before the lease does.
const MARGIN: Duration = Duration::from_secs(1);
/// Pause between two tries to write to a ledger that does not answer.
const PAUSE: Duration = Duration::from_millis(500);

/// The lease is lost: another process holds it, or a command moved the entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lost;

/// A held lease.
pub(super) struct Lease {
    claim: WebhookClaim,
    /// Every event up to this one was passed. The ledger's place is behind while events are filtered out.
    pub(super) passed: i64,
    /// The hash of the last event that the receiver took. If the lease is lost before the place is stored, the event is not
    /// sent again.
    pub(super) taken: Option<[u8; 32]>,
    /// `None` unless the last attempt failed.
    pub(super) failing: Option<Failing>,
    /// By this process's monotonic clock.
    until: Instant,
}

impl Lease {
    /// Claims an entry. `None` if another process holds the entry, or no place is stored. `lost` is the last lease of this
    /// process, if that was lost.
    pub(super) async fn claim(
        service: &Service,
        name: &str,
        holder: &str,
        lost: Option<&Self>,
    ) -> Result<Option<Self>, LedgerError> {
        // Before the ledger's time: the lease never seems longer here than it is there.
        let until = Instant::now() + LEASE;
        let now = service.clock.now();
        let claim = service.ledger.claim_webhook(name, holder, now, now.plus(LEASE)).await?;
        Ok(claim.map(|claim| {
            // Between the two leases no process claimed the entry, and no command moved it.
            let before = lost.filter(|lost| lost.claim.fence + 1 == claim.fence);
            let taken = before.and_then(|lost| lost.taken);
            Self { passed: claim.seq, taken, failing: None, until, claim }
        }))
    }

    pub(super) const fn new_ids(&self) -> Option<NewIds> {
        self.claim.new_ids
    }

    /// Failed attempts to deliver the next event.
    pub(super) fn failures(&self) -> u32 {
        let first = if self.passed == self.claim.seq { self.claim.failures } else { 0 };
        self.failing.as_ref().map_or(first, |failing| failing.attempts)
    }

    /// When an attempt must have ended.
    pub(super) fn end(&self) -> Instant {
        self.until - MARGIN
    }

    /// When the lease is extended.
    pub(super) fn renewal(&self) -> Instant {
        self.until - RENEW
    }

    /// Writes the place and extends the lease. A ledger that does not answer is asked again until the lease ends.
    pub(super) async fn store(&mut self, service: &Service) -> Result<(), Lost> {
        loop {
            let until = Instant::now() + LEASE;
            let lease_until = service.clock.now().plus(LEASE);
            let moving =
                service.ledger.move_webhook(&self.claim, self.passed, self.failing.as_ref(), lease_until);
            match timeout_at(self.until, moving).await {
                Ok(Ok(true)) => {
                    if self.passed != self.claim.seq {
                        self.claim.failures = 0;
                    }
                    self.claim.seq = self.passed;
                    self.until = until;
                    return Ok(());
                }
                Ok(Ok(false)) | Err(_) => return Err(Lost),
                Ok(Err(error)) => {
                    warn!(
                        webhook = self.claim.name,
                        error = chain(&error),
                        "can't store the place of a webhook; trying again"
                    );
                    sleep(PAUSE).await;
                }
            }
        }
    }

    /// Writes the place and ends the lease, so that another process continues at once.
    pub(super) async fn release(mut self, service: &Service) {
        // Without it the lease ends by itself.
        if self.store(service).await.is_ok() {
            let _ = service.ledger.release_webhook(&self.claim).await;
        }
    }
}
