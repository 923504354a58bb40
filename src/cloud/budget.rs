//! The call budget: never more than N calls to the cloud start within any one second, in this process. When it is
//! short, changes go before polls and polls before reads; within one priority whoever came first.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::service::cloud::Priority;

const WINDOW: Duration = Duration::from_secs(1);

/// No place within the time limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoPlace {
    /// When a place is to be expected.
    pub retry_after: Duration,
}

/// The budget of one process.
#[derive(Debug)]
pub struct Budget {
    /// Calls a second; 0 = no limit.
    limit: usize,
    state: Mutex<State>,
}

/// A waiter's place in the queue: its priority, then its number.
type Place = (Priority, u64);

#[derive(Debug, Default)]
struct State {
    /// When the last calls started, oldest first; at most `limit` of them.
    starts: VecDeque<Instant>,
    queue: BTreeMap<Place, Arc<Notify>>,
    next_number: u64,
}

impl Budget {
    /// A budget of so many calls a second; 0 = no limit.
    #[must_use]
    pub fn new(calls_per_second: u32) -> Self {
        let limit = usize::try_from(calls_per_second).unwrap_or(usize::MAX);
        Self { limit, state: Mutex::default() }
    }

    /// Waits for a place and takes it.
    ///
    /// # Errors
    /// At once if by all that is known no place will come before the deadline; else when it has passed.
    pub async fn place(&self, priority: Priority, deadline: Instant) -> Result<(), NoPlace> {
        if self.limit == 0 {
            return Ok(());
        }
        let waiter = self.enqueue(priority, deadline)?;
        loop {
            let turn = {
                let mut state = self.state();
                match state.queue.first_key_value() {
                    Some((first, _)) if *first == waiter.place => {
                        let now = Instant::now();
                        let free_at = state.free_at(self.limit, 0, now);
                        if free_at <= now {
                            state.take(self.limit, now);
                            return Ok(());
                        }
                        Some(free_at)
                    }
                    _ => None,
                }
            };
            let wait = async {
                match turn {
                    // Somebody more urgent may come meanwhile; the loop looks again.
                    Some(free_at) => sleep_until(free_at).await,
                    None => waiter.turn.notified().await,
                }
            };
            if timeout_at(deadline, wait).await.is_err() {
                return Err(NoPlace { retry_after: WINDOW });
            }
        }
    }

    fn enqueue(&self, priority: Priority, deadline: Instant) -> Result<Waiter<'_>, NoPlace> {
        let mut state = self.state();
        let now = Instant::now();
        let place = (priority, state.next_number);
        let ahead = state.queue.range(..place).count();
        let free_at = state.free_at(self.limit, ahead, now);
        if free_at > deadline {
            return Err(NoPlace { retry_after: free_at.duration_since(now) });
        }
        state.next_number += 1;
        let turn = Arc::new(Notify::new());
        state.queue.insert(place, turn.clone());
        Ok(Waiter { budget: self, place, turn })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// When there is a place for one who has so many ahead.
    fn free_at(&self, limit: usize, ahead: usize, now: Instant) -> Instant {
        let index = self.starts.len() + ahead;
        if index < limit {
            return now;
        }
        let (rounds, index) = ((index - limit) / limit, (index - limit) % limit);
        let start = self.starts.get(index).copied().unwrap_or(now);
        let rounds = u32::try_from(rounds).unwrap_or(u32::MAX).saturating_add(1);
        (start + WINDOW.saturating_mul(rounds)).max(now)
    }

    fn take(&mut self, limit: usize, now: Instant) {
        if self.starts.len() >= limit {
            self.starts.pop_front();
        }
        self.starts.push_back(now);
    }
}

/// A place in the queue. However it ends, by a call, a time-out or because nobody wants it any more, the next one is
/// told.
struct Waiter<'a> {
    budget: &'a Budget,
    place: Place,
    turn: Arc<Notify>,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let mut state = self.budget.state();
        state.queue.remove(&self.place);
        if let Some((_, next)) = state.queue.first_key_value() {
            next.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[tokio::test(start_paused = true)]
    async fn never_more_than_the_limit_within_any_second() {
        let budget = Budget::new(5);
        let mut starts = Vec::new();
        for _ in 0..23 {
            budget.place(Priority::Poll, soon()).await.expect("a place");
            starts.push(Instant::now());
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        for window in starts.windows(6) {
            assert!(window[5] - window[0] >= WINDOW, "{window:?}");
        }
        assert!(starts[22] - starts[0] < Duration::from_secs(5), "and no slower than that");
    }

    #[tokio::test(start_paused = true)]
    async fn changes_go_before_polls_and_polls_before_reads() {
        let budget = Arc::new(Budget::new(1));
        budget.place(Priority::Read, soon()).await.expect("the first is free");
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut waiters = Vec::new();
        for priority in [Priority::Read, Priority::Poll, Priority::Change, Priority::Poll, Priority::Change] {
            let (budget, order) = (budget.clone(), order.clone());
            waiters.push(tokio::spawn(async move {
                budget.place(priority, soon()).await.expect("a place");
                order.lock().expect("order").push(priority);
            }));
            tokio::task::yield_now().await;
        }
        for waiter in waiters {
            waiter.await.expect("no panic");
        }
        use Priority::{Change, Poll, Read};
        assert_eq!(*order.lock().expect("order"), [Change, Change, Poll, Poll, Read]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_can_not_be_served_in_time_is_told_at_once() {
        let budget = Budget::new(1);
        budget.place(Priority::Change, soon()).await.expect("the first is free");
        let before = Instant::now();
        let refused = budget.place(Priority::Change, before + Duration::from_millis(500)).await;
        assert_eq!(refused, Err(NoPlace { retry_after: WINDOW }));
        assert_eq!(Instant::now(), before);
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiter_that_goes_away_takes_no_place() {
        let budget = Arc::new(Budget::new(1));
        budget.place(Priority::Change, soon()).await.expect("the first is free");
        let gone = tokio::spawn({
            let budget = budget.clone();
            async move { budget.place(Priority::Change, soon()).await }
        });
        tokio::task::yield_now().await;
        gone.abort();
        let before = Instant::now();
        budget.place(Priority::Read, soon()).await.expect("a place");
        assert_eq!(Instant::now() - before, WINDOW);
    }
}
