//! Several gateways on one PostgreSQL.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use sqlx::{Connection, Executor, PgConnection};
use tunnelgate::app::World;
use tunnelgate::domain::api::Api;
use tunnelgate::domain::fingerprint::FingerprintKey;
use tunnelgate::service::ReadBefore;

use crate::harness::{self, Harness, Jumping, path, ranges};
use crate::support::Store;
use crate::support::consumer::{Consumer, PATIENCE};

async fn one_change_at_a_time_on_one_tunnel_across_replicas(api: Api) {
    let harness = Harness::on_api(Store::postgres().await, api, |_| {}).await;
    let (_other, there) = harness.replica().await;
    let first = harness.patch("vpnx-slow-task", &ranges()).await;
    assert_eq!(first.status, 202);
    let second = there.patch(&path("vpnx-slow-task"), &ranges(), &[]).await;
    assert_eq!(second.problem(), (409, "operation_in_progress".into()));
    assert_eq!(second.json()["operation_id"], first.json()["id"]);
}

async fn a_wait_on_one_replica_sees_what_another_finished(api: Api) {
    let harness = Harness::on_api(Store::postgres().await, api, |_| {}).await;
    let (_other, there) = harness.replica().await;
    let operation = harness.patch("vpnx-branch01", &ranges()).await.json();
    let id = operation["id"].as_str().expect("an id");
    let seen = there.get(&format!("/operations/{id}"), &[("prefer", "wait=30")]).await.json();
    assert_eq!(seen["status"], "succeeded");
}

async fn what_one_replica_leaves_behind_another_finishes(api: Api) {
    let harness = Harness::on_api(Store::postgres().await, api, |_| {}).await;
    let (_other, there) = harness.replica().await;
    let operation = harness.patch("vpnx-slow-task", &ranges()).await.json();
    harness.stop();
    let ended = there.ended(operation["id"].as_str().expect("an id")).await;
    assert_eq!(ended["status"], "succeeded");
    assert_eq!(harness.received("vpnx-slow-task").len(), 1);
}

/// By default the key of the fingerprints is derived from the cloud's credentials.
async fn credentials_that_rotate_during_a_change_do_not_make_it_look_diverged(api: Api) {
    let harness = Harness::on_api(Store::postgres().await, api, |_| {}).await;
    let (_other, there) = harness
        .replica_with(|settings| settings.fingerprint_key = FingerprintKey::derive(b"another SecretKey"))
        .await;
    let patch = json!({"peer_cidrs": ["10.100.2.0/24"], "pre_shared_key": "tencenttest"});
    let operation = harness.patch("vpnx-slow-task", &patch).await.json();
    harness.stop();
    let ended = there.ended(operation["id"].as_str().expect("an id")).await;
    assert_eq!(ended["status"], "succeeded");
    assert_eq!(ended["verification"]["result"], "unavailable", "{ended}");
    assert!(ended["verification"]["reason"].as_str().expect("why").contains("/pre_shared_key"), "{ended}");
}

async fn fifty_copies_on_two_replicas_are_one_operation_and_one_call(api: Api) {
    let harness = Harness::on_api(Store::postgres().await, api, |_| {}).await;
    let (_other, there) = harness.replica().await;
    let (tunnel, patch, key) = (path("vpnx-branch01"), ranges(), [("idempotency-key", "one")]);
    let copies = (0..50).map(|number| {
        let consumer = if number % 2 == 0 { &harness.consumer } else { &there };
        consumer.patch(&tunnel, &patch, &key)
    });
    let answers = futures_util::future::join_all(copies).await;
    let mut operations = HashSet::new();
    for answer in &answers {
        let body = answer.json();
        let id = match answer.status {
            200 | 202 => &body["id"],
            409 => {
                assert_eq!(body["code"], "idempotency_key_in_flight");
                &body["operation_id"]
            }
            other => panic!("{other}: {body}"),
        };
        operations.insert(id.as_str().expect("an id").to_owned());
    }
    assert_eq!(operations.len(), 1);
    let fresh = answers
        .iter()
        .filter(|answer| answer.status == 202 && answer.header("idempotent-replayed").is_none());
    assert_eq!(fresh.count(), 1);
    assert_eq!(harness.received("vpnx-branch01").len(), 1);
}

async fn a_stream_on_one_replica_tells_the_steps_of_another(api: Api) {
    let harness = Harness::on_api(Store::postgres().await, api, |_| {}).await;
    let (_other, there) = harness.replica().await;
    let operation = harness.patch("vpnx-branch01", &ranges()).await.json();
    let id = operation["id"].as_str().expect("an id");
    let messages = there.messages(&format!("/operations/{id}/stream"), &[]).await.rest().await;
    let kinds: Vec<&str> = messages.iter().map(|message| message.event.as_str()).collect();
    assert_eq!(kinds, ["requested", "submitted", "succeeded", "end"]);
}

/// Without LISTEN/NOTIFY a replica polls the ledger for the steps of the others.
#[tokio::test(flavor = "multi_thread")]
async fn waits_and_streams_end_where_nothing_is_heard_of_the_other_replica() {
    let harness = Harness::new(Store::postgres().await).await;
    let (_other, there) = harness.replica().await;
    let deafen = "DO $$ BEGIN PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
                  WHERE datname = current_database() AND query LIKE 'LISTEN%'; END $$";
    let operation = harness.patch("vpnx-branch01", &ranges()).await.json();
    let id = operation["id"].as_str().expect("an id").to_owned();
    harness.store.execute(deafen).await.expect("the listeners are gone");
    let (path, route) = (format!("/operations/{id}/stream"), format!("/operations/{id}"));
    let stream = async { there.messages(&path, &[]).await.rest().await };
    let wait = there.get(&route, &[("prefer", "wait=30")]);
    let (messages, waited) = tokio::join!(stream, wait);
    assert_eq!(messages.last().expect("an end").event, "end");
    assert_eq!(waited.json()["status"], "succeeded");
}

/// The pool for reads has two connections; fifty waiting clients leave it free for others.
#[tokio::test(flavor = "multi_thread")]
async fn who_waits_holds_no_database_connection() {
    let harness = Harness::with(Store::postgres().await, |settings| {
        settings.database.connections = 2;
        settings.rules.task_timeout = Duration::from_secs(600);
    })
    .await;
    let operation = harness.patch("vpnx-task-never-ends", &ranges()).await.json();
    let id = operation["id"].as_str().expect("an id").to_owned();
    let mut streams = Vec::new();
    for _ in 0..25 {
        let mut messages = harness.consumer.messages(&format!("/operations/{id}/stream"), &[]).await;
        messages.next().await.expect("a step");
        streams.push(messages);
    }
    let waits = (0..25).map(|_| {
        let (consumer, route) = (harness.consumer.clone(), format!("/operations/{id}"));
        tokio::spawn(async move { consumer.get(&route, &[("prefer", "wait=60")]).await })
    });
    let waits: Vec<_> = waits.collect();
    harness.until_waiting("wait", 25).await;
    assert_eq!(harness.consumer.get("/operations", &[]).await.status, 200);
    // A shutdown ends all waits and streams.
    harness.stop();
    for wait in waits {
        let answer = wait.await.expect("an answer");
        assert_eq!((answer.status, answer.json()["status"].as_str()), (200, Some("running")));
    }
    for messages in streams {
        let kinds: Vec<String> = messages.rest().await.into_iter().map(|message| message.event).collect();
        assert!(!kinds.contains(&"end".to_owned()), "the operation has not ended: {kinds:?}");
    }
}

/// The monotonic clock stands still while a machine is suspended; the wall clock does not.
#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_was_suspended_during_the_commit_sends_nothing() {
    let clock = Arc::new(Jumping::default());
    let world = World { clock: clock.clone(), ..World::default() };
    let harness = Harness::in_world(Store::postgres().await, Api::V2, world, |_| {}).await;
    let mut held = PgConnection::connect(harness.store.url()).await.expect("a connection");
    held.execute("BEGIN; LOCK TABLE operations IN SHARE MODE").await.expect("a lock");
    let consumer = harness.consumer.clone();
    let answer = tokio::spawn(async move { consumer.patch(&path("vpnx-branch01"), &ranges(), &[]).await });
    let until = Instant::now() + PATIENCE;
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut held).await.expect("a count") == 0 {
        assert!(Instant::now() < until, "nothing waits for the lock");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    clock.jump(Duration::from_secs(60));
    held.execute("ROLLBACK").await.expect("the end of the lock");
    let answer = answer.await.expect("an answer");
    assert_eq!(answer.problem(), (503, "not_sent".into()), "{}", answer.body);
    assert_eq!(harness.received("vpnx-branch01").len(), 0);
}

/// The opener's lease lasts longer than the call; a clock that is 31 minutes ahead passes it and the task timeout.
#[tokio::test(flavor = "multi_thread")]
async fn a_replica_whose_clock_is_ahead_takes_nothing_over_early_and_ends_nothing_early() {
    let harness = Harness::new(Store::postgres().await).await;
    let (_minute, minute) = harness.replica_ahead(Duration::from_secs(60)).await;
    let (_half_hour, _) = harness.replica_ahead(Duration::from_secs(31 * 60)).await;
    let unready = minute.get("/readyz", &[]).await;
    assert_eq!(unready.problem(), (503, "ledger_unavailable".into()));
    let detail = unready.json()["detail"].as_str().expect("a detail").to_owned();
    assert!(detail.contains("60 s ahead of the database's clock"), "{detail}");
    let metrics = minute.get("/metrics", &[]).await.body;
    let skew = metrics.lines().find(|line| line.starts_with("tunnelgate_clock_skew_seconds"));
    let seconds: f64 = skew.and_then(|line| line.split(' ').next_back()?.parse().ok()).expect("a skew");
    assert!((59.0..61.0).contains(&seconds), "{seconds}");
    for consumer in [&harness.consumer, &minute] {
        let accepted = consumer.patch(&path("vpnx-slow-task"), &ranges(), &[]).await;
        assert_eq!(accepted.status, 202, "{}", accepted.body);
        let operation = accepted.json();
        let id = operation["id"].as_str().expect("an id").to_owned();
        let ended = consumer.ended(&id).await;
        assert_eq!(ended["status"], "succeeded", "{ended}");
        let events = consumer.get(&format!("/audit-events?operation_id={id}"), &[]).await.json();
        assert_eq!(events["items"].as_array().expect("items").len(), 3, "no takeover: {events}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_that_does_not_answer_ends_no_operation() {
    let harness = Harness::new(Store::postgres().await).await;
    let operation = harness.patch("vpnx-slow-task", &ranges()).await.json();
    let id = operation["id"].as_str().expect("an id");
    harness.stop();
    let (cut_off, there) = harness
        .replica_with(|settings| {
            settings.accounts[0].endpoints.v2.url = "http://127.0.0.1:9/v2/index.php".into();
            settings.rules.task_timeout = Duration::from_millis(100);
        })
        .await;
    // More polls than fit into the task's time.
    let until = Instant::now() + PATIENCE;
    while harness::calls(&there, "DescribeVpcTaskResult").await < 8 {
        let now = there.get(&format!("/operations/{id}"), &[]).await.json();
        assert!(now["finished_at"].is_null(), "{now}");
        assert!(Instant::now() < until, "no polls");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(cut_off);
    let (_back, there) = harness.replica().await;
    let ended = there.ended(id).await;
    assert_eq!(ended["status"], "succeeded", "{ended}");
}

/// Every change is one call: nothing is read, and nothing is polled meanwhile.
fn only_changes(settings: &mut tunnelgate::config::Settings) {
    settings.accounts[0].calls_per_second = CALLS_A_SECOND;
    settings.accounts[0].timeout = PATIENCE;
    settings.rules.read_before = ReadBefore::WhenNeeded;
    settings.rules.poll_interval = PATIENCE;
    settings.rules.poll_max_interval = PATIENCE;
}

const CALLS_A_SECOND: u32 = 8;

/// The first and the last arrival at the simulated cloud of `changes` changes that are requested together.
async fn seconds_of(harness: &Harness, consumers: &[&Consumer], first: usize, changes: usize) -> f64 {
    let patches = (0..changes).map(|number| {
        let consumer = consumers[number % consumers.len()];
        async move { consumer.patch(&path(&format!("vpnx-load-{}", first + number)), &ranges(), &[]).await }
    });
    for answer in futures_util::future::join_all(patches).await {
        assert_eq!(answer.status, 202, "{}", answer.body);
    }
    let mut arrivals: Vec<_> =
        harness.simulator.journal().into_iter().map(|entry| entry.received_at).collect();
    arrivals.sort();
    let arrivals = &arrivals[first..];
    assert_eq!(arrivals.len(), changes);
    arrivals[changes - 1].since(arrivals[0]).as_secs_f64()
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_of_an_account_keep_to_its_calls_a_second_together_and_one_alone_has_all_of_them() {
    const CHANGES: usize = 24;
    // The first call of all may arrive late.
    const LATE: f64 = 0.5;
    let harness = Harness::with(Store::postgres().await, only_changes).await;
    let (_other, there) = harness.replica_with(only_changes).await;
    let usual = (CHANGES - 1) as f64 / f64::from(CALLS_A_SECOND);
    let together = seconds_of(&harness, &[&harness.consumer, &there], 0, CHANGES).await;
    assert!(together >= usual - LATE, "{CHANGES} changes in {together} s");
    let alone = seconds_of(&harness, &[&harness.consumer], CHANGES, CHANGES).await;
    assert!(alone >= usual - LATE, "{CHANGES} changes in {alone} s");
    assert!(alone < usual * 1.6, "a lone replica has all calls: {CHANGES} changes in {alone} s");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rate_that_the_cloud_refused_for_one_replica_is_slower_for_the_other() {
    let harness = Harness::with(Store::postgres().await, only_changes).await;
    let (_other, there) = harness.replica_with(only_changes).await;
    let refused = harness.patch("vpnx-rate-limited-twice", &ranges()).await;
    assert_eq!(refused.status, 202, "{}", refused.body);
    // Learns of it with its first call.
    assert_eq!(there.patch(&path("vpnx-branch01"), &ranges(), &[]).await.status, 202);
    let metrics = there.get("/metrics", &[]).await.body;
    let rate = metrics
        .lines()
        .find_map(|line| line.strip_prefix("tunnelgate_cloud_budget_calls_per_second{account=\"default\"} "));
    assert_eq!(rate, Some("4"), "half of {CALLS_A_SECOND}");
}

// The other tests are about the ledger, its clock and the call budget, which do not depend on the API.
with_each_api!(
    one_change_at_a_time_on_one_tunnel_across_replicas,
    a_wait_on_one_replica_sees_what_another_finished,
    what_one_replica_leaves_behind_another_finishes,
    credentials_that_rotate_during_a_change_do_not_make_it_look_diverged,
    fifty_copies_on_two_replicas_are_one_operation_and_one_call,
    a_stream_on_one_replica_tells_the_steps_of_another,
);
