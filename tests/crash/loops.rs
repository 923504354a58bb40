//! Background loops panic in the real binary: `/metrics` shows each crash, the loops restart, and operations still end.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;

use crate::deployment::{Deployment, blocking, path};
use crate::support::Store;
use crate::support::consumer::{Consumer, PATIENCE};

/// The failpoints of the loops, each with its loop.
const LOOPS: &[(&str, &str)] = &[
    ("tracker.loop", "tracker"),
    ("watchers.loop", "watchers"),
    ("forget.loop", "forget"),
    ("feed.loop", "feed"),
    ("growth.loop", "growth"),
    ("drift.loop", "drift"),
];
/// The failpoints of the tasks in the ledger and in the call budget.
const TASKS: &[&str] = &["listen.connected", "pace.loop"];

/// All failpoints that this file tests.
pub fn points() -> impl Iterator<Item = &'static str> {
    LOOPS.iter().map(|(point, _)| *point).chain(TASKS.iter().copied())
}

async fn metrics(consumer: &Consumer) -> String {
    consumer.get("/metrics", &[]).await.body
}

fn sample(metric: &str, name: &str, value: u32) -> String {
    format!("tunnelgate_background_{metric}{{loop=\"{name}\"}} {value}\n")
}

/// Waits until every loop has crashed once and runs again.
async fn restarted(consumer: &Consumer) {
    let until = Instant::now() + PATIENCE;
    loop {
        let text = metrics(consumer).await;
        let is_restarted = |name: &str| {
            text.contains(&sample("loop_crashes_total", name, 1))
                && text.contains(&sample("loops_running", name, 1))
        };
        if LOOPS.iter().all(|(_, name)| is_restarted(name)) {
            return;
        }
        assert!(Instant::now() < until, "{text}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn a_crashed_loop_shows_in_the_metrics_and_operations_still_end(store: Store) {
    let deployment = Deployment::new(store);
    let token = deployment.token("netops-ci");
    // The tracker crashes after it has claimed operations, with polls in progress.
    let passes = |point: &str| if point == "tracker.loop" { 4 } else { 1 };
    let armed: Vec<String> =
        LOOPS.iter().map(|(point, _)| format!("{point}=panic(a crash)@{}", passes(point))).collect();
    let (gateway, base) = deployment.serve("gateway", &[("TUNNELGATE_FAILPOINTS", &armed.join(";"))]);
    let consumer = Consumer::new(base, token);
    let patch = json!({"peer_cidrs": ["10.100.2.0/24"], "pre_shared_key": "tencenttest"});
    for tunnel in ["vpnx-branch01", "vpnx-branch02", "vpnx-load-1"] {
        let answer = consumer.patch(&path(tunnel), &patch, &[]).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        let id = answer.json()["id"].as_str().expect("an id").to_owned();
        assert_eq!(consumer.ended(&id).await["status"], "succeeded");
    }
    restarted(&consumer).await;
    let waited = consumer.patch(&path("vpnx-load-2"), &patch, &[("prefer", "wait=30")]).await;
    assert_eq!((waited.status, &waited.json()["status"]), (200, &json!("succeeded")), "{}", waited.body);
    deployment.at_peace().await;
    let log = gateway.stderr();
    assert_eq!(log.matches("a background loop crashed").count(), LOOPS.len(), "{log}");
    assert!(blocking(|| gateway.terminate()).success());
    deployment.assert_whole();
}

async fn a_crashed_task_of_the_ledger_or_of_the_call_budget_starts_again(store: Store) {
    let is_postgres = store.url().starts_with("postgres");
    let deployment = Deployment::new(store);
    let token = deployment.token("netops-ci");
    let armed: Vec<String> = TASKS.iter().map(|point| format!("{point}=panic(a crash)")).collect();
    let more = [("TUNNELGATE_FAILPOINTS", armed.join(";")), ("TUNNELGATE_UPSTREAM_RPS", "4".to_owned())];
    let more = more.each_ref().map(|(name, value)| (*name, value.as_str()));
    let (gateway, base) = deployment.serve("gateway", &more);
    let consumer = Consumer::new(base, token);
    let patch = json!({"peer_cidrs": ["10.100.2.0/24"], "pre_shared_key": "tencenttest"});
    // More calls than the budget has slots: the task that paces them starts, and crashes the first time.
    let paths = ["vpnx-branch01", "vpnx-branch02", "vpnx-load-1", "vpnx-load-2", "vpnx-load-3"].map(path);
    let until = Instant::now() + PATIENCE;
    let ended = paths.iter().map(async |path| {
        loop {
            let answer = consumer.patch(path, &patch, &[]).await;
            if answer.status == 202 {
                let id = answer.json()["id"].as_str().expect("an id").to_owned();
                return consumer.ended(&id).await["status"].clone();
            }
            assert_eq!(answer.problem(), (429, "call_budget".into()), "{}", answer.body);
            assert!(Instant::now() < until, "calls are paced again: {}", answer.body);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
    assert_eq!(join_all(ended).await, ["succeeded"; 5]);
    deployment.at_peace().await;
    let log = gateway.stderr();
    let crashes = if is_postgres { TASKS.len() } else { TASKS.len() - 1 };
    assert_eq!(log.matches("panic: this is a bug").count(), crashes, "{log}");
    assert_eq!(log.contains("steps crashed; reconnecting"), is_postgres, "{log}");
    assert!(blocking(|| gateway.terminate()).success());
    deployment.assert_whole();
}

on_each_ledger!(
    a_crashed_loop_shows_in_the_metrics_and_operations_still_end,
    a_crashed_task_of_the_ledger_or_of_the_call_budget_starts_again,
);
