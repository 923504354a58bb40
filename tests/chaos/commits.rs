//! The network between a gateway and PostgreSQL breaks around a commit.

use std::time::Duration;

use crate::cluster::{Cluster, Gateway, by_way_of, ranges, server_address, tunnel, until};
use crate::proxy::{AtCommit, Proxy};

const WHOLE: &[&str] = &["requested", "submitted", "succeeded"];

async fn behind_a_proxy(cluster: &Cluster, name: &str) -> (Proxy, Gateway) {
    let proxy = Proxy::to_postgres(server_address(&cluster.url)).await;
    let gateway = cluster.gateway(name, &[("DATABASE_URL", by_way_of(&cluster.url, proxy.address))]);
    (proxy, gateway)
}

/// The three commits of an operation: the intent, the cloud's response, the end. Each loses its connection once before
/// the server receives it, and once after the server has responded.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_is_lost_is_looked_up_and_not_guessed() {
    let cluster = Cluster::on_postgres().await;
    let (proxy, gateway) = behind_a_proxy(&cluster, "gateway").await;
    let mut accepted = Vec::new();
    for (number, (place, cut)) in
        (0..3).flat_map(|place| [(place, AtCommit::CutBefore), (place, AtCommit::CutAfter)]).enumerate()
    {
        proxy.at_commits(std::iter::repeat_n(AtCommit::Pass, place).chain([cut]));
        let id = gateway.accepted(&tunnel(number), &ranges(number)).await;
        let ended = gateway.consumer.ended(&id).await;
        assert_eq!(ended["status"], "succeeded", "{cut:?} at commit {place}: {ended}");
        assert_eq!(proxy.commits_left(), 0, "{cut:?} at commit {place} took place");
        assert_eq!(gateway.events(&id).await, WHOLE, "{cut:?} at commit {place}");
        accepted.push(id);
    }
    let log = gateway.process.stderr();
    assert!(log.contains("the result of a commit was lost; checking the ledger"), "{log}");
    cluster.all_is_well(&gateway.consumer, &accepted).await;
}

/// Many changes in parallel, so that whole batches are lost.
#[tokio::test(flavor = "multi_thread")]
async fn batches_whose_commits_are_cut_off_under_load_are_whole_or_not_there() {
    let cluster = Cluster::on_postgres().await;
    let (proxy, gateway) = behind_a_proxy(&cluster, "gateway").await;
    let cuts = [AtCommit::CutAfter, AtCommit::Pass, AtCommit::CutBefore, AtCommit::Pass];
    proxy.at_commits(cuts.into_iter().cycle().take(24));
    let changes = (0..60).map(|number| {
        let gateway = &gateway;
        async move { gateway.consumer.patch(&tunnel(number), &ranges(number), &[]).await }
    });
    let mut accepted = Vec::new();
    for answer in futures_util::future::join_all(changes).await {
        match answer.status {
            202 => accepted.push(answer.json()["id"].as_str().expect("an id").to_owned()),
            _ => assert_eq!(answer.problem(), (503, "ledger_unavailable".into())),
        }
    }
    proxy.at_commits([]);
    assert!(!accepted.is_empty());
    cluster.all_is_well(&gateway.consumer, &accepted).await;
}

/// A replica loses its network while it holds the lock of the chain head.
#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_is_cut_off_in_the_middle_of_a_batch_blocks_nobody() {
    let cluster = Cluster::on_postgres().await;
    let (proxy, cut_off) = behind_a_proxy(&cluster, "cut-off").await;
    let other = cluster.gateway("other", &[]);
    // Fills the token cache, so that only the batch uses the network.
    assert_eq!(cut_off.consumer.get("/operations", &[]).await.status, 200);
    proxy.at_commits([AtCommit::Freeze]);
    let lost = tokio::spawn({
        let consumer = cut_off.consumer.clone();
        async move { consumer.patch(&tunnel(1), &ranges(1), &[]).await }
    });
    until("the freeze", async || proxy.is_frozen().then_some(())).await;

    let mut accepted = vec![other.accepted(&tunnel(2), &ranges(2)).await];
    assert_eq!(lost.await.expect("an answer").problem(), (503, "ledger_unavailable".into()));
    assert_eq!(cluster.received_for(&tunnel(1)).len(), 0, "nothing was sent");
    assert_eq!(cut_off.ready().await, 503);

    proxy.thaw();
    until("readiness", async || (cut_off.ready().await == 200).then_some(())).await;
    accepted.push(cut_off.accepts_again(10..1000).await);
    cluster.all_is_well(&other.consumer, &accepted).await;
}

/// A network that drops all packets must not exhaust the pools for the minutes of a TCP timeout.
#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_swallows_everything_is_survived() {
    let cluster = Cluster::on_postgres().await;
    let (proxy, gateway) = behind_a_proxy(&cluster, "gateway").await;
    let mut accepted = vec![gateway.accepted(&tunnel(1), &ranges(1)).await];
    for round in 0..2 {
        proxy.freeze();
        let before = cluster.received();
        let swallowed = (0..20).map(|number| {
            let (gateway, number) = (&gateway, 100 + round * 100 + number);
            async move { gateway.consumer.patch(&tunnel(number), &ranges(number), &[]).await }
        });
        let reads = (0..20).map(|_| gateway.consumer.get("/operations", &[]));
        let (changes, reads) =
            tokio::join!(futures_util::future::join_all(swallowed), futures_util::future::join_all(reads));
        for answer in changes.iter().chain(&reads) {
            assert_eq!(answer.problem(), (503, "ledger_unavailable".into()));
        }
        assert_eq!(cluster.received(), before, "nothing was sent");
        proxy.thaw();
        let from = 1000 + round * 1000;
        accepted.push(gateway.accepts_again(from..from + 1000).await);
        until("a read", async || {
            (gateway.consumer.get("/operations", &[]).await.status == 200).then_some(())
        })
        .await;
    }
    cluster.all_is_well(&gateway.consumer, &accepted).await;
}

/// A slow network breaks nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_network_only_takes_longer() {
    let cluster = Cluster::on_postgres().await;
    let (proxy, gateway) = behind_a_proxy(&cluster, "gateway").await;
    proxy.slow_down(Duration::from_millis(60));
    let id = gateway.accepted(&tunnel(1), &ranges(1)).await;
    assert_eq!(gateway.consumer.ended(&id).await["status"], "succeeded");
    cluster.all_is_well(&gateway.consumer, &[id]).await;
}
