//! Drift: what was changed behind the gateway's back is told once, shown, and told to be gone.

mod unread;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tunnelgate::config::Settings;
use tunnelgate::domain::api::Api;
use tunnelgate::domain::principal::Scope;
use tunnelgate::service::ledger::SweptSince;
use tunnelgate::simulator::ByHand;

use crate::each_api::OnApi;
use crate::harness::{Harness, path};
use crate::operations::rollback::{changed, log_is_whole, shown};
use crate::support::consumer::{Consumer, PATIENCE};
use crate::support::{OnLedger, Store};

const TUNNEL: &str = "vpnx-branch01";
const LIST: &str = "/vpcs/vpc-03vihbk9/gateways/vpngw-kfldykuz/tunnels";

fn watched(settings: &mut Settings) {
    settings.drift = Some(Duration::from_millis(200));
}

/// A gateway that watches for drift.
pub struct Watching(pub Harness);

impl OnApi for Watching {
    async fn on(store: Store, api: Api) -> Self {
        Self(Harness::on_api(store, api, watched).await)
    }
}

impl OnLedger for Watching {
    async fn on(store: Store) -> Self {
        Self(Harness::with(store, watched).await)
    }
}

/// The same, and no operation is ever given up.
struct Patient(Harness);

impl OnApi for Patient {
    async fn on(store: Store, api: Api) -> Self {
        let patient = |settings: &mut Settings| {
            watched(settings);
            settings.rules.task_timeout = Duration::from_secs(600);
            settings.rules.settle_window = Duration::from_secs(600);
        };
        Self(Harness::on_api(store, api, patient).await)
    }
}

async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < end, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn metric(consumer: &Consumer, name: &str) -> Option<f64> {
    let text = consumer.get("/metrics", &[]).await.body;
    let lines = text.lines().filter(|line| line.starts_with(name));
    let values: Vec<f64> = lines.filter_map(|line| line.rsplit(' ').next()?.parse().ok()).collect();
    (!values.is_empty()).then(|| values.iter().sum())
}

async fn sweeps(consumer: &Consumer) -> f64 {
    metric(consumer, "tunnelgate_drift_sweeps_total").await.unwrap_or_default()
}

/// Waits for a sweep that began after this call.
async fn swept(consumer: &Consumer) {
    let before = sweeps(consumer).await;
    until("no sweep ends", async || (sweeps(consumer).await >= before + 2.0).then_some(())).await;
}

async fn drift_of(harness: &Harness, tunnel: &str) -> Vec<Value> {
    shown(harness, tunnel).await["drift"].as_array().expect("a list").clone()
}

/// Waits until a tunnel has drift in these fields.
async fn drifted(harness: &Harness, tunnel: &str, pointers: &[&str]) -> Vec<Value> {
    until("no drift is shown", async || {
        let drift = drift_of(harness, tunnel).await;
        let found: Vec<&str> = drift.iter().filter_map(|field| field["pointer"].as_str()).collect();
        (found == pointers).then_some(drift)
    })
    .await
}

/// The events about drift, oldest first.
async fn told(harness: &Harness) -> Vec<Value> {
    let mut log = harness.log().await;
    log.retain(|event| event["event"].as_str().is_some_and(|kind| kind.starts_with("drift_")));
    log.reverse();
    log
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().filter_map(|event| event["event"].as_str()).collect()
}

fn named(name: &str) -> Value {
    json!({"name": name, "peer_cidrs": ["10.100.2.0/24"]})
}

fn rename(harness: &Harness, tunnel: &str, name: &str) {
    let hand = ByHand { name: Some(name.into()), ..ByHand::default() };
    assert!(harness.simulator.change_by_hand(tunnel, hand));
}

async fn what_was_changed_by_hand_is_told_once_and_so_is_its_end(Watching(harness): Watching) {
    let operation = changed(&harness, TUNNEL, &named("ours")).await;
    assert_eq!(operation["status"], "succeeded", "{operation}");
    swept(&harness.consumer).await;
    assert!(told(&harness).await.is_empty(), "as it was set");

    rename(&harness, TUNNEL, "theirs");
    let drift = drifted(&harness, TUNNEL, &["/name"]).await;
    let expected = json!({"pointer": "/name", "set": "ours", "observed": "theirs", "since": drift[0]["since"],
                          "operation_id": operation["id"]});
    assert_eq!(drift, std::slice::from_ref(&expected));
    let list = harness.consumer.get("/drift", &[]).await.json();
    let item = &list["items"][0];
    assert_eq!((&item["pointer"], &item["observed"]), (&json!("/name"), &json!("theirs")), "{list}");
    assert_eq!(item["tunnel"], operation["tunnel"]);
    assert_eq!((list["items"].as_array().map(Vec::len), &list["next_cursor"]), (Some(1), &Value::Null));
    let only = harness.consumer.get(&format!("{LIST}?drift=true"), &[]).await.json();
    assert_eq!(only["items"].as_array().map(Vec::len), Some(1), "{only}");
    assert_eq!(only["items"][0]["drift"], json!([expected]));
    let all = harness.consumer.get(&format!("{LIST}?limit=200"), &[]).await.json();
    assert!(all["items"].as_array().is_some_and(|items| items.len() > 1));
    assert_eq!(metric(&harness.consumer, "tunnelgate_drift_tunnels{account=\"default\"}").await, Some(1.0));

    swept(&harness.consumer).await;
    swept(&harness.consumer).await;
    let events = told(&harness).await;
    assert_eq!(kinds(&events), ["drift_detected"], "told once");
    let event = &events[0];
    assert_eq!((&event["actor"], &event["actor_kind"]), (&json!("tunnelgate"), &json!("system")));
    assert_eq!(event["operation_id"], operation["id"]);
    assert_eq!((&event["before"], &event["changes"]), (&json!({"name": "ours"}), &json!({"name": "theirs"})));
    assert_eq!(event["tunnel_id"], TUNNEL);

    rename(&harness, TUNNEL, "another");
    until("the other difference is not told", async || (told(&harness).await.len() == 2).then_some(())).await;
    rename(&harness, TUNNEL, "ours");
    drifted(&harness, TUNNEL, &[]).await;
    let events = told(&harness).await;
    assert_eq!(kinds(&events), ["drift_detected", "drift_detected", "drift_resolved"]);
    assert_eq!(
        (&events[2]["before"], &events[2]["changes"]),
        (&json!({"name": "another"}), &json!({"name": "ours"}))
    );
    let steps = harness.events(operation["id"].as_str().expect("an id")).await;
    assert_eq!(steps.last().map(String::as_str), Some("drift_resolved"), "{steps:?}");
    log_is_whole(&harness).await;
}

async fn a_key_is_told_by_its_fingerprint(Watching(harness): Watching) {
    let patch = json!({"pre_shared_key": "ours-0123456789", "peer_cidrs": ["10.100.2.0/24"]});
    let operation = changed(&harness, TUNNEL, &patch).await;
    let hand = ByHand { pre_shared_key: Some("canary-0123456789".into()), ..ByHand::default() };
    harness.simulator.change_by_hand(TUNNEL, hand);
    let drift = drifted(&harness, TUNNEL, &["/pre_shared_key"]).await;
    assert_eq!(drift[0]["set"], operation["changes"]["pre_shared_key"]);
    assert!(drift[0]["observed"]["hmac_sha256"].is_string());
    let shown = harness.consumer.get("/drift", &[]).await.body;
    let log = harness.consumer.get("/audit-events", &[]).await.body;
    for text in [shown, log] {
        assert!(!text.contains("canary") && !text.contains("ours-0123456789"), "{text}");
    }
}

async fn a_later_change_that_succeeds_ends_the_drift(Watching(harness): Watching) {
    let first = changed(&harness, TUNNEL, &named("ours")).await;
    rename(&harness, TUNNEL, "theirs");
    drifted(&harness, TUNNEL, &["/name"]).await;
    let second = changed(&harness, TUNNEL, &named("new")).await;
    assert_eq!(second["status"], "succeeded", "{second}");
    drifted(&harness, TUNNEL, &[]).await;
    let events = told(&harness).await;
    assert_eq!(kinds(&events), ["drift_detected", "drift_resolved"]);
    assert_eq!(events[1]["operation_id"], first["id"]);
    assert_eq!(events[1]["changes"], json!({"name": "new"}));
    rename(&harness, TUNNEL, "theirs");
    let drift = drifted(&harness, TUNNEL, &["/name"]).await;
    assert_eq!(drift[0]["operation_id"], second["id"]);
    log_is_whole(&harness).await;
}

/// With API 3.0 the cloud does not show that a tunnel is being changed.
async fn nothing_is_told_while_an_operation_is_under_way(Patient(harness): Patient) {
    const SLOW: &str = "vpnx-task-never-ends";
    let answer = harness.patch(SLOW, &named("ours")).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    end_task(&harness, SLOW);
    harness.consumer.ended(answer.json()["id"].as_str().expect("an id")).await;
    swept(&harness.consumer).await;
    let answer = harness.patch(SLOW, &named("new")).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    rename(&harness, SLOW, "theirs");
    swept(&harness.consumer).await;
    assert!(told(&harness).await.is_empty(), "under way");
    end_task(&harness, SLOW);
    let operation = harness.consumer.ended(answer.json()["id"].as_str().expect("an id")).await;
    assert_eq!(operation["status"], "succeeded", "{operation}");
    swept(&harness.consumer).await;
    assert!(told(&harness).await.is_empty());
}

fn end_task(harness: &Harness, tunnel: &str) {
    let hand = ByHand { ends_task: true, ..ByHand::default() };
    assert!(harness.simulator.change_by_hand(tunnel, hand));
}

async fn a_field_of_a_later_change_that_did_not_succeed_is_not_watched(Watching(harness): Watching) {
    // Its ranges never change.
    const DIVERGED: &str = "vpnx-diverged";
    let ranges = shown(&harness, DIVERGED).await["peer_cidrs"].clone();
    let first = json!({"name": "ours", "peer_cidrs": ranges, "ike": {"sa_lifetime_seconds": 3600}});
    let first = changed(&harness, DIVERGED, &first).await;
    assert_eq!(first["status"], "succeeded", "{first}");
    let second = changed(&harness, DIVERGED, &named("new")).await;
    assert_eq!(second["status"], "diverged", "{second}");
    let hand =
        ByHand { name: Some("theirs".into()), ike_sa_lifetime_seconds: Some(7200), ..ByHand::default() };
    harness.simulator.change_by_hand(DIVERGED, hand);
    let drift = drifted(&harness, DIVERGED, &["/ike/sa_lifetime_seconds"]).await;
    assert_eq!((&drift[0]["set"], &drift[0]["operation_id"]), (&json!(3600), &first["id"]));
    swept(&harness.consumer).await;
    assert_eq!(kinds(&told(&harness).await), ["drift_detected"]);
    let third = json!({"name": "again", "peer_cidrs": ranges});
    let third = changed(&harness, DIVERGED, &third).await;
    assert_eq!(third["status"], "succeeded", "{third}");
    rename(&harness, DIVERGED, "theirs");
    let drift = drifted(&harness, DIVERGED, &["/ike/sa_lifetime_seconds", "/name"]).await;
    assert_eq!(drift[1]["operation_id"], third["id"], "watched again");
}

/// Three gateways with one tunnel each: the account as a whole is four pages of API 2.0, and two of API 3.0.
async fn gateways_are_read_one_by_one_or_with_the_whole_account(Watching(harness): Watching) {
    let tunnels = [
        path(TUNNEL),
        "/vpcs/vpc-03vihbk9/gateways/vpngw-branches/tunnels/vpnx-site-001".to_owned(),
        "/vpcs/vpc-prod-1/gateways/vpngw-prod1/tunnels/vpnx-prod1".to_owned(),
    ];
    for tunnel in &tunnels {
        let answer = harness.consumer.patch(tunnel, &named("ours"), &[("prefer", "wait=30")]).await;
        assert_eq!(answer.json()["status"], "succeeded", "{}", answer.body);
    }
    swept(&harness.consumer).await;
    let calls = async || metric(&harness.consumer, "tunnelgate_drift_calls_total").await.unwrap_or_default();
    let (before, calls_before) = (sweeps(&harness.consumer).await, calls().await);
    for tunnel in [TUNNEL, "vpnx-site-001", "vpnx-prod1"] {
        rename(&harness, tunnel, "theirs");
    }
    until("not all drift is told", async || {
        let items = harness.consumer.get("/drift", &[]).await.json()["items"].clone();
        (items.as_array().map(Vec::len) == Some(3)).then_some(())
    })
    .await;
    swept(&harness.consumer).await;
    let swept = sweeps(&harness.consumer).await - before;
    let a_sweep = (calls().await - calls_before) / swept;
    let expected = harness.by_api(4.0, 2.0);
    // The first and the last sweep may be cut off.
    assert!((a_sweep - expected).abs() <= 2.0 * expected / swept, "{a_sweep} calls a sweep, not {expected}");
    assert_eq!(metric(&harness.consumer, "tunnelgate_drift_unseen_tunnels").await, Some(0.0));
    let failed = "tunnelgate_drift_calls_total{account=\"default\",result=\"failed\"}";
    assert_eq!(metric(&harness.consumer, failed).await, None);
}

async fn an_account_that_may_not_be_listed_as_a_whole_is_asked_for_its_list_once(harness: Harness) {
    harness.simulator.limit_lists_to_gateways();
    // One tunnel of each gateway: the account as a whole would take one call.
    let tunnels = [
        path(TUNNEL),
        "/vpcs/vpc-03vihbk9/gateways/vpngw-branches/tunnels/vpnx-site-001".to_owned(),
        "/vpcs/vpc-prod-1/gateways/vpngw-prod1/tunnels/vpnx-prod1".to_owned(),
    ];
    for tunnel in &tunnels {
        let answer = harness.consumer.patch(tunnel, &named("ours"), &[("prefer", "wait=30")]).await;
        assert_eq!(answer.json()["status"], "succeeded", "{}", answer.body);
    }
    let (_replica, consumer) = harness.replica_with(watched).await;
    swept(&consumer).await;
    for tunnel in [TUNNEL, "vpnx-site-001", "vpnx-prod1"] {
        rename(&harness, tunnel, "theirs");
    }
    until("not all drift is told", async || {
        let items = consumer.get("/drift", &[]).await.json()["items"].clone();
        (items.as_array().map(Vec::len) == Some(3)).then_some(())
    })
    .await;
    let refused = harness.by_api(
        "tunnelgate_cloud_calls_total{action=\"DescribeVpnConn\",code=\"4102\"",
        "tunnelgate_cloud_calls_total{action=\"DescribeVpnConnections\",code=\"UnauthorizedOperation\"",
    );
    assert_eq!(metric(&consumer, refused).await, Some(1.0), "each refusal raises an alert");
    assert_eq!(metric(&consumer, "tunnelgate_drift_unseen_tunnels").await, Some(0.0));
    let since = harness.ledger().swept_since().await.expect("read");
    assert!(matches!(since, Some(SweptSince::Swept(_))), "sweeps are whole");
}

async fn a_tunnel_that_can_not_be_seen_is_no_drift(Watching(harness): Watching) {
    changed(&harness, TUNNEL, &named("ours")).await;
    changed(&harness, "vpnx-branch02", &named("ours")).await;
    swept(&harness.consumer).await;
    harness.simulator.change_by_hand(TUNNEL, ByHand { is_deleted: true, ..ByHand::default() });
    swept(&harness.consumer).await;
    assert!(told(&harness).await.is_empty());
    assert_eq!(metric(&harness.consumer, "tunnelgate_drift_watched_tunnels").await, Some(2.0));
    assert_eq!(metric(&harness.consumer, "tunnelgate_drift_unseen_tunnels").await, Some(1.0));
    assert!(metric(&harness.consumer, "tunnelgate_drift_sweep_age_seconds").await.is_some());
}

async fn a_restart_tells_nothing_twice(Watching(harness): Watching) {
    changed(&harness, TUNNEL, &named("ours")).await;
    rename(&harness, TUNNEL, "theirs");
    drifted(&harness, TUNNEL, &["/name"]).await;
    let (_replica, consumer) = harness.replica_with(watched).await;
    harness.stop();
    swept(&consumer).await;
    let shown = consumer.get(&path(TUNNEL), &[]).await.json();
    assert_eq!(shown["drift"][0]["observed"], "theirs", "{shown}");
    let events = consumer.get("/audit-events?event=drift_detected", &[]).await.json();
    assert_eq!(events["items"].as_array().map(Vec::len), Some(1), "{events}");
    rename(&harness, TUNNEL, "ours");
    until("the end is not told", async || {
        let events = consumer.get("/audit-events?event=drift_resolved", &[]).await.json();
        events["items"].as_array().is_some_and(|items| items.len() == 1).then_some(())
    })
    .await;
}

async fn two_replicas_make_one_sweep(Watching(harness): Watching) {
    changed(&harness, TUNNEL, &named("ours")).await;
    let (_replica, other) = harness.replica_with(watched).await;
    swept(&harness.consumer).await;
    swept(&harness.consumer).await;
    assert_eq!(sweeps(&other).await, 0.0);
    assert_eq!(metric(&other, "tunnelgate_drift_calls_total").await, None);
    // Both show what one of them found.
    rename(&harness, TUNNEL, "theirs");
    drifted(&harness, TUNNEL, &["/name"]).await;
    let shown = other.get(&path(TUNNEL), &[]).await.json();
    assert_eq!(shown["drift"][0]["observed"], "theirs", "{shown}");
    assert_eq!(metric(&other, "tunnelgate_drift_tunnels{account=\"default\"}").await, Some(1.0));
}

async fn callers_see_the_drift_of_their_vpcs_only(Watching(harness): Watching) {
    changed(&harness, TUNNEL, &named("ours")).await;
    rename(&harness, TUNNEL, "theirs");
    drifted(&harness, TUNNEL, &["/name"]).await;
    let limited = harness.consumer_with("limited", &[(Scope::TunnelsRead, &["vpc-prod-*"])]).await;
    assert_eq!(limited.get("/drift", &[]).await.json(), json!({"items": [], "next_cursor": null}));
    let auditor = harness.consumer_with("auditor", &[(Scope::AuditRead, &[])]).await;
    assert_eq!(auditor.get("/drift", &[]).await.status, 403);
    for (filter, count) in [("vpc_id=vpc-03vihbk9", 1), ("tunnel_id=vpnx-other", 0), ("account=default", 1)] {
        let found = harness.consumer.get(&format!("/drift?{filter}"), &[]).await.json();
        assert_eq!(found["items"].as_array().map(Vec::len), Some(count), "{filter}");
    }
    assert_eq!(harness.consumer.get("/drift?drift=true", &[]).await.status, 400);
}

async fn drift_changes_the_tag_and_no_change_depends_on_it(Watching(harness): Watching) {
    changed(&harness, TUNNEL, &named("ours")).await;
    rename(&harness, TUNNEL, "theirs");
    let before = harness.consumer.get(&path(TUNNEL), &[]).await;
    drifted(&harness, TUNNEL, &["/name"]).await;
    let tag = |answer: &crate::support::consumer::Answer| answer.header("etag").expect("a tag").to_owned();
    let answer = harness.consumer.get(&path(TUNNEL), &[]).await;
    let current = tag(&answer);
    if before.json()["drift"] == json!([]) {
        assert_ne!(tag(&before), current);
    }
    let settings = format!("{}\"", current.split('.').next().expect("a part"));
    let cached =
        async |tag: &str| harness.consumer.get(&path(TUNNEL), &[("if-none-match", tag)]).await.status;
    assert_eq!((cached(&current).await, cached(&settings).await), (304, 200));
    for tag in [&current, &settings] {
        let dry = format!("{}?dry_run=true", path(TUNNEL));
        let answer = harness.consumer.patch(&dry, &named("x"), &[("if-match", tag)]).await;
        assert_eq!(answer.status, 200, "{tag}: {}", answer.body);
    }
    let answer = harness.consumer.patch(&path(TUNNEL), &named("x"), &[("if-match", "\"00\"")]).await;
    assert_eq!(answer.status, 412);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_setting_nothing_is_watched() {
    let harness = Harness::new(Store::sqlite()).await;
    changed(&harness, TUNNEL, &named("ours")).await;
    rename(&harness, TUNNEL, "theirs");
    assert_eq!(shown(&harness, TUNNEL).await["drift"], json!([]));
    assert_eq!(harness.consumer.get("/drift", &[]).await.json(), json!({"items": [], "next_cursor": null}));
    assert_eq!(metric(&harness.consumer, "tunnelgate_drift_interval_seconds").await, None);
    let loops = "tunnelgate_background_loops_running{loop=\"drift\"}";
    assert_eq!(metric(&harness.consumer, loops).await, Some(1.0));
}

on_each_api!(
    what_was_changed_by_hand_is_told_once_and_so_is_its_end,
    a_key_is_told_by_its_fingerprint,
    a_later_change_that_succeeds_ends_the_drift,
    nothing_is_told_while_an_operation_is_under_way,
    gateways_are_read_one_by_one_or_with_the_whole_account,
    an_account_that_may_not_be_listed_as_a_whole_is_asked_for_its_list_once,
    a_tunnel_that_can_not_be_seen_is_no_drift,
    drift_changes_the_tag_and_no_change_depends_on_it,
);
on_each_ledger!(
    a_field_of_a_later_change_that_did_not_succeed_is_not_watched,
    a_restart_tells_nothing_twice,
    two_replicas_make_one_sweep,
    callers_see_the_drift_of_their_vpcs_only,
);
