//! The call budget of one account: within any one second no more calls start than its limit.
//!
//! All replicas of an account share the limit. A replica whose calls wait reserves their times in the ledger, a quarter of
//! a second at a time, so that an idle replica leaves the whole limit to the others. Without the ledger no call starts.
//!
//! Each process also counts its own calls, because a call can start a little later than its reserved time. A slot is held
//! from the moment it is granted, counts from then on, and frees its place one second after its call started. A slot that
//! is given back unused frees it at once. A slot whose time is over starts no call and counts no more: its call needs
//! another one. So a change can take its slot before it is opened, and the limit of all replicas holds however long the
//! commit between the two takes, and however long a process is paused.

mod queue;
mod rate;
mod reserved;

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, OptionFuture};
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tracing::warn;

use crate::causes::chain;
use crate::failpoint;
use crate::service::cloud::{self, NoSlot};
use crate::service::ledger::{Calls, LedgerError};

use super::metrics::BudgetMetrics;
pub(super) use queue::Need;
use queue::Queue;
use rate::{Rate, WINDOW};
use reserved::{FAILED_AFTER, Place, Reserved};

/// Wait after a failed reservation.
const RETRY: Duration = Duration::from_millis(100);
/// Calls are short while one has to wait for longer than this.
const SHORT_WAIT: Duration = Duration::from_millis(250);
/// How long calls stay short after that: reads that share calls make the wait shorter.
const SHORT_FOR: Duration = Duration::from_secs(5);

/// The account whose calls a budget limits.
pub(super) struct Account {
    pub name: String,
    /// Calls a second; 0 = no limit.
    pub calls_per_second: u32,
    /// Where the replicas of the account reserve their calls.
    pub calls: Arc<dyn Calls>,
}

/// The budget of one account.
#[derive(Clone)]
pub(super) struct Budget(Option<Arc<Shared>>);

struct Shared {
    account: Account,
    metrics: BudgetMetrics,
    state: Mutex<State>,
    /// A slot was used or given back, or another call waits.
    changed: Notify,
}

type Grant = oneshot::Sender<Result<Slot, NoSlot>>;

struct State {
    rate: Rate,
    /// When the calls of the last second started, oldest first.
    starts: VecDeque<Instant>,
    /// Slots that were granted and whose calls have not started.
    held: Vec<Place>,
    reserved: Reserved,
    queue: Queue<Grant>,
    /// A task grants slots to the queue.
    is_pacing: bool,
    short_until: Option<Instant>,
}

/// The right to start one call.
pub(super) struct Slot(Option<(Arc<Shared>, Place)>);

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Slot").field(&self.0.as_ref().map(|(_, place)| place)).finish()
    }
}

impl cloud::Slot for Slot {
    fn start(mut self: Box<Self>) -> bool {
        let Some((shared, place)) = self.0.take() else { return true };
        let mut state = shared.state();
        let now = Instant::now();
        state.release(place);
        let is_in_time = !place.is_over(now);
        if is_in_time {
            state.starts.push_back(now);
        }
        drop(state);
        shared.changed.notify_one();
        is_in_time
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let Some((shared, place)) = self.0.take() else { return };
        let mut state = shared.state();
        state.release(place);
        state.reserved.give_back(place);
        drop(state);
        shared.changed.notify_one();
    }
}

impl Budget {
    pub(super) fn new(account: Account, metrics: BudgetMetrics) -> Self {
        metrics.rate(account.calls_per_second);
        if account.calls_per_second == 0 {
            return Self(None);
        }
        let state = State {
            rate: Rate::new(account.calls_per_second),
            starts: VecDeque::new(),
            held: Vec::new(),
            reserved: Reserved::default(),
            queue: Queue::default(),
            is_pacing: false,
            short_until: None,
        };
        Self(Some(Arc::new(Shared { account, metrics, state: Mutex::new(state), changed: Notify::new() })))
    }

    /// Waits for a slot.
    ///
    /// # Errors
    /// At once if by all that is known none will be free before `until`; else when `until` has passed, or when the ledger
    /// does not answer.
    pub(super) async fn slot(&self, need: Need<'_>, until: Instant) -> Result<Slot, NoSlot> {
        let Some(shared) = &self.0 else { return Ok(Slot(None)) };
        let granted = {
            let mut state = shared.state();
            let now = Instant::now();
            let free_at = state.free_at(need, now);
            if free_at > until {
                state.short_until = Some(now + SHORT_FOR);
                return Err(NoSlot::Full { retry_after: free_at.duration_since(now) });
            }
            if free_at > now + SHORT_WAIT {
                state.short_until = Some(now + SHORT_FOR);
            }
            if state.queue.is_empty()
                && state.has_place(now)
                && let Some(place) = state.reserved.take(now)
            {
                state.held.push(place);
                return Ok(Slot(Some((shared.clone(), place))));
            }
            let (grant, granted) = oneshot::channel();
            state.queue.push(need, grant);
            if !std::mem::replace(&mut state.is_pacing, true) {
                tokio::spawn(pace_safely(shared.clone()));
            }
            granted
        };
        shared.changed.notify_one();
        match timeout_at(until, granted).await {
            Ok(Ok(granted)) => granted,
            Ok(Err(_)) | Err(_) => {
                let state = shared.state();
                let now = Instant::now();
                if state.reserved.is_failing(now) {
                    return Err(NoSlot::NoLedger);
                }
                let wait = state.free_at(need, now).duration_since(now);
                Err(NoSlot::Full { retry_after: wait.max(WINDOW) })
            }
        }
    }

    /// Calls that may start now; `None` without a limit.
    pub(super) fn left(&self) -> Option<u32> {
        let shared = self.0.as_ref()?;
        let mut state = shared.state();
        let now = Instant::now();
        state.forget(now);
        let used = state.held.len() + state.starts.len();
        u32::try_from(state.limit(now).saturating_sub(used)).ok()
    }

    /// True if a call had to wait lately.
    pub(super) fn is_short(&self) -> bool {
        let is_short =
            |shared: &Arc<Shared>| shared.state().short_until.is_some_and(|end| Instant::now() < end);
        self.0.as_ref().is_some_and(is_short)
    }

    /// The cloud said that calls come too fast. Tells the other replicas.
    pub(super) fn slow_down(&self) {
        let Some(shared) = &self.0 else { return };
        let Some(rate) = shared.state().rate.slow_down(Instant::now()) else { return };
        shared.metrics.rate(rate);
        let shared = shared.clone();
        tokio::spawn(async move {
            let Account { name, calls, .. } = &shared.account;
            if let Err(error) = calls.slow_down(name, rate, rate::PAUSE).await {
                warn!(error = chain(&error), "can't record the slower rate for the other replicas");
            }
        });
    }
}

/// Paces. After a panic the next call that has to wait starts pacing again; otherwise all waiting calls would time out
/// until the process restarts.
async fn pace_safely(shared: Arc<Shared>) {
    if AssertUnwindSafe(pace(shared.clone())).catch_unwind().await.is_err() {
        shared.state().is_pacing = false;
    }
}

/// A reservation under way.
type Asked = BoxFuture<'static, Result<(), LedgerError>>;

/// Grants slots until no call waits, and reserves calls in the ledger.
async fn pace(shared: Arc<Shared>) {
    let mut asked: Option<Asked> = None;
    let mut not_before = Instant::now();
    loop {
        failpoint::at!("pace.loop");
        let now = Instant::now();
        let (grants, next) = shared.state().grants(now, asked.is_some());
        for (grant, place) in grants {
            // A caller that has left drops the slot, which frees its place.
            let _ = grant.send(Ok(Slot(Some((shared.clone(), place)))));
        }
        let Some(Next { mut wake_at, reserve }) = next else { return };
        if asked.is_none()
            && let Some((count, when)) = reserve
        {
            let when = when.max(not_before);
            if when <= now {
                asked = Some(reserve_calls(shared.clone(), count).boxed());
            } else {
                wake_at = Some(wake_at.map_or(when, |wake_at| wake_at.min(when)));
            }
        }
        tokio::select! {
            Some(reserved) = OptionFuture::from(asked.as_mut()) => {
                asked = None;
                if let Err(error) = reserved {
                    not_before = Instant::now() + RETRY;
                    shared.reservation_failed(&error);
                }
            }
            Some(()) = OptionFuture::from(wake_at.map(sleep_until)) => {}
            () = shared.changed.notified() => {}
        }
    }
}

/// Reserves calls in the ledger. A ledger that hangs counts as failed sooner than for a step of an operation.
async fn reserve_calls(shared: Arc<Shared>, count: u32) -> Result<(), LedgerError> {
    let asked_at = Instant::now();
    let interval = {
        let mut state = shared.state();
        state.reserved.asked(asked_at);
        state.rate.interval(asked_at)
    };
    let Account { name, calls, .. } = &shared.account;
    let reserved = timeout(FAILED_AFTER, calls.reserve(name, count, interval))
        .await
        .map_err(|late| LedgerError::Unavailable(Box::new(late)))??;
    let mut state = shared.state();
    let now = Instant::now();
    state.rate.learn(reserved.slowed, now);
    if reserved.wait > SHORT_WAIT {
        state.short_until = Some(now + SHORT_FOR);
    }
    state.reserved.add(asked_at, now, reserved.wait, count, interval);
    shared.metrics.rate(state.rate.now(now));
    Ok(())
}

/// What the pacing task waits for besides a change.
struct Next {
    wake_at: Option<Instant>,
    /// How many calls to reserve, and when.
    reserve: Option<(u32, Instant)>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses the waiting calls if the ledger has failed for a while.
    fn reservation_failed(&self, error: &LedgerError) {
        self.metrics.failed();
        let refused = {
            let mut state = self.state();
            let now = Instant::now();
            state.reserved.failed(now);
            if !state.reserved.is_failing(now) {
                return;
            }
            std::mem::take(&mut state.queue)
        };
        warn!(error = chain(error), account = self.account.name, "no calls can be reserved in the ledger");
        for grant in refused.into_items() {
            // The caller may have left.
            let _ = grant.send(Err(NoSlot::NoLedger));
        }
    }
}

impl State {
    fn limit(&self, now: Instant) -> usize {
        usize::try_from(self.rate.now(now)).unwrap_or(usize::MAX)
    }

    fn forget(&mut self, now: Instant) {
        while self.starts.front().is_some_and(|start| now.duration_since(*start) >= WINDOW) {
            self.starts.pop_front();
        }
        self.held.retain(|place| !place.is_over(now));
    }

    /// The holder of a slot uses it or gives it back.
    fn release(&mut self, place: Place) {
        if let Some(index) = self.held.iter().position(|held| *held == place) {
            self.held.swap_remove(index);
        }
    }

    fn has_place(&mut self, now: Instant) -> bool {
        self.forget(now);
        self.held.len() + self.starts.len() < self.limit(now)
    }

    /// When a place becomes free: the oldest start is a second ago, or the time of a held slot is over.
    fn next_place(&self) -> Option<Instant> {
        let start = self.starts.front().map(|start| *start + WINDOW);
        let held = self.held.iter().map(Place::end).min();
        start.into_iter().chain(held).min()
    }

    /// The slots that can be granted now. `None` if no call waits and none is being reserved: the task ends.
    fn grants(&mut self, now: Instant, is_reserving: bool) -> (Vec<(Grant, Place)>, Option<Next>) {
        let mut grants = Vec::new();
        let wake_at = loop {
            if self.queue.is_empty() {
                self.is_pacing = is_reserving;
                return (grants, is_reserving.then_some(Next { wake_at: None, reserve: None }));
            }
            if !self.has_place(now) {
                break self.next_place();
            }
            let Some(place) = self.reserved.take(now) else { break self.reserved.next() };
            match self.queue.pop(Grant::is_closed) {
                Some(grant) => {
                    self.held.push(place);
                    grants.push((grant, place));
                }
                None => self.reserved.give_back(place),
            }
        };
        let limit = self.limit(now);
        // Calls that could not start anyway are not reserved.
        let waiting = self.queue.len().min(limit.saturating_sub(self.held.len()));
        (grants, Some(Next { wake_at, reserve: self.reserved.wanted(waiting, limit, now) }))
    }

    /// When a call that waits may start, as far as is known.
    fn free_at(&self, need: Need<'_>, now: Instant) -> Instant {
        let ahead = self.queue.ahead(need);
        self.free_here_at(ahead, now).max(self.reserved.expected(ahead, now))
    }

    /// When this process has a place for a call that has so many before it.
    fn free_here_at(&self, ahead: usize, now: Instant) -> Instant {
        let limit = self.limit(now);
        let recent: Vec<Instant> =
            self.starts.iter().copied().filter(|start| now.duration_since(*start) < WINDOW).collect();
        let held = self.held.iter().filter(|place| !place.is_over(now)).count();
        let index = recent.len() + held + ahead;
        let Some(over) = index.checked_sub(limit) else { return now };
        let start = recent.get(over % limit).copied().unwrap_or(now);
        let rounds = u32::try_from(over / limit).unwrap_or(u32::MAX).saturating_add(1);
        (start + WINDOW.saturating_mul(rounds)).max(now)
    }
}

#[cfg(test)]
mod tests;
