//! The process dies between a read that shows drift and the end of the transaction that tells it: it is told once.

use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::deployment::{Deployment, blocking, path};
use crate::support::Store;
use crate::support::consumer::{Consumer, PATIENCE, plain_client};

const SIGABRT: i32 = 6;
const TUNNEL: &str = "vpnx-branch01";

/// The failpoints that this file tests.
pub const POINTS: &[&str] = &["sweep.read", "drift.before-commit", "drift.after-commit"];

async fn by_hand(deployment: &Deployment, name: &str) {
    let url = format!("{}/simulator/tunnels/{TUNNEL}", deployment.cloud_address);
    let body = json!({ "name": name }).to_string();
    let request = plain_client().patch(url).header("content-type", "application/json").body(body);
    assert_eq!(request.send().await.expect("an answer").status().as_u16(), 204);
}

async fn told(consumer: &Consumer) -> Vec<Value> {
    let mut found = Vec::new();
    for kind in ["drift_detected", "drift_resolved"] {
        let answer = consumer.get(&format!("/audit-events?event={kind}"), &[]).await.json();
        found.extend(answer["items"].as_array().expect("items").clone());
    }
    found
}

async fn sweeps(consumer: &Consumer) -> u32 {
    let text = consumer.get("/metrics", &[]).await.body;
    let line = text.lines().find_map(|line| line.strip_prefix("tunnelgate_drift_sweeps_total "));
    line.and_then(|number| number.parse().ok()).unwrap_or_default()
}

async fn a_death_between_a_read_and_its_event_tells_it_once(store: Store) {
    let deployment = Deployment::new(store);
    let token = deployment.token("netops-ci");
    let config = deployment.path().join("tunnelgate.toml");
    std::fs::write(&config, "[drift]\ninterval = \"1s\"\n").expect("written");
    let config = ("TUNNELGATE_CONFIG", config.to_str().expect("a path"));

    let (gateway, base) = deployment.serve("first", &[]);
    let consumer = Consumer::new(base, token.clone());
    let patch = json!({"name": "ours", "peer_cidrs": ["10.100.2.0/24"]});
    let answer = consumer.patch(&path(TUNNEL), &patch, &[("prefer", "wait=30")]).await;
    assert_eq!(answer.json()["status"], "succeeded", "{}", answer.body);
    assert!(blocking(|| gateway.terminate()).success());
    by_hand(&deployment, "theirs").await;

    for point in POINTS {
        let armed = format!("{point}=abort");
        let more = [config, ("TUNNELGATE_FAILPOINTS", armed.as_str())];
        let mut gateway = deployment.start(&point.replace('.', "-"), &more);
        let status = blocking(|| gateway.wait());
        assert_eq!(status.signal(), Some(SIGABRT), "dies at {point}: {}", gateway.stderr());
        // The next process need not wait for the end of the lease.
        deployment.store.execute("UPDATE drift_sweep SET lease_until = NULL").await.expect("ended");
    }
    let (gateway, base) = deployment.serve("last", &[config]);
    let consumer = Consumer::new(base, token);
    let until = Instant::now() + PATIENCE;
    // Also after a sweep of its own.
    while told(&consumer).await.is_empty() || sweeps(&consumer).await < 2 {
        assert!(Instant::now() < until, "nothing is told");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let events = told(&consumer).await;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(
        (&events[0]["before"]["name"], &events[0]["changes"]["name"]),
        (&json!("ours"), &json!("theirs"))
    );
    assert!(blocking(|| gateway.terminate()).success());
    deployment.assert_whole();
}

on_each_ledger!(a_death_between_a_read_and_its_event_tells_it_once);
