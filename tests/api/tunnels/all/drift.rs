//! The list of all tunnels with drift.

use serde_json::json;
use tunnelgate::domain::principal::Scope;
use tunnelgate::simulator::ByHand;

use super::{names, page, walk};
use crate::drift::Watching;
use crate::harness::Harness;
use crate::operations::rollback::changed;
use crate::support::consumer::{Consumer, PATIENCE};

const PROD: &str = "/vpcs/vpc-prod-1/gateways/vpngw-prod1/tunnels/vpnx-prod1";

/// Waits until `/drift` has fields of so many tunnels.
async fn until_drift(harness: &Harness, tunnels: usize) {
    let until = std::time::Instant::now() + PATIENCE;
    while page(&harness.consumer, "/drift").await["items"].as_array().map(Vec::len) != Some(tunnels) {
        assert!(std::time::Instant::now() < until, "no drift of {tunnels} tunnels");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

fn rename(harness: &Harness, tunnel: &str) {
    let hand = ByHand { name: Some("theirs".into()), ..ByHand::default() };
    assert!(harness.simulator.change_by_hand(tunnel, hand));
}

async fn tunnels_with_drift_are_read_from_their_gateways(Watching(harness): Watching) {
    let patch = json!({"name": "ours", "peer_cidrs": ["10.100.2.0/24"]});
    let reads = async |consumer: &Consumer, query: &str| {
        names(&page(consumer, &format!("/tunnels?drift=true{query}")).await)
    };
    assert_eq!(reads(&harness.consumer, "").await, [""; 0]);
    changed(&harness, "vpnx-branch01", &patch).await;
    let answer = harness.consumer.patch(PROD, &patch, &[("prefer", "wait=30")]).await;
    assert_eq!(answer.json()["status"], "succeeded", "{}", answer.body);
    for tunnel in ["vpnx-branch01", "vpnx-prod1"] {
        rename(&harness, tunnel);
    }
    until_drift(&harness, 2).await;
    let both = ["default/vpnx-branch01", "default/vpnx-prod1"];
    assert_eq!(reads(&harness.consumer, "").await, both);
    let all = page(&harness.consumer, "/tunnels?drift=true").await;
    assert_eq!(
        (&all["items"][0]["drift"][0]["pointer"], &all["next_cursor"]),
        (&json!("/name"), &json!(null))
    );
    assert_eq!(walk(&harness.consumer, "/tunnels?drift=true&limit=1").await.0, both);
    for (query, expected) in [
        ("&vpc_id=vpc-prod-1", &both[1..]),
        ("&vpc_id=gz_vpc_9001", harness.by_api(&both[1..], &[])),
        ("&vpc_id=vpc-none", &[]),
        ("&gateway_id=vpngw-kfldykuz", &both[..1]),
        ("&gateway_id=601", harness.by_api(&both[1..], &[])),
        ("&gateway_id=vpngw-branches", &[]),
        ("&search=THEIRS", &both),
        ("&search=ours", &[]),
        ("&account=default", &both),
        ("&account=other", &[]),
    ] {
        assert_eq!(reads(&harness.consumer, query).await, expected, "{query}");
    }
    let limited = harness.consumer_with("limited", &[(Scope::TunnelsRead, &["vpc-prod-*"])]).await;
    assert_eq!(reads(&limited, "").await, both[1..]);
    let others = harness.consumer_with("others", &[(Scope::TunnelsRead, &["vpc-none"])]).await;
    assert_eq!(reads(&others, "").await, [""; 0]);
    let (_replica, other) = harness.replica_with(|settings| settings.drift = None).await;
    assert_eq!(reads(&other, "").await, [""; 0], "while drift is not watched");
}

on_each_api!(tunnels_with_drift_are_read_from_their_gateways);
