//! Sweeps with pages that can't be read, and sweeps that another process goes on with.

use std::time::Duration;

use serde_json::json;
use tunnelgate::config::Settings;
use tunnelgate::service::ledger::SweptSince;
use tunnelgate::simulator::ByHand;

use crate::harness::Harness;
use crate::support::consumer::Consumer;

use super::{Watching, metric, named, rename, sweeps, until};

/// A tunnel of a gateway with 120 tunnels: three pages of API 2.0, two of API 3.0.
fn site(tunnel: &str) -> String {
    format!("/vpcs/vpc-03vihbk9/gateways/vpngw-branches/tunnels/{tunnel}")
}

async fn changed(harness: &Harness, tunnels: &[&str]) {
    for tunnel in tunnels {
        let answer = harness.consumer.patch(&site(tunnel), &named("ours"), &[("prefer", "wait=30")]).await;
        assert_eq!(answer.json()["status"], "succeeded", "{}", answer.body);
    }
}

/// So many pages with this tunnel come without their list.
fn unlisted(harness: &Harness, tunnel: &str, pages: u32) {
    let hand = ByHand { unlisted_pages: Some(pages), ..ByHand::default() };
    assert!(harness.simulator.change_by_hand(tunnel, hand));
}

async fn failed(consumer: &Consumer) -> Option<f64> {
    metric(consumer, "tunnelgate_drift_calls_total{account=\"default\",result=\"failed\"}").await
}

async fn unseen(consumer: &Consumer) -> Option<f64> {
    metric(consumer, "tunnelgate_drift_unseen_tunnels").await
}

async fn swept_since(harness: &Harness) -> Option<SweptSince> {
    harness.ledger().swept_since().await.expect("read")
}

async fn is_whole(harness: &Harness) -> bool {
    matches!(swept_since(harness).await, Some(SweptSince::Swept(_)))
}

async fn first_sweep(consumer: &Consumer) {
    until("no sweep ends", async || (sweeps(consumer).await >= 1.0).then_some(())).await;
}

async fn a_page_that_can_not_be_read_is_read_again_in_the_same_sweep(harness: Harness) {
    changed(&harness, &["vpnx-site-001", "vpnx-site-120"]).await;
    unlisted(&harness, harness.by_api("vpnx-site-001", "vpnx-site-120"), 1);
    let interval = |settings: &mut Settings| settings.drift = Some(Duration::from_secs(1));
    let (_replica, consumer) = harness.replica_with(interval).await;
    first_sweep(&consumer).await;
    assert_eq!((failed(&consumer).await, unseen(&consumer).await), (Some(1.0), Some(0.0)));
    assert!(is_whole(&harness).await);
}

async fn only_pages_that_stay_unreadable_are_missing(Watching(harness): Watching) {
    let unread = harness.by_api("vpnx-site-060", "vpnx-site-001");
    let other = harness.by_api("vpnx-site-120", "vpnx-site-100");
    unlisted(&harness, unread, u32::MAX);
    changed(&harness, &[unread, other]).await;
    rename(&harness, unread, "theirs");
    rename(&harness, other, "theirs");
    let told = async || harness.consumer.get("/drift", &[]).await.json()["items"].clone();
    let of = |tunnels: &[&str]| json!(tunnels);
    let tunnels = async || {
        let items = told().await;
        let mut ids: Vec<String> = items
            .as_array()
            .expect("items")
            .iter()
            .map(|item| item["tunnel"]["tunnel_id"].as_str().expect("an id").to_owned())
            .collect();
        ids.sort();
        json!(ids)
    };
    until("the other page is not read", async || (tunnels().await == of(&[other])).then_some(())).await;
    until("the page is not missed", async || (unseen(&harness.consumer).await == Some(1.0)).then_some(()))
        .await;
    let whole = swept_since(&harness).await;
    let (before, calls) = (sweeps(&harness.consumer).await, failed(&harness.consumer).await);
    until("no sweep ends", async || (sweeps(&harness.consumer).await >= before + 4.0).then_some(())).await;
    let calls = failed(&harness.consumer).await.zip(calls).map(|(after, before)| after - before);
    assert!(calls >= Some(6.0), "{calls:?} failed calls: each sweep reads the page three times");
    assert_eq!(swept_since(&harness).await, whole, "no sweep read every page");
    unlisted(&harness, unread, 0);
    let mut both = [unread, other];
    both.sort_unstable();
    until("the page is not read", async || (tunnels().await == of(&both)).then_some(())).await;
    until("no sweep is whole", async || (swept_since(&harness).await > whole).then_some(())).await;
}

async fn a_sweep_that_another_replica_ends_is_whole(harness: Harness) {
    changed(&harness, &["vpnx-site-001", "vpnx-site-120"]).await;
    let interval = |settings: &mut Settings| settings.drift = Some(Duration::from_secs(3));
    let (first, consumer) = harness.replica_with(interval).await;
    let calls = "tunnelgate_drift_calls_total";
    until("nothing is read", async || metric(&consumer, calls).await).await;
    assert_eq!((sweeps(&consumer).await, is_whole(&harness).await), (0.0, false), "under way");
    drop(first);
    let (_second, consumer) = harness.replica_with(interval).await;
    first_sweep(&consumer).await;
    assert_eq!(unseen(&consumer).await, Some(0.0), "the first replica compared one of the tunnels");
    assert!(is_whole(&harness).await);
}

/// The call would take a minute.
async fn a_replica_that_stops_hands_the_sweep_over_in_the_middle_of_a_call(harness: Harness) {
    changed(&harness, &["vpnx-site-001"]).await;
    let hand = ByHand { silent_pages: Some(1), ..ByHand::default() };
    assert!(harness.simulator.change_by_hand("vpnx-site-001", hand));
    let slow = |settings: &mut Settings| {
        super::watched(settings);
        for account in &mut settings.accounts {
            account.timeout = Duration::from_secs(60);
        }
    };
    let (first, _) = harness.replica_with(slow).await;
    until("nothing is read", async || (harness.simulator.silent_pages() == 1).then_some(())).await;
    drop(first);
    let (_second, consumer) = harness.replica_with(super::watched).await;
    first_sweep(&consumer).await;
    assert_eq!(unseen(&consumer).await, Some(0.0));
    assert!(is_whole(&harness).await);
}

/// The alert about late sweeps compares the age with three intervals.
async fn the_age_of_the_last_sweep_grows_also_before_the_first(harness: Harness) {
    changed(&harness, &["vpnx-site-001"]).await;
    unlisted(&harness, "vpnx-site-001", u32::MAX);
    let (_replica, consumer) = harness.replica_with(super::watched).await;
    first_sweep(&consumer).await;
    let is_late = async || {
        let age = metric(&consumer, "tunnelgate_drift_sweep_age_seconds").await?;
        let interval = metric(&consumer, "tunnelgate_drift_interval_seconds").await?;
        (age > 3.0 * interval).then_some(())
    };
    until("the age does not grow", is_late).await;
    assert!(!is_whole(&harness).await);
}

on_each_api!(
    a_page_that_can_not_be_read_is_read_again_in_the_same_sweep,
    only_pages_that_stay_unreadable_are_missing,
    a_sweep_that_another_replica_ends_is_whole,
    the_age_of_the_last_sweep_grows_also_before_the_first,
    a_replica_that_stops_hands_the_sweep_over_in_the_middle_of_a_call,
);
