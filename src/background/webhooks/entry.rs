//! Delivers for one entry, event by event, in order.

use std::sync::Arc;
use std::time::Duration;

use tokio::pin;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{info, warn};

use crate::causes::chain;
use crate::domain::principal::VpcScope;
use crate::failpoint;
use crate::service::Service;
use crate::service::feed::{Entry, News};
use crate::service::ledger::{EventFilter, Failing, LedgerError};
use crate::service::webhooks::{Message, OperationForm, Receiver, Undelivered};
use crate::shutdown::Shutdown;

use super::lease::{Lease, Lost};
use super::metrics::Metrics;
use super::retry;

/// Pause between two tries to get the lease, and after the ledger failed.
const CLAIM_INTERVAL: Duration = Duration::from_secs(3);
/// Pause after a lease was lost.
const LOST_PAUSE: Duration = Duration::from_millis(200);

/// Delivers for one entry while this process holds its lease.
pub(super) struct Deliverer {
    pub(super) service: Service,
    /// Names the process in the lease.
    pub(super) holder: Arc<str>,
    pub(super) name: String,
    /// `None` after the entry was removed.
    pub(super) receiver: watch::Receiver<Option<Arc<dyn Receiver>>>,
    pub(super) operation_form: OperationForm,
    pub(super) metrics: Metrics,
    pub(super) shutdown: Shutdown,
}

/// Why a delivery ended.
enum End {
    /// The process stops, or the entry was removed.
    Stopped,
    Lost,
    Ledger(LedgerError),
}

impl From<Lost> for End {
    fn from(Lost: Lost) -> Self {
        Self::Lost
    }
}

impl From<LedgerError> for End {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

impl Deliverer {
    /// Delivers until the shutdown is requested or the entry is removed.
    pub(super) async fn run(mut self) {
        let (mut is_begun, mut lost) = (false, None);
        while self.current().is_ok() {
            let pause = match self.claim(&mut is_begun, lost.as_ref()).await {
                Ok(Some(mut lease)) => {
                    let pause = match self.deliver(&mut lease).await {
                        End::Stopped => {
                            lease.release(&self.service).await;
                            return;
                        }
                        End::Lost => LOST_PAUSE,
                        End::Ledger(error) => self.no_ledger(&error),
                    };
                    lost = Some(lease);
                    pause
                }
                Ok(None) => CLAIM_INTERVAL,
                Err(error) => self.no_ledger(&error),
            };
            tokio::select! {
                () = sleep(pause) => {}
                _ = self.receiver.changed() => {}
                () = self.shutdown.requested() => {}
            }
        }
    }

    /// Claims the entry. A new entry begins after the newest event.
    async fn claim(&self, is_begun: &mut bool, lost: Option<&Lease>) -> Result<Option<Lease>, LedgerError> {
        if !*is_begun {
            self.service.ledger.begin_webhook(&self.name).await?;
            *is_begun = true;
        }
        Lease::claim(&self.service, &self.name, &self.holder, lost).await
    }

    fn no_ledger(&self, error: &LedgerError) -> Duration {
        warn!(webhook = self.name, error = chain(error), "a webhook can't read the ledger; trying again");
        CLAIM_INTERVAL
    }

    /// The receiver as the settings have it now.
    fn current(&mut self) -> Result<Arc<dyn Receiver>, End> {
        let receiver = self.receiver.borrow_and_update().clone();
        match receiver {
            Some(receiver) if !self.shutdown.is_requested() => Ok(receiver),
            _ => Err(End::Stopped),
        }
    }

    async fn deliver(&mut self, lease: &mut Lease) -> End {
        loop {
            match self.follow(lease).await {
                Ok(()) => {}
                Err(end) => return end,
            }
        }
    }

    /// Delivers what the ledger has, then what the feed publishes. Returns if the feed left events out.
    async fn follow(&mut self, lease: &mut Lease) -> Result<(), End> {
        // Before the reads, so that no event is missed in between.
        let mut news = self.service.follow_log();
        loop {
            self.current()?;
            // The filter is that of the moment of each delivery, which may be long after this read.
            let page = self.service.catch_up(&VpcScope::All, &EventFilter::default(), lease.passed).await?;
            for entry in &page.entries {
                self.pass(lease, entry).await?;
            }
            lease.passed = lease.passed.max(page.position);
            if page.is_last {
                break;
            }
        }
        loop {
            tokio::select! {
                published = news.recv() => match published {
                    Ok(News::Block(block)) if block.after <= lease.passed => {
                        let new = |entry: &&Entry| entry.event.row.seq > lease.passed;
                        let entries: Vec<&Entry> = block.entries.iter().filter(new).collect();
                        for entry in entries {
                            self.pass(lease, entry).await?;
                        }
                        lease.passed = lease.passed.max(block.last);
                    }
                    Ok(News::Block(_)) | Err(RecvError::Lagged(_)) => return Ok(()),
                    // The place may have gone back with the log.
                    Ok(News::WentBack) | Err(RecvError::Closed) => return Err(End::Lost),
                },
                () = sleep_until(lease.renewal()) => lease.store(&self.service).await?,
                _ = self.receiver.changed() => { self.current()?; }
                () = self.shutdown.requested() => return Err(End::Stopped),
            }
        }
    }

    /// Delivers an event, however long that takes, or passes one that the receiver does not want.
    async fn pass(&mut self, lease: &mut Lease, entry: &Entry) -> Result<(), End> {
        let seq = entry.event.row.seq;
        loop {
            let receiver = self.current()?;
            if lease.renewal() <= Instant::now() {
                lease.store(&self.service).await?;
            }
            if lease.taken == Some(entry.event.hash) || !receiver.filter().passes(&entry.event.row) {
                lease.passed = seq;
                lease.failing = None;
                return Ok(());
            }
            let message = self.service.webhook_message(entry, lease.new_ids(), self.operation_form).await?;
            let (ended, stored) = self.attempt(lease, &*receiver, &message).await?;
            match ended {
                Ok(()) => {
                    failpoint::at!("webhook.taken");
                    self.metrics.attempted(&self.name, "delivered");
                    if lease.failing.is_some() {
                        info!(webhook = self.name, seq, "a webhook is taken again");
                    }
                    lease.passed = seq;
                    lease.taken = Some(entry.event.hash);
                    lease.failing = None;
                    stored?;
                    return Ok(lease.store(&self.service).await?);
                }
                Err(undelivered) => {
                    self.metrics.attempted(&self.name, undelivered.outcome);
                    stored?;
                    self.wait(lease, seq, undelivered).await?;
                }
            }
        }
    }

    /// Makes one attempt, and extends the lease meanwhile. The attempt ends with the lease. Returns what became of the
    /// attempt, and of an extension that was in progress at its end.
    async fn attempt(
        &self,
        lease: &mut Lease,
        receiver: &dyn Receiver,
        message: &Message,
    ) -> Result<(Result<(), Undelivered>, Result<(), Lost>), Lost> {
        let attempt = receiver.deliver(message, self.service.clock.now());
        pin!(attempt);
        loop {
            tokio::select! {
                biased;
                () = sleep_until(lease.end()) => return Err(Lost),
                ended = &mut attempt => return Ok((ended, Ok(()))),
                () = sleep_until(lease.renewal()) => {}
            }
            // A slow ledger does not hold back the attempt.
            let end = lease.end();
            let storing = lease.store(&self.service);
            pin!(storing);
            tokio::select! {
                biased;
                () = sleep_until(end) => return Err(Lost),
                ended = &mut attempt => return Ok((ended, storing.await)),
                stored = &mut storing => stored?,
            }
        }
    }

    /// Waits for the next attempt. New settings end the wait.
    async fn wait(&mut self, lease: &mut Lease, seq: i64, undelivered: Undelivered) -> Result<(), End> {
        let attempts = lease.failures().saturating_add(1);
        let wait = retry::wait(attempts, self.service.chance.fraction(), undelivered.retry_after);
        let due = Instant::now() + wait;
        let problem = undelivered.problem;
        warn!(
            webhook = self.name,
            seq,
            attempts,
            problem,
            retry_after_seconds = wait.as_secs_f64(),
            "a webhook did not take an event; later events wait for it"
        );
        let retry_at = self.service.clock.now().plus(wait);
        lease.failing = Some(Failing { attempts, problem, retry_at });
        lease.passed = lease.passed.max(seq - 1);
        lease.store(&self.service).await?;
        loop {
            tokio::select! {
                () = sleep_until(due) => return Ok(()),
                () = sleep_until(lease.renewal()) => lease.store(&self.service).await?,
                _ = self.receiver.changed() => return Ok(()),
                () = self.shutdown.requested() => return Err(End::Stopped),
            }
        }
    }
}
