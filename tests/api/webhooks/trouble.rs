//! Receivers that refuse, redirect, are slow, or are down.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use tunnelgate::clock::{Clock, SystemClock};

use super::{entry, seqs, with};
use crate::harness::{Harness, ranges};
use crate::receiver::{Delivery, Receiver, Response};
use crate::support::Store;
use crate::support::consumer::PATIENCE;

/// Waits until a metric has a value.
async fn metric(harness: &Harness, line: &str) {
    let until = Instant::now() + PATIENCE;
    loop {
        let metrics = harness.consumer.get("/metrics", &[]).await.body;
        if metrics.lines().any(|found| found == line) {
            return;
        }
        let ours: Vec<&str> = metrics.lines().filter(|line| line.contains("webhook")).collect();
        assert!(Instant::now() < until, "no {line} in {ours:#?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn change(harness: &Harness, tunnel: &str) {
    let answer = harness.patch(tunnel, &ranges()).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    harness.consumer.ended(answer.json()["id"].as_str().expect("an id")).await;
}

async fn what_is_refused_or_redirected_is_retried_in_order_and_delays_nobody_else(store: Store) {
    let (bad, good) = (Receiver::start().await, Receiver::start().await);
    let elsewhere = Receiver::start().await;
    let (tries, target) = (AtomicU32::new(0), elsewhere.url.clone());
    bad.answers(move |_| match tries.fetch_add(1, Ordering::Relaxed) {
        0 => Response::Status(500),
        1 => Response::Redirect(target.clone()),
        2 => Response::EndlessBody,
        _ => Response::Status(200),
    });
    let harness = Harness::with(store, with(vec![entry("bad", &bad), entry("good", &good)])).await;
    change(&harness, "vpnx-branch01").await;
    good.took("operation.succeeded").await;
    bad.took("operation.succeeded").await;
    assert_eq!(seqs(&good.all()), [1, 2, 3, 4]);
    let all = bad.all();
    assert_eq!(seqs(&all), [1, 1, 1, 2, 3, 4], "later events wait");
    assert!(all[..3].iter().all(|delivery| delivery.id() == all[0].id()), "the same id");
    assert_eq!(elsewhere.all().len(), 0, "redirects are not followed");
    for line in [
        "tunnelgate_webhook_attempts_total{webhook=\"bad\",outcome=\"status\"} 1",
        "tunnelgate_webhook_attempts_total{webhook=\"bad\",outcome=\"redirect\"} 1",
        "tunnelgate_webhook_attempts_total{webhook=\"bad\",outcome=\"delivered\"} 4",
        "tunnelgate_webhook_attempts_total{webhook=\"good\",outcome=\"delivered\"} 4",
        "tunnelgate_webhook_lag_events{webhook=\"bad\"} 0",
    ] {
        metric(&harness, line).await;
    }
}

async fn a_receiver_that_was_down_gets_everything_in_order(store: Store) {
    // An address that no other test uses, so that nobody gets the port meanwhile.
    let down = Receiver::at("127.0.0.37:0").await;
    let (entry, address) = (entry("down", &down), down.address());
    down.stop().await;
    let harness = Harness::with(store, with(vec![entry])).await;
    change(&harness, "vpnx-branch01").await;
    metric(&harness, "tunnelgate_webhook_lag_events{webhook=\"down\"} 4").await;
    let place = harness.ledger().webhooks().await.expect("places").remove(0);
    let failing = place.failing.expect("a failure");
    assert!(failing.attempts > 0 && failing.problem.contains("refused"), "{failing:?}");
    assert!(!failing.problem.contains(&address), "no URL: {failing:?}");
    let receiver = Receiver::at(&address).await;
    receiver.took("operation.succeeded").await;
    assert_eq!(seqs(&receiver.all()), [1, 2, 3, 4]);
    metric(&harness, "tunnelgate_webhook_lag_events{webhook=\"down\"} 0").await;
    metric(&harness, "tunnelgate_webhook_lag_seconds{webhook=\"down\"} 0.0").await;
}

/// Every wait is as long as the place says, also while the gateway measures and looks at its settings.
#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_refuses_is_left_alone_for_longer_and_longer() {
    let refusing = Receiver::start().await;
    refusing.answers(|_| Response::Status(500));
    let harness = Harness::with(Store::sqlite(), with(vec![entry("refusing", &refusing)])).await;
    change(&harness, "vpnx-branch01").await;
    for attempts in 1..5 {
        let failing = loop {
            let place = harness.ledger().webhooks().await.expect("places").remove(0);
            match place.failing {
                Some(failing) if failing.attempts >= attempts => break failing,
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        };
        assert_eq!(failing.attempts, attempts, "one attempt at a time");
        let next = usize::try_from(attempts).expect("small") + 1;
        refusing.until("another attempt", |all| all.len() >= next).await;
        let now = SystemClock.now();
        assert!(now >= failing.retry_at, "attempt {next} at {now}, not at {}", failing.retry_at);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_does_not_answer_costs_fifteen_seconds_and_delays_nobody_else() {
    let (slow, good) = (Receiver::start().await, Receiver::start().await);
    slow.answers(|_| Response::Silence);
    let harness =
        Harness::with(Store::sqlite(), with(vec![entry("slow", &slow), entry("good", &good)])).await;
    let started = Instant::now();
    change(&harness, "vpnx-branch01").await;
    good.took("operation.succeeded").await;
    assert_eq!(slow.all().len(), 1);
    metric(&harness, "tunnelgate_webhook_attempts_total{webhook=\"slow\",outcome=\"timeout\"} 1").await;
    assert!(started.elapsed() > Duration::from_secs(13), "{:?}", started.elapsed());
    slow.answers(|_| Response::Status(200));
    slow.took("operation.succeeded").await;
    let ids: Vec<Delivery> = slow.all();
    assert_eq!(ids[0].id(), ids[1].id(), "the lease outlives the attempt");
    assert_eq!(seqs(&slow.taken()), [1, 2, 3, 4]);
}

/// `Retry-After` as seconds and as a date. It counts for the statuses that say that the receiver is busy.
#[tokio::test(flavor = "multi_thread")]
async fn a_busy_receiver_says_when_the_next_attempt_may_come() {
    let receiver = Receiver::start().await;
    let attempts: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let noted = attempts.clone();
    receiver.answers(move |_| {
        let mut noted = noted.lock().expect("no panic");
        noted.push(Instant::now());
        match noted.len() {
            1 => Response::RetryAfter(500, "3600".into()),
            2 => Response::RetryAfter(429, "3".into()),
            3 => {
                let date = SystemTime::from(SystemClock.now().plus(Duration::from_secs(6)).to_offset());
                Response::RetryAfter(503, httpdate::fmt_http_date(date))
            }
            _ => Response::Status(204),
        }
    });
    let _harness = Harness::with(Store::sqlite(), with(vec![entry("busy", &receiver)])).await;
    receiver.took("key.created").await;
    let attempts = attempts.lock().expect("no panic").clone();
    let waits: Vec<Duration> = attempts.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(waits[1] >= Duration::from_secs(3), "{waits:?}");
    // Without the date it would be four seconds at most.
    assert!(waits[2] >= Duration::from_millis(4500), "{waits:?}");
}

/// A success counts from its status line on: what its body does changes nothing, and is soon given up.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_or_does_not_end_costs_neither_time_nor_memory() {
    let (silent, endless) = (Receiver::start().await, Receiver::start().await);
    silent.answers(|delivery| match delivery.seq() {
        1 => Response::NoBody,
        _ => Response::Status(200),
    });
    endless.answers(|delivery| match delivery.seq() {
        1 => Response::EndlessBody,
        _ => Response::Status(200),
    });
    let entries = vec![entry("silent", &silent), entry("endless", &endless)];
    let harness = Harness::with(Store::sqlite(), with(entries)).await;
    silent.until("event 1", |all| !all.is_empty()).await;
    let started = Instant::now();
    change(&harness, "vpnx-branch01").await;
    for receiver in [&silent, &endless] {
        receiver.took("operation.succeeded").await;
        assert_eq!(seqs(&receiver.all()), [1, 2, 3, 4], "each once");
    }
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    // The buffers of the two sockets take some MB.
    assert!(endless.endless() < 32 << 20, "{} bytes were taken", endless.endless());
    metric(&harness, "tunnelgate_webhook_attempts_total{webhook=\"silent\",outcome=\"delivered\"} 4").await;
}

on_each_ledger!(
    what_is_refused_or_redirected_is_retried_in_order_and_delays_nobody_else,
    a_receiver_that_was_down_gets_everything_in_order,
);
