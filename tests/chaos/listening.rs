//! Lost notifications: waits and streams still end, a little later.

use sqlx::{Connection, PgConnection, Row};

use crate::cluster::{Cluster, by_way_of, ranges, server_address, tunnel, until};
use crate::proxy::Proxy;

/// The number of backends of this database that listen.
async fn listeners(connection: &mut PgConnection) -> Vec<i32> {
    let rows = sqlx::query(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query ILIKE 'LISTEN%' ORDER BY pid",
    );
    rows.fetch_all(connection).await.expect("the list").iter().map(|row| row.get(0)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_ends_although_no_notification_ever_comes() {
    let cluster = Cluster::on_postgres().await;
    let proxy = Proxy::without_notifications(server_address(&cluster.url)).await;
    let deaf = cluster.gateway("deaf", &[("DATABASE_URL", by_way_of(&cluster.url, proxy.address))]);
    // The replica without notifications runs no tracker, so it learns of no step by itself.
    let other = cluster.gateway("other", &[]);
    let mut accepted = Vec::new();
    for number in 0..5 {
        let id = other.accepted(&tunnel(number), &ranges(number)).await;
        let seen = deaf.consumer.get(&format!("/operations/{id}"), &[("prefer", "wait=30")]).await.json();
        assert_eq!(seen["status"], "succeeded", "{seen}");
        accepted.push(id);
    }
    cluster.all_is_well(&deaf.consumer, &accepted).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_is_cut_off_listens_again() {
    let cluster = Cluster::on_postgres().await;
    let gateway = cluster.gateway("gateway", &[]);
    let mut admin = PgConnection::connect(&cluster.url).await.expect("the database");
    // The ledger that the test itself opened listens too.
    let before = until("two listeners", async || {
        Some(listeners(&mut admin).await).filter(|listeners| listeners.len() == 2)
    })
    .await;
    for pid in &before {
        sqlx::query("SELECT pg_terminate_backend($1)").bind(pid).execute(&mut admin).await.expect("ended");
    }
    // Requests work without the listener.
    let id = gateway.accepted(&tunnel(1), &ranges(1)).await;
    let seen = gateway.consumer.get(&format!("/operations/{id}"), &[("prefer", "wait=30")]).await.json();
    assert_eq!(seen["status"], "succeeded", "{seen}");
    until("two new listeners", async || {
        let now = listeners(&mut admin).await;
        (now.len() == 2 && now.iter().all(|pid| !before.contains(pid))).then_some(())
    })
    .await;
    cluster.all_is_well(&gateway.consumer, &[id]).await;
}
