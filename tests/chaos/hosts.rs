//! Several hosts in DATABASE_URL, and an address that leads to another server: the service follows the primary.

use crate::cluster::{Cluster, Server, ranges, server_address, tunnel, until};
use crate::failover::in_sync;
use crate::load::Load;
use crate::proxy::Proxy;

/// DATABASE_URL with both servers.
fn both(one: &Server, other: &Server) -> String {
    let hosts = format!("{},{}", server_address(&one.url), server_address(&other.url));
    format!(
        "{}?target_session_attrs=read-write",
        one.url.replace(&server_address(&one.url).to_string(), &hosts)
    )
}

/// The primary crashes, its synchronous standby is promoted at its own address, and the old primary comes back as a
/// standby; then the same the other way round.
#[tokio::test(flavor = "multi_thread")]
async fn a_service_with_both_hosts_follows_the_primary_there_and_back() {
    let one = Server::start();
    let other = one.standby();
    one.commit_synchronously().await;
    let cluster = Cluster::on_url(&both(&one, &other)).await;
    let gateways = [cluster.gateway("first", &[]), cluster.gateway("second", &[])];
    let load = [Load::of(&gateways[0].consumer, 2), Load::starting_at(&gateways[1].consumer, 2, 40_000)];
    for (primary, standby) in [(&one, &other), (&other, &one)] {
        for load in &load {
            load.more(10, 0).await;
        }
        primary.crash();
        standby.promote().await;
        for load in &load {
            load.more(10, 0).await;
        }
        primary.rejoin(standby);
        standby.commit_synchronously().await;
    }
    for gateway in &gateways {
        until("readiness", async || (gateway.ready().await == 200).then_some(())).await;
    }
    let mut accepted = Vec::new();
    for load in load {
        accepted.extend(load.stop().await);
    }
    cluster.all_is_well(&gateways[0].consumer, &accepted).await;
    let log = gateways[0].process.stderr();
    assert_eq!(log.matches("the ledger's primary is on another host now").count(), 2, "{log}");
    assert!(!log.contains("went back"), "{log}");
}

/// The machine of the primary is lost: it answers nothing, and closes no connection.
#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_answers_nothing_is_left() {
    let primary = Server::start();
    let standby = primary.standby();
    let mut cluster = Cluster::on_url(&primary.url).await;
    let proxy = Proxy::to(server_address(&primary.url)).await;
    let hosts = format!("{},{}", proxy.address, server_address(&standby.url));
    let url = primary.url.replace(&server_address(&primary.url).to_string(), &hosts);
    let gateway = cluster.gateway("gateway", &[("DATABASE_URL", url)]);
    let mut accepted = vec![gateway.accepted(&tunnel(1), &ranges(1)).await];
    gateway.consumer.ended(&accepted[0]).await;
    in_sync(&primary, &standby).await;
    proxy.freeze();
    standby.promote().await;
    accepted.push(gateway.accepts_again(2..1000).await);
    until("readiness", async || (gateway.ready().await == 200).then_some(())).await;
    cluster.url.clone_from(&standby.url);
    cluster.all_is_well(&gateway.consumer, &accepted).await;
}

/// Without `target_session_attrs`. A standby may have old rows, in which a revoked key works.
#[tokio::test(flavor = "multi_thread")]
async fn a_primary_that_answers_late_is_not_left_for_a_standby() {
    let primary = Server::start();
    let standby = primary.standby();
    let cluster = Cluster::on_url(&primary.url).await;
    let proxy = Proxy::to(server_address(&primary.url)).await;
    let hosts = format!("{},{}", server_address(&standby.url), proxy.address);
    let url = primary.url.replace(&server_address(&primary.url).to_string(), &hosts);
    let gateway = cluster.gateway("gateway", &[("DATABASE_URL", url.clone())]);
    let mut accepted = vec![gateway.accepted(&tunnel(1), &ranges(1)).await];
    proxy.freeze();
    let patient = [
        ("DATABASE_URL", url),
        ("TUNNELGATE_NO_MIGRATE", "true".into()),
        ("TUNNELGATE_DATABASE_TIMEOUT", "20s".into()),
    ];
    let mut late = cluster.serve("late", &patient);
    until("a search", async || {
        gateway.process.stderr().contains("no host in DATABASE_URL accepts writes").then_some(())
    })
    .await;
    proxy.thaw();
    accepted.push(gateway.accepts_again(2..1000).await);
    late.address();
    cluster.all_is_well(&gateway.consumer, &accepted).await;
    for log in [gateway.process.stderr(), late.stderr()] {
        assert!(!log.contains("is on another host now"), "{log}");
    }
}

/// A server that is a standby now keeps its connections open.
#[tokio::test(flavor = "multi_thread")]
async fn connections_to_a_server_that_accepts_no_writes_are_not_kept() {
    let primary = Server::start();
    let standby = primary.standby();
    let proxy = Proxy::to(server_address(&standby.url)).await;
    let cluster = Cluster::on_url(&primary.url).await;
    let through = primary.url.replace(&server_address(&primary.url).to_string(), &proxy.address.to_string());
    let gateway =
        cluster.gateway("gateway", &[("DATABASE_URL", through), ("TUNNELGATE_NO_MIGRATE", "true".into())]);
    assert_eq!(gateway.ready().await, 503);
    assert_eq!(gateway.consumer.get("/operations", &[]).await.status, 200, "reads work");
    let refused = gateway.consumer.patch(&tunnel(1), &ranges(1), &[]).await;
    assert_eq!(refused.problem(), (503, "ledger_unavailable".into()));
    assert_eq!(cluster.received(), 0);
    // As a DNS name that leads to the primary again: the connections to the standby stay open.
    proxy.lead_to(server_address(&primary.url));
    until("readiness", async || (gateway.ready().await == 200).then_some(())).await;
    let id = gateway.accepts_again(2..1000).await;
    assert_eq!(gateway.consumer.ended(&id).await["status"], "succeeded");
    cluster.all_is_well(&gateway.consumer, &[id]).await;
}
