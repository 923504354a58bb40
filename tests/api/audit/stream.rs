//! `GET /audit-events/stream`.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tunnelgate::domain::principal::Scope;

use super::fill;
use crate::harness::{Harness, path, ranges};
use crate::support::Store;
use crate::support::consumer::{Consumer, Message, Messages, PATIENCE};

const FEED: &str = "/audit-events/stream";

/// All events that the consumer may read, oldest first, as the list has them.
async fn listed(consumer: &Consumer, filter: &str) -> Vec<Value> {
    let answer = consumer.get(&format!("/audit-events?limit=200&{filter}"), &[]).await.json();
    let mut items = answer["items"].as_array().expect("items").clone();
    items.reverse();
    items
}

/// The next messages.
async fn take(feed: &mut Messages, count: usize) -> Vec<Message> {
    let mut messages = Vec::new();
    for _ in 0..count {
        messages.push(feed.next().await.expect("the stream goes on"));
    }
    messages
}

/// Asserts that the messages are these events.
fn assert_are(messages: &[Message], events: &[Value]) {
    let data: Vec<&Value> = messages.iter().map(|message| &message.data).collect();
    assert_eq!(data, events.iter().collect::<Vec<_>>());
    for (message, event) in messages.iter().zip(events) {
        assert_eq!(message.id, event["seq"].to_string());
        assert_eq!(event["event"], message.event.as_str());
    }
}

async fn a_feed_has_every_event_from_now_on_as_it_is_committed(harness: Harness) {
    fill(&harness).await;
    let before = listed(&harness.consumer, "").await.len();
    let mut feed = harness.consumer.messages(FEED, &[]).await;
    harness.until_waiting("feed", 1).await;
    let operation = harness.patch("vpnx-branch01", &ranges()).await.json();
    harness.consumer.ended(operation["id"].as_str().expect("an id")).await;
    harness.consumer_with("another", &[(Scope::AuditRead, &[])]).await;
    let messages = take(&mut feed, 4).await;
    assert_are(&messages, &listed(&harness.consumer, "").await[before..]);
    let kinds: Vec<&str> = messages.iter().map(|message| message.event.as_str()).collect();
    assert_eq!(kinds, ["requested", "submitted", "succeeded", "key_created"]);
}

async fn a_feed_goes_on_after_any_event_without_a_gap(harness: Harness) {
    fill(&harness).await;
    let events = listed(&harness.consumer, "").await;
    for seen in [0, 1, events.len() / 2, events.len() - 1] {
        let after = seen.to_string();
        let mut by_query = harness.consumer.messages(&format!("{FEED}?after={after}"), &[]).await;
        assert_are(&take(&mut by_query, events.len() - seen).await, &events[seen..]);
        // The header of a reconnecting client wins over the address that it was given.
        let place = [("last-event-id", after.as_str())];
        let mut by_header = harness.consumer.messages(&format!("{FEED}?after=0"), &place).await;
        assert_are(&take(&mut by_header, events.len() - seen).await, &events[seen..]);
    }
}

async fn a_position_that_the_log_does_not_have_is_refused(harness: Harness) {
    for (position, pointer) in [("9999999", "query:after"), ("-1", "query:after"), ("end", "query:after")] {
        let answer = harness.consumer.get(&format!("{FEED}?after={position}"), &[]).await;
        assert_eq!(answer.problem(), (400, "invalid_query".into()));
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer);
        let answer = harness.consumer.get(FEED, &[("last-event-id", position)]).await;
        assert_eq!(answer.problem(), (400, "invalid_header".into()));
        assert_eq!(answer.json()["errors"][0]["pointer"], "header:Last-Event-ID");
    }
}

async fn filters_let_through_what_they_say_in_the_past_and_from_now_on(harness: Harness) {
    fill(&harness).await;
    let feeds = [
        ("vpc_id=vpc-prod-1", "vpc_id=vpc-prod-1"),
        ("tunnel_id=vpnx-branch01&requested_by=netops-ci", "tunnel_id=vpnx-branch01"),
        ("event=succeeded", "event=succeeded"),
        // In a feed the status after the step counts.
        ("status=running", "event=submitted"),
        ("account=default", "account=default"),
    ];
    let mut open = Vec::new();
    for (filter, list) in feeds {
        let past = listed(&harness.consumer, list).await;
        let mut feed = harness.consumer.messages(&format!("{FEED}?after=0&{filter}"), &[]).await;
        assert_are(&take(&mut feed, past.len()).await, &past);
        open.push((feed, list, past.len()));
    }
    let prod = "/vpcs/vpc-prod-1/gateways/vpngw-prod1/tunnels/vpnx-prod1".to_owned();
    for tunnel in [path("vpnx-branch01"), prod] {
        harness.consumer.patch(&tunnel, &ranges(), &[("prefer", "wait=30")]).await;
    }
    for (mut feed, list, past) in open {
        let now = listed(&harness.consumer, list).await;
        assert!(now.len() > past, "{list} has news");
        assert_are(&take(&mut feed, now.len() - past).await, &now[past..]);
    }
    let answer = harness.consumer.get(&format!("{FEED}?event=nothing&limit=3"), &[]).await;
    assert_eq!(answer.json()["errors"].as_array().map(Vec::len), Some(2));
}

async fn a_caller_limited_to_some_vpcs_sees_their_events_only(harness: Harness) {
    let limited = harness.consumer_with("limited", &[(Scope::AuditRead, &["vpc-prod-*"])]).await;
    let mut feed = limited.messages(&format!("{FEED}?after=0"), &[]).await;
    fill(&harness).await;
    harness.consumer_with("another", &[(Scope::AuditRead, &[])]).await;
    let prod = "/vpcs/vpc-prod-1/gateways/vpngw-prod1/tunnels/vpnx-prod1";
    harness.consumer.patch(prod, &ranges(), &[("prefer", "wait=30")]).await;
    let expected = listed(&harness.consumer, "vpc_id=vpc-prod-1").await;
    assert_eq!(expected.len(), 6);
    assert_are(&take(&mut feed, expected.len()).await, &expected);
    let reader = harness.consumer_with("reader", &[(Scope::TunnelsRead, &[])]).await;
    assert_eq!(reader.get(FEED, &[]).await.problem(), (403, "forbidden".into()));
}

/// The text of a stream up to this part.
async fn read_to(feed: &mut Messages, part: &str) -> String {
    let mut text = String::new();
    while !text.contains(part) {
        let bytes = feed.response.chunk().await.expect("the stream goes on").expect("more");
        text.push_str(std::str::from_utf8(&bytes).expect("UTF-8"));
    }
    text
}

async fn with_heartbeats(store: Store) -> Harness {
    Harness::with(store, |settings| settings.edge.heartbeat = Duration::from_millis(50)).await
}

/// Without it a client whose filter rarely matches would read the log again from its last event.
async fn a_heartbeat_has_the_position_for_callers_who_may_read_everything(store: Store) {
    let harness = with_heartbeats(store).await;
    fill(&harness).await;
    let newest = listed(&harness.consumer, "").await.last().expect("an event")["seq"].clone();
    let quiet = format!("{FEED}?after=0&tunnel_id=vpnx-quiet");
    // The first ones may come before the gateway has read the log.
    let mut feed = harness.consumer.messages(&quiet, &[]).await;
    let expected = format!("\n:\nid: {newest}\n\n");
    timeout(PATIENCE, read_to(&mut feed, &expected)).await.expect("a heartbeat with the position");
    let limited = harness.consumer_with("limited", &[(Scope::AuditRead, &["vpc-prod-*"])]).await;
    let text = read_to(&mut limited.messages(&quiet, &[]).await, "\n:\n\n:\n").await;
    assert!(!text.contains("id:"), "{text}");
}

async fn a_revoked_key_and_a_shutdown_end_a_feed(store: Store) {
    let harness = with_heartbeats(store).await;
    let reader = harness.consumer_with("reader", &[(Scope::AuditRead, &[])]).await;
    let mut theirs = reader.messages(FEED, &[]).await;
    let mut ours = harness.consumer.messages(FEED, &[]).await;
    harness.until_waiting("feed", 2).await;
    harness.revoke("reader").await;
    while let Some(message) = theirs.next().await {
        assert_eq!(message.event, "key_revoked", "nothing but its own end");
    }
    harness.until_waiting("feed", 1).await;
    assert_eq!(ours.next().await.expect("an event").event, "key_revoked");
    harness.stop();
    assert_eq!(ours.next().await, None, "closed cleanly");
}

/// A reader whose connection holds little.
async fn narrow(consumer: &Consumer) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    let address = consumer.base.trim_start_matches("http://").parse().expect("an address");
    let mut connection = socket.connect(address).await.expect("a connection");
    // A caller of HTTP/1.0 gets no chunks, whose borders could be anywhere in an event.
    let request =
        format!("GET {FEED} HTTP/1.0\r\nhost: gateway\r\nauthorization: Bearer {}\r\n\r\n", consumer.token);
    connection.write_all(request.as_bytes()).await.expect("sent");
    connection
}

/// More events than the gateway keeps for a follower that does not read.
async fn a_slow_reader_misses_nothing(store: Store) {
    let harness = Harness::new(store).await;
    let mut slow = narrow(&harness.consumer).await;
    harness.until_waiting("feed", 1).await;
    let before = listed(&harness.consumer, "").await.len();
    // Large events fill the buffers of the connection.
    let patterns: Vec<String> = (0..1000).map(|number| format!("vpc-{number:050}")).collect();
    let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
    for number in 0..200 {
        harness.consumer_with(&format!("large-{number}"), &[(Scope::TunnelsRead, &patterns)]).await;
    }
    // Then each step is a block of its own.
    for number in 0..40 {
        assert_eq!(harness.patch(&format!("vpnx-load-{number}"), &ranges()).await.status, 202);
    }
    let newest = harness.consumer.get("/audit-events/checkpoint", &[]).await.json()["seq"].clone();
    let (mut text, mut bytes) = (String::new(), vec![0; 1 << 16]);
    let end = format!("id: {newest}\nevent: ");
    let mut is_there = false;
    while !is_there {
        let read = timeout(PATIENCE, slow.read(&mut bytes)).await.expect("more").expect("the stream goes on");
        assert!(read > 0, "the stream ended");
        // The text before has been searched.
        let begin = text.len().saturating_sub(end.len());
        text.push_str(std::str::from_utf8(&bytes[..read]).expect("ASCII"));
        is_there = text[begin..].contains(&end);
    }
    // A heartbeat has an id and no event.
    let messages = text.split("\n\n").filter(|block| block.contains("\nevent: "));
    let ids = messages.filter_map(|message| message.split_once("id: ")?.1.lines().next()?.parse().ok());
    // Operations end meanwhile.
    let newest = newest.as_u64().expect("a seq");
    let ids: Vec<u64> = ids.filter(|id| *id <= newest).collect();
    let expected: Vec<u64> = (before as u64 + 1..=newest).collect();
    if let Some((id, seq)) = ids.iter().zip(&expected).find(|(id, seq)| id != seq) {
        panic!("event {seq} is missing or comes twice: event {id} comes instead");
    }
    assert_eq!(ids.len(), expected.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_has_the_position() {
    a_heartbeat_has_the_position_for_callers_who_may_read_everything(Store::sqlite()).await;
    a_heartbeat_has_the_position_for_callers_who_may_read_everything(Store::postgres().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_ends_with_its_key() {
    a_revoked_key_and_a_shutdown_end_a_feed(Store::sqlite()).await;
    a_revoked_key_and_a_shutdown_end_a_feed(Store::postgres().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_misses_nothing_on_postgres() {
    a_slow_reader_misses_nothing(Store::postgres().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_on_one_replica_has_what_another_committed() {
    let harness = Harness::new(Store::postgres().await).await;
    let (_other, there) = harness.replica().await;
    let mut feed = there.messages(&format!("{FEED}?after=0"), &[]).await;
    let before = take(&mut feed, 1).await;
    assert_eq!(before[0].event, "key_created");
    let operation = harness.patch("vpnx-branch01", &ranges()).await.json();
    harness.consumer.ended(operation["id"].as_str().expect("an id")).await;
    assert_are(&take(&mut feed, 3).await, &listed(&harness.consumer, "").await[1..]);
}

/// Positions of a log that went back could be those of other events.
#[tokio::test(flavor = "multi_thread")]
async fn a_feed_ends_when_the_log_goes_back() {
    let harness = with_heartbeats(Store::postgres().await).await;
    fill(&harness).await;
    let mut feed = harness.consumer.messages(FEED, &[]).await;
    harness.until_waiting("feed", 1).await;
    let newest = listed(&harness.consumer, "").await.len();
    harness
        .store
        .execute(&format!(
            "ALTER TABLE audit_events DISABLE TRIGGER USER; DELETE FROM audit_events WHERE seq = {newest};
             UPDATE chain_head SET seq = {newest} - 1, hash = (SELECT hash FROM audit_events WHERE seq = {newest} - 1)"
        ))
        .await
        .expect("the log goes back");
    assert_eq!(feed.next().await, None, "closed cleanly");
    let place = [("last-event-id", newest.to_string())];
    let place = [(place[0].0, place[0].1.as_str())];
    assert_eq!(harness.consumer.get(FEED, &place).await.problem(), (400, "invalid_header".into()));
}

on_each_api!(
    a_feed_has_every_event_from_now_on_as_it_is_committed,
    a_feed_goes_on_after_any_event_without_a_gap,
    a_position_that_the_log_does_not_have_is_refused,
    filters_let_through_what_they_say_in_the_past_and_from_now_on,
    a_caller_limited_to_some_vpcs_sees_their_events_only,
);
