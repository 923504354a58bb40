use super::*;
use crate::service::cloud::Priority;
use crate::service::cloud::Slot as _;

const CHANGE: Need<'static> = Need { priority: Priority::Change, is_last: false, principal: "one" };
const READ: Need<'static> = Need { priority: Priority::Read, is_last: false, principal: "" };

fn start(slot: Slot) {
    Box::new(slot).start();
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

#[tokio::test(start_paused = true)]
async fn never_more_than_the_limit_within_any_second() {
    let budget = Budget::new(5);
    let starts = Arc::new(Mutex::new(Vec::new()));
    let calls = (0..23_u64).map(|n| {
        let (budget, starts) = (budget.clone(), starts.clone());
        async move {
            let slot = budget.slot(CHANGE, soon()).await.expect("a slot");
            // Some hold their slots for a while, as a commit does.
            tokio::time::sleep(Duration::from_millis(n % 3 * 400)).await;
            Box::new(slot).start();
            starts.lock().expect("starts").push(Instant::now());
        }
    });
    futures_util::future::join_all(calls).await;
    let mut starts = starts.lock().expect("starts").clone();
    starts.sort();
    for window in starts.windows(6) {
        assert!(window[5] - window[0] >= WINDOW, "{window:?}");
    }
    assert!(starts[22] - starts[0] < Duration::from_secs(9), "{:?}", starts[22] - starts[0]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_can_not_be_served_in_time_is_refused_at_once() {
    let budget = Budget::new(1);
    budget.slot(CHANGE, soon()).await.map(start).expect("the first is free");
    let before = Instant::now();
    let refused = budget.slot(CHANGE, before + Duration::from_millis(500)).await;
    assert_eq!(refused.err(), Some(NoSlot { retry_after: WINDOW }));
    assert_eq!(Instant::now(), before);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_says_the_true_wait() {
    let budget = Budget::new(2);
    for _ in 0..2 {
        budget.slot(CHANGE, soon()).await.map(start).expect("free");
    }
    let waiting: Vec<_> = (0..6)
        .map(|_| {
            let budget = budget.clone();
            tokio::spawn(async move { budget.slot(CHANGE, soon()).await.map(start) })
        })
        .collect();
    tokio::task::yield_now().await;
    let refused = budget.slot(CHANGE, Instant::now() + WINDOW).await.expect_err("six wait already");
    assert_eq!(refused.retry_after, WINDOW * 4);
    for waiter in waiting {
        waiter.await.expect("no panic").expect("a slot");
    }
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_leaves_takes_no_slot() {
    let budget = Budget::new(1);
    budget.slot(CHANGE, soon()).await.map(start).expect("the first is free");
    let gone = tokio::spawn({
        let budget = budget.clone();
        async move { budget.slot(CHANGE, soon()).await.map(drop) }
    });
    tokio::task::yield_now().await;
    gone.abort();
    let before = Instant::now();
    budget.slot(READ, soon()).await.map(start).expect("a slot");
    assert_eq!(Instant::now() - before, WINDOW);
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_is_given_back_is_free_at_once() {
    let budget = Budget::new(1);
    let held = budget.slot(CHANGE, soon()).await.expect("a slot");
    let next = tokio::spawn({
        let budget = budget.clone();
        async move { budget.slot(READ, soon()).await.map(start) }
    });
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(!next.is_finished(), "a held slot counts");
    drop(held);
    let before = Instant::now();
    next.await.expect("no panic").expect("a slot");
    assert_eq!(Instant::now(), before);
}
