//! Background loops panic in the real binary: `/metrics` shows each crash, the loops restart, and operations still end.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::deployment::{Deployment, blocking, path};
use crate::support::Store;
use crate::support::consumer::{Consumer, PATIENCE};

/// The failpoints of the loops, each with its loop.
pub const POINTS: &[(&str, &str)] =
    &[("tracker.loop", "tracker"), ("watchers.loop", "watchers"), ("forget.loop", "forget")];

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
        if POINTS.iter().all(|(_, name)| is_restarted(name)) {
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
        POINTS.iter().map(|(point, _)| format!("{point}=panic(a crash)@{}", passes(point))).collect();
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
    assert_eq!(log.matches("a background loop crashed").count(), POINTS.len(), "{log}");
    assert!(blocking(|| gateway.terminate()).success());
    deployment.assert_whole();
}

on_each_ledger!(a_crashed_loop_shows_in_the_metrics_and_operations_still_end);
