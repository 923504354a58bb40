//! Replicas that share the work on one PostgreSQL.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tunnelgate::domain::timestamp::Timestamp;

use crate::cluster::{Cluster, cloud_url, ranges, tunnel};
use crate::proxy::Proxy;

/// The simulated cloud's response time.
const LATENCY: Duration = Duration::from_millis(150);

#[tokio::test(flavor = "multi_thread")]
async fn polls_are_shared_and_no_task_is_polled_by_two_at_once() {
    let cluster = Cluster::on_postgres().await;
    let proxy = Proxy::to(cluster.simulator.address).await;
    proxy.slow_down(LATENCY);
    // The region tells the replicas apart in the cloud's journal.
    let replica = |region: &str| {
        let settings = [
            ("TUNNELGATE_UPSTREAM_URL", cloud_url(proxy.address)),
            ("TENCENTCLOUD_REGION", region.to_owned()),
            ("TUNNELGATE_UPSTREAM_TIMEOUT", "4s".into()),
            ("TUNNELGATE_POLL_INTERVAL", "200ms".into()),
        ];
        cluster.gateway(region, &settings)
    };
    let (one, other) = (replica("one"), replica("other"));
    let changes = (0..40).map(|number| {
        let gateway = if number % 2 == 0 { &one } else { &other };
        async move { gateway.accepted(&tunnel(number), &ranges(number)).await }
    });
    let accepted = futures_util::future::join_all(changes).await;
    cluster.all_is_well(&one.consumer, &accepted).await;

    let polls = cluster.simulator.polls();
    let regions: HashSet<&str> = polls.iter().map(|poll| poll.region.as_str()).collect();
    assert_eq!(regions, HashSet::from(["one", "other"]), "both did some of {}", polls.len());
    let mut before: HashMap<String, Timestamp> = HashMap::new();
    for poll in &polls {
        // A poll is in flight until its response arrives.
        if let Some(before) = before.insert(poll.task_id.clone(), poll.received_at) {
            let apart = poll.received_at.since(before);
            assert!(apart >= LATENCY, "task {} was polled by two at once: {apart:?} apart", poll.task_id);
        }
    }
    assert!(polls.len() >= before.len() && before.len() == accepted.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_changes_of_one_tunnel_on_two_replicas_one_is_taken() {
    let cluster = Cluster::on_postgres().await;
    // The operation must not end before the last client waits.
    let slow =
        ["TUNNELGATE_POLL_INTERVAL", "TUNNELGATE_POLL_MAX_INTERVAL"].map(|name| (name, "15s".to_owned()));
    let (one, other) = (cluster.gateway("one", &slow), cluster.gateway("other", &slow));
    let changes = (0..50).map(|number| {
        let gateway = if number % 2 == 0 { &one } else { &other };
        async move { gateway.consumer.patch(&tunnel(1), &ranges(number), &[]).await }
    });
    let answers = futures_util::future::join_all(changes).await;
    let taken: Vec<String> = answers
        .iter()
        .filter(|answer| answer.status == 202)
        .map(|answer| answer.json()["id"].as_str().expect("an id").to_owned())
        .collect();
    assert_eq!(taken.len(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 202) {
        assert_eq!(answer.problem(), (409, "operation_in_progress".into()));
        assert_eq!(answer.json()["operation_id"], taken[0].as_str());
    }
    assert_eq!(cluster.received_for(&tunnel(1)).len(), 1);
    let seen = other.consumer.get(&format!("/operations/{}", taken[0]), &[("prefer", "wait=60")]).await;
    assert_eq!(seen.json()["status"], "succeeded");
    cluster.all_is_well(&one.consumer, &taken).await;
}
