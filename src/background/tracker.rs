//! Claims due operations and polls each with [`Service::track`], many at the same time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tracing::{Instrument, error, info, info_span, warn};

use crate::causes::chain;
use crate::failpoint;
use crate::service::Service;
use crate::service::ledger::{Claim, LedgerError, Places};
use crate::shutdown::Shutdown;
use crate::trace::Span;

/// Operations of one account that one process polls at the same time. The call budget limits the calls per second. Half of
/// them are as many as one read of a gateway shows. Each account has places of its own: calls to a cloud that does not answer
/// last long, and must not delay the polls of other accounts.
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
    polls: Arc<Polls>,
    /// An odd place goes to the youngest and to the oldest operations in turns.
    is_odd_place_young: Arc<AtomicBool>,
}

/// The polls in progress.
#[derive(Default)]
struct Polls {
    /// By account.
    running: Mutex<HashMap<String, u32>>,
    /// Wakes the loop when a poll ends, however it ends.
    ended: Notify,
}

impl Polls {
    fn running(&self) -> MutexGuard<'_, HashMap<String, u32>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place of the account; `None` if all are taken.
    fn begin(self: &Arc<Self>, account: &str) -> Option<Poll> {
        let mut running = self.running();
        let polls = running.entry(account.to_owned()).or_default();
        if *polls >= CONCURRENCY {
            return None;
        }
        *polls += 1;
        Some(Poll { polls: self.clone(), account: account.to_owned() })
    }

    /// The free places of the account that has most.
    fn free(&self, accounts: &[String]) -> u32 {
        let running = self.running();
        let free = |account: &String| CONCURRENCY - running.get(account).copied().unwrap_or_default();
        accounts.iter().map(free).max().unwrap_or(CONCURRENCY)
    }
}

/// Held by a poll.
struct Poll {
    polls: Arc<Polls>,
    account: String,
}

impl Drop for Poll {
    fn drop(&mut self) {
        // The place first: the loop counts the free places when it wakes.
        let mut running = self.polls.running();
        if let Some(polls) = running.get_mut(&self.account) {
            *polls -= 1;
            if *polls == 0 {
                running.remove(&self.account);
            }
        }
        drop(running);
        self.polls.ended.notify_one();
    }
}

enum Due {
    Claims(Vec<Claim>),
    NothingFor(Duration),
}

impl Tracker {
    pub(super) fn new(service: Service, holder: &str) -> Self {
        Self { service, holder: holder.into(), polls: Arc::default(), is_odd_place_young: Arc::default() }
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
                    // Polls first: a write to a slow ledger must not use up their leases.
                    let without_place: Vec<Claim> =
                        claims.into_iter().filter_map(|claim| self.start_poll(claim)).collect();
                    for claim in without_place {
                        self.put_back(&claim).await;
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
                () = self.polls.ended.notified() => tokio::time::sleep(GATHER).await,
                () = shutdown.requested() => {}
            }
        }
        while !self.polls.running().is_empty() {
            self.polls.ended.notified().await;
        }
        info!("the tracker has stopped");
    }

    async fn claim(&self) -> Result<Due, LedgerError> {
        let free = self.polls.free(&self.service.account_names());
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

    /// Puts an operation back whose account has no place.
    async fn put_back(&self, claim: &Claim) {
        if let Err(error) = self.service.put_back(claim).await {
            warn!(
                error = chain(&error),
                "an operation could not be put back; it is polled when its lease expires"
            );
        }
    }

    /// Starts one poll. Returns the claim if its account has no place. The poll's result is in the ledger; after a failure
    /// the operation is polled again when its lease expires.
    fn start_poll(&self, claim: Claim) -> Option<Claim> {
        let service = self.service.clone();
        let operation = &claim.operation;
        let Some(poll) = self.polls.begin(&operation.route.account) else { return Some(claim) };
        let span =
            info_span!("track", operation_id = %operation.id, request_id = operation.request_id.as_deref());
        let look = Span::look(operation.id, operation.trace_id.as_deref());
        look.set("tunnelgate.operation_id", operation.id.to_string());
        let work = async move {
            let _poll = poll;
            let tracked = look.around(service.track(claim)).await;
            if let Ok(tracked) = &tracked {
                look.set("tunnelgate.outcome", tracked.as_str());
            }
            if let Err(error) = tracked {
                look.fail("ledger");
                error!(error = chain(&error), "the result of a poll could not be written");
            }
        };
        tokio::spawn(work.instrument(span));
        None
    }
}
