//! Replicas that are stopped in the middle of their work, and resumed after another replica has taken over.

use serde_json::json;

use crate::cluster::{Cluster, Gateway, by_way_of, cloud_url, path, ranges, server_address, tunnel, until};
use crate::proxy::{AtCommit, Proxy};

const SETTLED: &[&str] = &["requested", "outcome_unknown", "succeeded"];

/// A gateway behind a proxy that can delay its calls to the cloud.
async fn behind_a_proxy(cluster: &Cluster) -> (Proxy, Gateway) {
    let proxy = Proxy::to(cluster.simulator.address).await;
    let url = ("TUNNELGATE_UPSTREAM_URL", cloud_url(proxy.address));
    // The gateway must not time out before it is stopped, and the first response that the proxy delays must be that
    // of the change.
    let timeout = ("TUNNELGATE_UPSTREAM_TIMEOUT", "4s".into());
    let gateway =
        cluster.gateway("sleeper", &[url, timeout, ("TUNNELGATE_READ_BEFORE", "when-needed".into())]);
    (proxy, gateway)
}

/// Starts a change without waiting for its response.
fn sent(
    gateway: &Gateway,
    path: String,
    patch: serde_json::Value,
) -> tokio::task::JoinHandle<(u16, serde_json::Value)> {
    let consumer = gateway.consumer.clone();
    tokio::spawn(async move {
        let answer = consumer.patch(&path, &patch, &[]).await;
        (answer.status, answer.json())
    })
}

/// The only operation.
async fn only_operation(gateway: &Gateway) -> String {
    let list = gateway.consumer.get("/operations", &[]).await.json();
    assert_eq!(list["items"].as_array().expect("items").len(), 1, "{list}");
    list["items"][0]["id"].as_str().expect("an id").to_owned()
}

/// Stopped while it polls a task: the other replica finishes the operation, and the stale result changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_tracker_that_was_stopped_past_its_lease_changes_nothing_when_it_wakes() {
    let cluster = Cluster::on_postgres().await;
    let (proxy, sleeper) = behind_a_proxy(&cluster).await;
    let id = sleeper.accepted(&tunnel(1), &ranges(1)).await;
    proxy.hold_answers();
    let polls = cluster.simulator.polls().len();
    until("a poll", async || (cluster.simulator.polls().len() > polls).then_some(())).await;
    sleeper.process.signal("-STOP");
    // The task's result is ready when the replica resumes.
    proxy.release_answers();
    let other = cluster.gateway("other", &[]);
    let ended = other.consumer.ended(&id).await;
    assert_eq!(ended["status"], "succeeded", "{ended}");
    let events = other.events(&id).await;

    sleeper.process.signal("-CONT");
    assert_eq!(sleeper.ready().await, 200);
    // The resumed replica follows operations again.
    let next = sleeper.accepted(&tunnel(2), &ranges(2)).await;
    drop(other.process);
    assert_eq!(sleeper.consumer.ended(&next).await["status"], "succeeded");
    assert_eq!(sleeper.consumer.get(&format!("/operations/{id}"), &[]).await.json(), ended);
    assert_eq!(sleeper.events(&id).await, events);
    cluster.all_is_well(&sleeper.consumer, &[id, next]).await;
}

/// Stopped between the intent and the call: another replica holds the lease by then, so the resumed one sends nothing.
#[tokio::test(flavor = "multi_thread")]
async fn an_opener_that_was_stopped_past_its_lease_sends_nothing_when_it_wakes() {
    let cluster = Cluster::on_postgres().await;
    let proxy = Proxy::to_postgres(server_address(&cluster.url)).await;
    let sleeper = cluster.gateway("sleeper", &[("DATABASE_URL", by_way_of(&cluster.url, proxy.address))]);
    let other = cluster.gateway("other", &[]);
    let mut sent_before = Vec::new();
    let (id, answer, path, ended) = loop {
        let number = sent_before.len() + 1;
        assert!(number < 5, "the gateway is never stopped between the intent and the call");
        // The intent is committed, and the gateway does not know yet.
        proxy.at_commits([AtCommit::HoldAfter]);
        let answer = sent(&sleeper, tunnel(number), ranges(number));
        let id = until("the intent", async || {
            let tunnel_id = tunnel(number).rsplit('/').next().expect("an id").to_owned();
            let list = other.consumer.get(&format!("/operations?tunnel_id={tunnel_id}"), &[]).await.json();
            list["items"][0]["id"].as_str().map(str::to_owned)
        })
        .await;
        sleeper.process.signal("-STOP");
        proxy.release_answers();
        let ended = other.consumer.ended(&id).await;
        if cluster.received_for(&tunnel(number)).is_empty() {
            break (id, answer, tunnel(number), ended);
        }
        // On a busy machine the stop came after the call.
        sleeper.process.signal("-CONT");
        let _ = answer.await;
        sent_before.push(id);
    };
    assert_eq!(
        (&ended["status"], &ended["error"]["code"]),
        (&json!("failed"), &json!("not_applied")),
        "{ended}"
    );

    sleeper.process.signal("-CONT");
    let (status, body) = answer.await.expect("an answer");
    assert_eq!((status, &body["status"]), (200, &json!("failed")), "the caller receives the result: {body}");
    assert!(cluster.received_for(&path).is_empty(), "nothing was sent");
    assert_eq!(other.events(&id).await, ["requested", "outcome_unknown", "failed"]);
    cluster.all_is_well(&other.consumer, &sent_before).await;
}

/// Stopped during the call: the cloud carries out the change, and the other replica finds out.
#[tokio::test(flavor = "multi_thread")]
async fn an_opener_that_was_stopped_in_the_middle_of_its_call_is_taken_over() {
    let cluster = Cluster::on_postgres().await;
    let (proxy, sleeper) = behind_a_proxy(&cluster).await;
    let other = cluster.gateway("other", &[]);
    proxy.hold_answers();
    let answer = sent(&sleeper, tunnel(1), ranges(1));
    until("the call", async || (cluster.received() == 1).then_some(())).await;
    sleeper.process.signal("-STOP");
    proxy.release_answers();
    let id = only_operation(&other).await;
    let ended = other.consumer.ended(&id).await;
    assert_eq!(ended["status"], "succeeded", "{ended}");

    sleeper.process.signal("-CONT");
    let (status, body) = answer.await.expect("an answer");
    assert_eq!((status, &body), (200, &ended), "the caller receives the result");
    assert_eq!(other.events(&id).await, SETTLED);
    cluster.all_is_well(&sleeper.consumer, &[id]).await;
}

/// Killed: the other replica takes over.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_replica_held_is_taken_over() {
    let cluster = Cluster::on_postgres().await;
    let (proxy, mut killed) = behind_a_proxy(&cluster).await;
    let other = cluster.gateway("other", &[]);
    proxy.hold_answers();
    let answer = sent(&killed, tunnel(1), ranges(1));
    until("the call", async || (cluster.received() == 1).then_some(())).await;
    killed.process.kill();
    assert!(answer.await.is_err(), "the process is dead");
    let id = only_operation(&other).await;
    let busy = other.consumer.patch(&tunnel(1), &ranges(2), &[]).await;
    assert_eq!(busy.problem(), (409, "operation_in_progress".into()));
    assert_eq!(busy.json()["operation_id"], id.as_str());
    let seen = other.consumer.get(&format!("/operations/{id}"), &[("prefer", "wait=60")]).await.json();
    assert_eq!(seen["status"], "succeeded", "{seen}");
    assert_eq!(other.events(&id).await, SETTLED);
    assert_eq!(cluster.received_for(&path("vpnx-load-1")).len(), 1);
    cluster.all_is_well(&other.consumer, &[id]).await;
}
