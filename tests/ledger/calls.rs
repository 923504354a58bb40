//! The calls to the cloud that the replicas of an account reserve.

use std::time::Duration;

use tunnelgate::service::ledger::{Reserved, Slowed};

use crate::harness::{Harness, open_replica};

/// Long, so that the time between two statements does not matter.
const EACH: Duration = Duration::from_secs(2);
const TOLERANCE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_secs(10);

async fn reserve(harness: &Harness, account: &str, count: u32) -> Reserved {
    harness.ledger.reserve(account, count, EACH).await.expect("reserved")
}

fn is_about(wait: Duration, expected: Duration) -> bool {
    wait <= expected && wait + TOLERANCE >= expected
}

async fn each_reservation_begins_where_the_last_one_ends(harness: Harness) {
    assert_eq!(reserve(&harness, "one", 1).await, Reserved { wait: Duration::ZERO, slowed: None });
    let second = reserve(&harness, "one", 3).await.wait;
    assert!(is_about(second, EACH), "{second:?}");
    let third = reserve(&harness, "one", 1).await.wait;
    assert!(is_about(third, EACH * 4), "{third:?}");
    assert_eq!(reserve(&harness, "another", 1).await.wait, Duration::ZERO, "accounts are apart");
}

async fn replicas_never_get_the_same_call(harness: Harness) {
    const EACH: Duration = Duration::from_millis(100);
    let began = std::time::Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..4 {
        let ledger = if harness.store.is_postgres() {
            open_replica(&harness.store).await
        } else {
            harness.ledger.clone()
        };
        tasks.push(tokio::spawn(async move {
            for _ in 0..20 {
                ledger.reserve("one", 2, EACH).await.expect("reserved");
            }
        }));
    }
    for task in tasks {
        task.await.expect("reserved");
    }
    let next = harness.ledger.reserve("one", 1, EACH).await.expect("reserved").wait;
    assert!(next + began.elapsed() + Duration::from_millis(5) >= EACH * 160, "{next:?}");
    assert!(next <= EACH * 160, "{next:?}");
}

async fn calls_that_nobody_reserved_are_not_saved_up(harness: Harness) {
    reserve(&harness, "one", 1).await;
    let an_hour_ago = match harness.store.is_postgres() {
        true => "UPDATE call_budgets SET next_at = now() - interval '1 hour'",
        false => "UPDATE call_budgets SET next_at = next_at - 3600000000",
    };
    harness.store.execute(an_hour_ago).await.expect("updated");
    assert_eq!(reserve(&harness, "one", 1).await.wait, Duration::ZERO);
    let next = reserve(&harness, "one", 1).await.wait;
    assert!(is_about(next, EACH), "{next:?}");
}

async fn a_clock_that_goes_back_does_not_stop_all_calls(harness: Harness) {
    reserve(&harness, "one", 1).await;
    let in_an_hour = match harness.store.is_postgres() {
        true => {
            "UPDATE call_budgets SET next_at = now() + interval '1 hour', slowed_to = 1,
                        slowed_at = now() + interval '1 hour'"
        }
        false => {
            "UPDATE call_budgets SET next_at = next_at + 3600000000, slowed_to = 1,
                         slowed_at = next_at + 3600000000"
        }
    };
    harness.store.execute(in_an_hour).await.expect("updated");
    assert_eq!(reserve(&harness, "one", 1).await, Reserved { wait: Duration::ZERO, slowed: None });
    harness.ledger.slow_down("one", 7, PAUSE).await.expect("slowed");
    let slowed = reserve(&harness, "one", 1).await.slowed;
    assert_eq!(slowed.map(|slowed| slowed.rate), Some(7));
}

async fn replicas_hear_that_the_cloud_limited_the_rate(harness: Harness) {
    reserve(&harness, "one", 1).await;
    harness.ledger.slow_down("one", 5, PAUSE).await.expect("slowed");
    harness.ledger.slow_down("one", 2, PAUSE).await.expect("not again so soon");
    harness.ledger.slow_down("another", 1, PAUSE).await.expect("nothing to slow down");
    let Some(Slowed { rate, ago }) = reserve(&harness, "one", 1).await.slowed else { panic!("not slowed") };
    assert_eq!(rate, 5, "refusals of one moment count once");
    assert!(ago < TOLERANCE, "{ago:?}");
    // Until the clock has moved on.
    while reserve(&harness, "one", 1).await.slowed.is_some_and(|slowed| slowed.rate != 2) {
        harness.ledger.slow_down("one", 2, Duration::ZERO).await.expect("slowed");
    }
    // A replica that has not heard of it computes a higher rate.
    harness.ledger.slow_down("one", 9, Duration::ZERO).await.expect("slowed");
    assert_eq!(reserve(&harness, "one", 1).await.slowed.map(|slowed| slowed.rate), Some(2));
}

on_each_ledger!(
    each_reservation_begins_where_the_last_one_ends,
    replicas_never_get_the_same_call,
    calls_that_nobody_reserved_are_not_saved_up,
    a_clock_that_goes_back_does_not_stop_all_calls,
    replicas_hear_that_the_cloud_limited_the_rate,
);
