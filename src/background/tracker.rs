//! Claims due operations and polls each with [`Service::track`], many at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tracing::{Instrument, error, info, info_span, warn};

use crate::causes::chain;
use crate::failpoint;
use crate::service::Service;
use crate::service::ledger::{Claim, LedgerError, Places};
use crate::shutdown::Shutdown;

/// Operations that one process polls at the same time. The call budget limits the calls per second. Half of them are as
/// many as one read of a gateway shows.
const CONCURRENCY: u32 = 100;
/// Polls whose reads share a call end together. The loop claims the next operations together too, so that their reads share
/// calls again.
const GATHER: Duration = Duration::from_millis(20);
/// First and longest wait after the ledger failed.
const FIRST_RETRY: Duration = Duration::from_millis(200);
const LONGEST_RETRY: Duration = Duration::from_secs(5);
/// The shortest sleep, so that small clock differences between replicas can't make the loop spin.
const SHORTEST_SLEEP: Duration = Duration::from_millis(10);

/// The tracker. Polls run as tasks of their own: they survive a crash of the loop, and a panic in one poll does not reach
/// the others or the loop.
#[derive(Clone)]
pub(super) struct Tracker {
    service: Service,
    holder: Arc<str>,
    /// One permit for each possible poll.
    permits: Arc<Semaphore>,
    /// An odd place goes to the youngest and to the oldest operations in turns.
    is_odd_place_young: Arc<AtomicBool>,
    /// Wakes the loop when a poll ends, however it ends.
    poll_ended: Arc<Notify>,
}

/// Held by a poll.
struct Poll {
    poll_ended: Arc<Notify>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Drop for Poll {
    fn drop(&mut self) {
        // The permit first: the loop counts the free permits when it wakes.
        self.permit.take();
        self.poll_ended.notify_one();
    }
}

enum Due {
    Claims(Vec<Claim>),
    NothingFor(Duration),
}

impl Tracker {
    pub(super) fn new(service: Service, holder: &str) -> Self {
        Self {
            service,
            holder: holder.into(),
            permits: Arc::new(Semaphore::new(CONCURRENCY as usize)),
            is_odd_place_young: Arc::default(),
            poll_ended: Arc::default(),
        }
    }

    /// Polls operations until the shutdown is requested, then finishes the polls in progress.
    pub(super) async fn run(self, shutdown: Shutdown) {
        let mut retry = FIRST_RETRY;
        info!(holder = &*self.holder, "the tracker follows operations");
        while !shutdown.is_requested() {
            failpoint::at!("tracker.loop");
            let wait = match self.claim().await {
                Ok(Due::Claims(claims)) => {
                    retry = FIRST_RETRY;
                    for claim in claims {
                        self.start_poll(claim).await;
                    }
                    continue;
                }
                Ok(Due::NothingFor(wait)) => {
                    retry = FIRST_RETRY;
                    wait.max(SHORTEST_SLEEP)
                }
                Err(error) => {
                    warn!(error = chain(&error), "the tracker can't reach the ledger");
                    let wait = retry;
                    retry = (retry * 2).min(LONGEST_RETRY);
                    wait
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.poll_ended.notified() => tokio::time::sleep(GATHER).await,
                () = shutdown.requested() => {}
            }
        }
        // Can't fail: the semaphore is never closed.
        let _ = self.permits.acquire_many(CONCURRENCY).await;
        info!("the tracker has stopped");
    }

    async fn claim(&self) -> Result<Due, LedgerError> {
        let free = u32::try_from(self.permits.available_permits()).unwrap_or(CONCURRENCY);
        if free == 0 {
            // The end of a poll wakes the loop.
            return Ok(Due::NothingFor(LONGEST_RETRY));
        }
        let claims = self.service.claim_due(&self.holder, self.places(free)).await?;
        if claims.is_empty() {
            return Ok(Due::NothingFor(self.service.until_due().await?));
        }
        Ok(Due::Claims(claims))
    }

    /// Half of the places for the youngest operations, so that a backlog does not delay new ones.
    fn places(&self, free: u32) -> Places {
        let is_young = self.is_odd_place_young.fetch_xor(free % 2 == 1, Ordering::Relaxed);
        let youngest = free / 2 + u32::from(free % 2 == 1 && is_young);
        Places { youngest, oldest: free - youngest }
    }

    /// Starts one poll. The poll's result is in the ledger; after a failure the operation is polled again when its lease
    /// expires.
    async fn start_poll(&self, claim: Claim) {
        // Never waits: `claim` takes no more operations than there are free permits.
        let permit = self.permits.clone().acquire_owned().await.ok();
        let poll = Poll { poll_ended: self.poll_ended.clone(), permit };
        let service = self.service.clone();
        let operation = &claim.operation;
        let span =
            info_span!("track", operation_id = %operation.id, request_id = operation.request_id.as_deref());
        let work = async move {
            let _poll = poll;
            if let Err(error) = service.track(claim).await {
                error!(error = chain(&error), "the result of a poll could not be written");
            }
        };
        tokio::spawn(work.instrument(span));
    }
}
