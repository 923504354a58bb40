//! What a receiver gets, and in which order.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use serde_json::json;
use tunnelgate::chance::{Chance, SystemChance};
use tunnelgate::clock::{Clock, SystemClock};
use tunnelgate::domain::event::EventKind;
use tunnelgate::domain::principal::VpcScope;
use tunnelgate::service::ledger::Step;
use tunnelgate::service::webhooks::{Filter, skipped};
use tunnelgate::webhooks::{self, SigningKey};

use super::{NEW, OLD, entry, filtered, seqs, with};
use crate::harness::{Harness, ranges};
use crate::receiver::{Delivery, Receiver};
use crate::support::Store;
use crate::support::consumer::PATIENCE;

async fn each_event_arrives_once_in_order_and_signed_with_both_secrets(store: Store) {
    let receiver = Receiver::start().await;
    let mut both = entry("both", &receiver);
    both.keys.push(SigningKey::parse(NEW).expect("a secret"));
    let harness = Harness::with(store, with(vec![both])).await;
    let patch = json!({"peer_cidrs": ["10.100.2.0/24"], "pre_shared_key": "canary-psk-1"});
    let operation = harness.patch("vpnx-branch01", &patch).await.json();
    let id = operation["id"].as_str().expect("an id");
    let ended = harness.consumer.ended(id).await;
    let last = receiver.took("operation.succeeded").await;
    let all = receiver.all();
    let kinds: Vec<String> = all.iter().map(Delivery::kind).collect();
    let expected = ["key.created", "operation.requested", "operation.submitted", "operation.succeeded"];
    assert_eq!(kinds, expected);
    assert_eq!(seqs(&all), [1, 2, 3, 4]);
    let log = harness.consumer.get("/audit-events?limit=10", &[]).await.json();
    for (delivery, event) in all.iter().rev().zip(log["items"].as_array().expect("items")) {
        let message = delivery.json();
        assert_eq!(&message["data"]["event"], event);
        assert_eq!(
            (delivery.id(), &message["timestamp"]),
            (event["id"].as_str().expect("an id"), &event["occurred_at"])
        );
        assert!(delivery.is_signed_with(OLD) && delivery.is_signed_with(NEW), "{:?}", delivery.headers);
        assert!(!delivery.is_signed_with(&OLD.replace("MfKQ", "AAAA")));
        assert_eq!(delivery.headers["content-type"], "application/json");
        assert_eq!(delivery.target, "POST /hook");
        assert!(!String::from_utf8_lossy(&delivery.body).contains("canary"), "a secret");
    }
    assert_eq!(all[0].json()["data"]["operation"], json!(null));
    assert_eq!(last.json()["data"]["operation"], ended, "as GET /operations/{{id}} shows it");
}

async fn a_filter_leaves_events_out_and_a_new_entry_begins_with_the_next_event(store: Store) {
    let receivers = [Receiver::start().await, Receiver::start().await, Receiver::start().await];
    let harness = Harness::new(store).await;
    let old = harness.patch("vpnx-branch01", &ranges()).await.json();
    harness.consumer.ended(old["id"].as_str().expect("an id")).await;
    harness.stop();

    let elsewhere = VpcScope::Matching(vec!["vpc-prod-*".parse().expect("a pattern")]);
    let here = VpcScope::Matching(vec!["vpc-03*".parse().expect("a pattern")]);
    let in_vpcs = |vpcs| Filter { events: None, vpcs };
    let ends = filtered("ends", &receivers[0], &[EventKind::Succeeded, EventKind::Failed]);
    let entries = vec![
        ends,
        webhooks::Settings { filter: in_vpcs(elsewhere), ..entry("elsewhere", &receivers[1]) },
        webhooks::Settings { filter: in_vpcs(here), ..entry("here", &receivers[2]) },
    ];
    let (_gateway, there) = harness.replica_with(with(entries)).await;
    let patched = there.patch(&crate::harness::path("vpnx-branch02"), &ranges(), &[]).await.json();
    there.ended(patched["id"].as_str().expect("an id")).await;
    receivers[0].took("operation.succeeded").await;
    receivers[2].took("operation.succeeded").await;
    assert_eq!(receivers[0].all().len(), 1);
    assert_eq!(receivers[0].all()[0].json()["data"]["operation"]["id"], patched["id"]);
    assert_eq!(seqs(&receivers[2].all()), [5, 6, 7], "the events after the start");
    assert_eq!(receivers[1].all().len(), 0);
    // What is filtered out is passed too.
    let until = Instant::now() + PATIENCE;
    while harness.ledger().webhooks().await.expect("places").iter().any(|place| place.seq < 7) {
        assert!(Instant::now() < until, "the places do not follow");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_share_a_connection() {
    let receiver = Receiver::start().await;
    let harness = Harness::with(Store::sqlite(), with(vec![entry("one", &receiver)])).await;
    let now = SystemClock.now();
    for seq in 2..50 {
        let event = skipped(SystemChance.id(now), "another", seq, "a reason", now);
        harness.ledger().write(Step::Record(Box::new(event))).await.expect("written");
    }
    let all = receiver.until("49 messages", |all| all.len() >= 49).await;
    assert_eq!(seqs(&all), (1..50).collect::<Vec<i64>>());
    // A pause of more than 4 seconds, on a slow machine, costs another one.
    assert!(receiver.connections() < 5, "{} connections", receiver.connections());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_deliver_each_event_once_and_one_takes_over_from_the_other() {
    let receiver = Receiver::start().await;
    let entries = || with(vec![entry("one", &receiver)]);
    let harness = Harness::with(Store::postgres().await, entries()).await;
    let (_other, there) = harness.replica_with(entries()).await;
    let changed = async |consumer: &crate::support::consumer::Consumer, tunnel: &str| {
        let answer = consumer.patch(&crate::harness::path(tunnel), &ranges(), &[]).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        consumer.ended(answer.json()["id"].as_str().expect("an id")).await;
    };
    for tunnel in ["vpnx-load-1", "vpnx-load-2", "vpnx-load-3"] {
        changed(&harness.consumer, tunnel).await;
        changed(&there, &format!("{tunnel}9")).await;
    }
    receiver.until("19 messages", |all| all.len() >= 19).await;
    // Each replica has begun the entry by now, and only claims it from here on.
    for sql in [
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''begun again''; END'",
        "CREATE TRIGGER refuse BEFORE INSERT ON webhooks FOR EACH ROW EXECUTE FUNCTION refuse()",
    ] {
        harness.store.execute(sql).await.expect("a trigger");
    }
    harness.stop();
    changed(&there, "vpnx-load-4").await;
    let all = receiver.until("22 messages", |all| all.len() >= 22).await;
    assert_eq!(seqs(&all), (1..=22).collect::<Vec<i64>>(), "in order");
    assert_eq!(all.iter().map(Delivery::id).collect::<HashSet<_>>().len(), 22, "each once");
}

on_each_ledger!(
    each_event_arrives_once_in_order_and_signed_with_both_secrets,
    a_filter_leaves_events_out_and_a_new_entry_begins_with_the_next_event,
);
