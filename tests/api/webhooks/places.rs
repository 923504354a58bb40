//! Replays and skipped events, while a gateway delivers.

use std::time::{Duration, Instant};

use tunnelgate::chance::{Chance, SystemChance};
use tunnelgate::clock::{Clock, SystemClock};
use tunnelgate::service::ledger::{Forgotten, Replayed, Skipped};
use tunnelgate::service::webhooks::skipped;

use super::{entry, seqs, with};
use crate::harness::{Harness, ranges};
use crate::receiver::{Delivery, Receiver, Response};
use crate::support::Store;
use crate::support::consumer::PATIENCE;

async fn a_replay_repeats_events_under_their_ids_or_under_new_ones(store: Store) {
    let receiver = Receiver::start().await;
    let harness = Harness::with(store, with(vec![entry("one", &receiver)])).await;
    let operation = harness.patch("vpnx-branch01", &ranges()).await.json();
    harness.consumer.ended(operation["id"].as_str().expect("an id")).await;
    let first = receiver.until("4 messages", |all| all.len() == 4).await;
    let ids = |deliveries: &[Delivery]| deliveries.iter().map(|d| d.id().to_owned()).collect::<Vec<_>>();
    let ledger = harness.ledger();
    assert_eq!(ledger.replay_webhook("one", 3, None).await.expect("moved"), Replayed::Moved);
    let all = receiver.until("6 messages", |all| all.len() == 6).await;
    assert_eq!(ids(&all[4..]), ids(&first[2..]));

    // The place is stored after the receiver has answered.
    let until = Instant::now() + PATIENCE;
    while ledger.webhooks().await.expect("places")[0].seq < 4 {
        assert!(Instant::now() < until, "the place does not follow");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let salt = SystemChance.id(SystemClock.now());
    assert_eq!(ledger.replay_webhook("one", 2, Some(salt)).await.expect("moved"), Replayed::Moved);
    // Until then the gateway may deliver one more event at its old place.
    receiver.until("9 messages", |all| all.len() == 9).await;
    let patched = harness.patch("vpnx-branch02", &ranges()).await.json();
    harness.consumer.ended(patched["id"].as_str().expect("an id")).await;
    let all = receiver.until("12 messages", |all| all.len() == 12).await;
    let again = &all[6..];
    assert_eq!(seqs(again), [2, 3, 4, 5, 6, 7]);
    for (delivery, old) in again.iter().zip(&first[1..]) {
        assert_ne!(delivery.id(), old.id(), "a new id");
        assert_eq!(delivery.json()["data"]["event"]["id"], old.id(), "the same event");
    }
    for delivery in &again[3..] {
        assert_eq!(delivery.json()["data"]["event"]["id"], delivery.id(), "was not replayed");
    }
}

async fn a_skipped_event_lets_the_later_ones_pass(store: Store) {
    let receiver = Receiver::start().await;
    receiver.answers(|delivery| Response::Status(if delivery.seq() == 2 { 422 } else { 200 }));
    let harness = Harness::with(store, with(vec![entry("one", &receiver)])).await;
    let operation = harness.patch("vpnx-branch01", &ranges()).await.json();
    harness.consumer.ended(operation["id"].as_str().expect("an id")).await;
    receiver.until("a refusal", |all| all.iter().any(|delivery| delivery.status == 422)).await;
    let now = SystemClock.now();
    let event = skipped(SystemChance.id(now), "one", 2, "it is not for us", now);
    assert_eq!(harness.ledger().skip_webhook("one", 2, event).await.expect("skipped"), Skipped::Skipped);
    let told = receiver.took("webhook.skipped").await.json();
    assert_eq!(told["data"]["event"]["changes"]["webhook"], serde_json::json!({"name": "one", "seq": 2}));
    assert_eq!(seqs(&receiver.taken()), [1, 3, 4, 5]);
    let unlimited = harness.consumer.get("/audit-events?event=webhook_skipped", &[]).await.json();
    assert_eq!(unlimited["items"].as_array().map(Vec::len), Some(1));
}

/// A command deletes the place in the moment when no process holds the entry.
async fn a_place_that_was_deleted_is_begun_again(store: Store) {
    let receiver = Receiver::start().await;
    let harness = Harness::with(store, with(vec![entry("one", &receiver)])).await;
    receiver.took("key.created").await;
    let later = SystemClock.now().plus(Duration::from_secs(3600));
    let ledger = harness.ledger();
    assert_eq!(ledger.forget_webhook("one", later).await.expect("deleted"), Forgotten::Forgotten);
    let until = Instant::now() + PATIENCE;
    while ledger.webhooks().await.expect("places").is_empty() {
        assert!(Instant::now() < until, "no place");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    harness.patch("vpnx-branch01", &ranges()).await;
    receiver.took("operation.succeeded").await;
    // Until the gateway notices, it delivers at the old place.
    let mut seqs = seqs(&receiver.all());
    seqs.dedup();
    assert_eq!(seqs, [1, 2, 3, 4]);
}

on_each_ledger!(
    a_place_that_was_deleted_is_begun_again,
    a_replay_repeats_events_under_their_ids_or_under_new_ones,
    a_skipped_event_lets_the_later_ones_pass,
);
