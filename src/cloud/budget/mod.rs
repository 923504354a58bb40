//! The call budget of one account: within any one second no more calls start than its limit.
//!
//! A slot is held from the moment it is granted, counts from then on, and frees its place one second after its call
//! started. A slot that is given back unused frees it at once. So a change can take its slot before it is opened, and
//! the limit holds however long the commit between the two takes.

mod queue;
mod rate;

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::failpoint;
use crate::service::cloud::{self, NoSlot};

pub(super) use queue::Need;
use queue::Queue;
use rate::Rate;

const WINDOW: Duration = Duration::from_secs(1);

/// The budget of one account.
#[derive(Debug, Clone)]
pub(super) struct Budget(Option<Arc<Shared>>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// A slot was used or given back.
    changed: Notify,
}

#[derive(Debug)]
struct State {
    rate: Rate,
    /// When the calls of the last second started, oldest first.
    starts: VecDeque<Instant>,
    /// Slots that were granted and whose calls have not started.
    held: usize,
    queue: Queue<oneshot::Sender<Slot>>,
    /// A task grants slots to the queue.
    is_pacing: bool,
}

/// The right to start one call.
#[derive(Debug)]
pub(super) struct Slot(Option<Arc<Shared>>);

impl cloud::Slot for Slot {
    fn start(mut self: Box<Self>) {
        let Some(shared) = self.0.take() else { return };
        let mut state = shared.state();
        state.held = state.held.saturating_sub(1);
        state.starts.push_back(Instant::now());
        drop(state);
        shared.changed.notify_one();
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let Some(shared) = self.0.take() else { return };
        let mut state = shared.state();
        state.held = state.held.saturating_sub(1);
        drop(state);
        shared.changed.notify_one();
    }
}

impl Budget {
    /// A budget of so many calls a second; 0 = no limit.
    pub(super) fn new(calls_per_second: u32) -> Self {
        if calls_per_second == 0 {
            return Self(None);
        }
        let state = State {
            rate: Rate::new(calls_per_second),
            starts: VecDeque::new(),
            held: 0,
            queue: Queue::default(),
            is_pacing: false,
        };
        Self(Some(Arc::new(Shared { state: Mutex::new(state), changed: Notify::new() })))
    }

    /// Waits for a slot.
    ///
    /// # Errors
    /// At once if by all that is known none will be free before `until`; else when `until` has passed.
    pub(super) async fn slot(&self, need: Need<'_>, until: Instant) -> Result<Slot, NoSlot> {
        let Some(shared) = &self.0 else { return Ok(Slot(None)) };
        let granted = {
            let mut state = shared.state();
            let now = Instant::now();
            let free_at = state.free_at(state.queue.ahead(need), now);
            if free_at > until {
                return Err(NoSlot { retry_after: free_at.duration_since(now) });
            }
            if state.queue.is_empty() && state.has_place(now) {
                state.held += 1;
                return Ok(Slot(Some(shared.clone())));
            }
            let (grant, granted) = oneshot::channel();
            state.queue.push(need, grant);
            if !std::mem::replace(&mut state.is_pacing, true) {
                tokio::spawn(pace_safely(shared.clone()));
            }
            granted
        };
        match timeout_at(until, granted).await {
            Ok(Ok(slot)) => Ok(slot),
            Ok(Err(_)) | Err(_) => {
                let state = shared.state();
                let now = Instant::now();
                let free_at = state.free_at(state.queue.ahead(need), now);
                Err(NoSlot { retry_after: free_at.duration_since(now).max(WINDOW) })
            }
        }
    }

    /// True if calls wait for a slot.
    pub(super) fn is_short(&self) -> bool {
        self.0.as_ref().is_some_and(|shared| !shared.state().queue.is_empty())
    }

    /// The cloud said that calls come too fast.
    pub(super) fn slow_down(&self) {
        if let Some(shared) = &self.0 {
            shared.state().rate.slow_down(Instant::now());
        }
    }
}

/// Paces. After a panic the next call that has to wait starts pacing again; otherwise all waiting calls would time out
/// until the process restarts.
async fn pace_safely(shared: Arc<Shared>) {
    if AssertUnwindSafe(pace(shared.clone())).catch_unwind().await.is_err() {
        shared.state().is_pacing = false;
    }
}

/// Grants slots until no call waits.
async fn pace(shared: Arc<Shared>) {
    loop {
        failpoint::at!("pace.loop");
        let (grants, next) = shared.state().grants(Instant::now());
        for grant in grants {
            // A caller that has left drops the slot, which frees its place.
            let _ = grant.send(Slot(Some(shared.clone())));
        }
        match next {
            Next::Done => return,
            Next::At(free_at) => {
                tokio::select! {
                    () = sleep_until(free_at) => {}
                    () = shared.changed.notified() => {}
                }
            }
            Next::Change => shared.changed.notified().await,
        }
    }
}

/// What the pacing task waits for.
enum Next {
    /// No call waits: the task ends.
    Done,
    At(Instant),
    /// Every place is held by a call that has not started.
    Change,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn limit(&self, now: Instant) -> usize {
        self.rate.now(now)
    }

    fn forget(&mut self, now: Instant) {
        while self.starts.front().is_some_and(|start| now.duration_since(*start) >= WINDOW) {
            self.starts.pop_front();
        }
    }

    fn has_place(&mut self, now: Instant) -> bool {
        self.forget(now);
        self.held + self.starts.len() < self.limit(now)
    }

    fn grants(&mut self, now: Instant) -> (Vec<oneshot::Sender<Slot>>, Next) {
        let mut grants = Vec::new();
        loop {
            if !self.has_place(now) {
                let free_at = self.starts.front().map(|start| *start + WINDOW);
                return (grants, free_at.map_or(Next::Change, Next::At));
            }
            let Some(grant) = self.queue.pop() else {
                self.is_pacing = false;
                return (grants, Next::Done);
            };
            if !grant.is_closed() {
                self.held += 1;
                grants.push(grant);
            }
        }
    }

    /// When a place is free for a call that has so many before it.
    fn free_at(&self, ahead: usize, now: Instant) -> Instant {
        let limit = self.limit(now);
        let recent: Vec<Instant> =
            self.starts.iter().copied().filter(|start| now.duration_since(*start) < WINDOW).collect();
        let index = recent.len() + self.held + ahead;
        let Some(over) = index.checked_sub(limit) else { return now };
        let start = recent.get(over % limit).copied().unwrap_or(now);
        let rounds = u32::try_from(over / limit).unwrap_or(u32::MAX).saturating_add(1);
        (start + WINDOW.saturating_mul(rounds)).max(now)
    }
}

#[cfg(test)]
mod tests;
