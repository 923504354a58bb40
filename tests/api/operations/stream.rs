//! `GET /operations/{id}/stream`.

use std::num::NonZeroU32;
use std::time::Duration;

use serde_json::{Value, json};
use tunnelgate::domain::principal::Scope;
use tunnelgate::http::edge::limit::Quota;

use crate::harness::{Harness, path, ranges};
use crate::support::Store;
use crate::support::consumer::Message;

fn stream(id: &str) -> String {
    format!("/operations/{id}/stream")
}

fn kinds(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.event.as_str()).collect()
}

async fn started(harness: &Harness, tunnel: &str) -> String {
    let operation = harness.patch(tunnel, &ranges()).await.json();
    operation["id"].as_str().expect("an id").to_owned()
}

const WHOLE: [&str; 4] = ["requested", "submitted", "succeeded", "end"];

async fn a_stream_tells_what_was_what_comes_and_the_end(harness: Harness) {
    let id = started(&harness, "vpnx-branch01").await;
    let messages = harness.consumer.messages(&stream(&id), &[("accept-encoding", "gzip, br")]).await;
    let headers = messages.response.headers().clone();
    assert_eq!(headers.get("content-encoding"), None, "\"identity\" is no value of this header");
    for (name, value) in
        [("content-type", "text/event-stream"), ("cache-control", "no-store"), ("x-accel-buffering", "no")]
    {
        assert_eq!(headers[name], value);
    }
    let live = messages.rest().await;
    assert_eq!(kinds(&live), WHOLE);
    let statuses: Vec<&Value> = live.iter().map(|message| &message.data["status"]).collect();
    assert_eq!(statuses, ["pending", "running", "succeeded", "succeeded"]);

    // The stream has the steps of the audit log, with the same numbers and times.
    let log = harness.consumer.get(&format!("/audit-events?operation_id={id}"), &[]).await.json();
    let mut log = log["items"].as_array().expect("items").clone();
    log.reverse();
    for (message, event) in live.iter().zip(&log) {
        assert_eq!(message.id, event["seq"].to_string());
        assert_eq!((&message.data["seq"], &message.data["at"]), (&event["seq"], &event["occurred_at"]));
    }
    let operation = harness.consumer.get(&format!("/operations/{id}"), &[]).await.json();
    assert_eq!(live[1].data["task_id"], operation["task_id"]);
    assert_eq!(live[2].data["verification"], json!({"result": "confirmed"}));
    assert_eq!((live[3].id.as_str(), &live[3].data), ("end", &operation));

    // A new stream repeats all steps and ends.
    assert_eq!(harness.consumer.messages(&stream(&id), &[]).await.rest().await, live);
}

async fn a_client_goes_on_where_it_stopped(harness: Harness) {
    let id = started(&harness, "vpnx-branch01").await;
    let whole = harness.consumer.messages(&stream(&id), &[]).await.rest().await;
    for seen in 0..3 {
        let last = whole[seen].id.as_str();
        let rest = harness.consumer.messages(&stream(&id), &[("last-event-id", last)]).await.rest().await;
        assert_eq!(rest, whole[seen + 1..]);
        let route = format!("{}?last_event_id={last}", stream(&id));
        assert_eq!(harness.consumer.messages(&route, &[]).await.rest().await, rest);
    }
    // A browser's EventSource stops reconnecting after a 204.
    let after = harness.consumer.get(&stream(&id), &[("last-event-id", "end")]).await;
    assert_eq!((after.status, after.body.as_str()), (204, ""));
    let odd = harness.consumer.get(&stream(&id), &[("last-event-id", "yesterday")]).await;
    assert_eq!(odd.problem(), (400, "invalid_header".into()));
    assert_eq!(odd.json()["errors"][0]["pointer"], "header:Last-Event-ID");
    let odd = harness.consumer.get(&format!("{}?last_event_id=-1&since=3", stream(&id)), &[]).await;
    assert_eq!(odd.json()["errors"].as_array().map(Vec::len), Some(2));
}

async fn an_id_of_another_stream_hides_nothing(harness: Harness) {
    let id = started(&harness, "vpnx-branch01").await;
    let whole = harness.consumer.messages(&stream(&id), &[]).await.rest().await;
    let other = started(&harness, "vpnx-branch02").await;
    let others = harness.consumer.messages(&stream(&other), &[]).await.rest().await;
    for (own, foreign, messages) in [(&id, &others, &whole), (&other, &whole, &others)] {
        for message in &foreign[..3] {
            let place = [("last-event-id", message.id.as_str())];
            assert_eq!(&harness.consumer.messages(&stream(own), &place).await.rest().await, messages);
        }
    }
}

async fn every_end_has_its_step_and_the_clouds_words(harness: Harness) {
    let refused = harness.patch("vpnx-credentials", &ranges()).await.json();
    let id = refused["operation_id"].as_str().expect("an id");
    let messages = harness.consumer.messages(&stream(id), &[]).await.rest().await;
    assert_eq!(kinds(&messages), ["requested", "rejected", "end"]);
    assert_eq!(messages[1].data["upstream"], messages[2].data["error"]["upstream"]);
    assert_eq!(messages[1].data["upstream"]["code"], harness.by_api("4102", "UnauthorizedOperation"));

    let id = started(&harness, "vpnx-task-fails").await;
    let messages = harness.consumer.messages(&stream(&id), &[]).await.rest().await;
    assert_eq!(kinds(&messages), ["requested", "submitted", "failed", "end"]);
    assert_eq!(messages[2].data["status"], "failed");
}

/// The right to read an operation does not include the right to read the audit log.
async fn a_stream_shows_no_more_than_the_operation_and_only_to_those_who_may_see_it(harness: Harness) {
    let headers = [("user-agent", "netops/2"), ("x-request-id", "story-7"), ("prefer", "wait=30")];
    let answer = harness.consumer.patch(&path("vpnx-branch01"), &ranges(), &headers).await.json();
    let id = answer["id"].as_str().expect("an id");
    let reader = harness.consumer_with("reader", &[(Scope::TunnelsRead, &["vpc-03*"])]).await;
    let whole = reader.get(&stream(id), &[]).await;
    assert_eq!(whole.status, 200);
    assert!(whole.body.contains("event: end") && whole.body.starts_with("retry: "));
    for hidden in ["netops/2", "story-7", "127.0.0.1", "source_ip", "hash\"", "latency_ms"] {
        assert!(!whole.body.contains(hidden), "{hidden} in {}", whole.body);
    }

    let elsewhere = harness.consumer_with("elsewhere", &[(Scope::TunnelsRead, &["vpc-prod-*"])]).await;
    assert_eq!(elsewhere.get(&stream(id), &[]).await.problem(), (404, "not_found".into()));
    let auditor = harness.consumer_with("auditor", &[(Scope::AuditRead, &[])]).await;
    assert_eq!(auditor.get(&stream(id), &[]).await.problem(), (403, "forbidden".into()));
    for missing in ["x", "0199b3a1-7c1e-7d2f-9c1a-0123456789ab"] {
        assert_eq!(harness.consumer.get(&stream(missing), &[]).await.problem(), (404, "not_found".into()));
    }
    harness.until_waiting("stream", 0).await;
}

/// A stream checks its key again while it is open.
async fn a_stream_ends_soon_after_its_key_was_revoked(store: Store) {
    let harness = Harness::with(store, |settings| {
        settings.rules.task_timeout = Duration::from_secs(600);
        settings.edge.heartbeat = Duration::from_millis(50);
        // Fewer than the heartbeats: checking the key again does not count as a request.
        let count = NonZeroU32::new(10).expect("some");
        settings.edge.rate_limit = Some(Quota { count, window: Duration::from_secs(3600) });
    })
    .await;
    let id = started(&harness, "vpnx-task-never-ends").await;
    let reader = harness.consumer_with("reader", &[(Scope::TunnelsRead, &[])]).await;
    let mut theirs = reader.messages(&stream(&id), &[]).await;
    let mut ours = harness.consumer.messages(&stream(&id), &[]).await;
    for messages in [&mut theirs, &mut ours] {
        assert_eq!(messages.next().await.expect("a step").event, "requested");
        assert_eq!(messages.next().await.expect("a step").event, "submitted");
    }
    harness.revoke("reader").await;
    assert_eq!(theirs.next().await, None, "closed cleanly");
    assert_eq!(reader.get(&stream(&id), &[]).await.problem(), (401, "unauthorized".into()));
    harness.until_waiting("stream", 1).await;
    drop(ours);
    harness.until_waiting("stream", 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_ends_its_stream_on_sqlite() {
    a_stream_ends_soon_after_its_key_was_revoked(Store::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_ends_its_stream_on_postgres() {
    a_stream_ends_soon_after_its_key_was_revoked(Store::postgres().await).await;
}

async fn a_shutdown_ends_waits_and_streams_at_once(store: Store) {
    let harness =
        Harness::with(store, |settings| settings.rules.task_timeout = Duration::from_secs(600)).await;
    let id = started(&harness, "vpnx-task-never-ends").await;
    let mut messages = harness.consumer.messages(&stream(&id), &[]).await;
    assert_eq!(messages.next().await.expect("a step").event, "requested");
    assert_eq!(messages.next().await.expect("a step").event, "submitted");
    let waiting = {
        let consumer = harness.consumer.clone();
        let route = format!("/operations/{id}");
        tokio::spawn(async move { consumer.get(&route, &[("prefer", "wait=60")]).await })
    };
    harness.until_waiting("wait", 1).await;
    harness.stop();
    assert_eq!(messages.next().await, None, "closed cleanly");
    let answer = waiting.await.expect("an answer");
    assert_eq!((answer.status, answer.json()["status"].as_str()), (200, Some("running")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_ends_them_on_sqlite() {
    a_shutdown_ends_waits_and_streams_at_once(Store::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_ends_them_on_postgres() {
    a_shutdown_ends_waits_and_streams_at_once(Store::postgres().await).await;
}

on_each_api!(
    a_stream_tells_what_was_what_comes_and_the_end,
    a_client_goes_on_where_it_stopped,
    an_id_of_another_stream_hides_nothing,
    every_end_has_its_step_and_the_clouds_words,
    a_stream_shows_no_more_than_the_operation_and_only_to_those_who_may_see_it,
);
