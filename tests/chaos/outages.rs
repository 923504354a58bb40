//! PostgreSQL stops and restarts while callers continue.

use sqlx::{Connection, Executor, PgConnection};

use crate::cluster::{Cluster, Gateway, Server, ranges, tunnel, until};
use crate::load::Load;

const CALLERS: usize = 6;

/// Asserts that no change goes to the cloud while the ledger is unavailable.
async fn nothing_is_sent(cluster: &Cluster, gateway: &Gateway, load: &Load) {
    // Requests that were in flight at the start of the outage have their responses by then.
    load.more(0, 2 * CALLERS).await;
    let before = cluster.received();
    let unready = gateway.consumer.get("/readyz", &[]).await;
    assert_eq!(unready.problem(), (503, "ledger_unavailable".into()));
    assert!(unready.body.contains("the database can't be reached"), "{}", unready.body);
    assert!(!unready.body.contains("refused") && !unready.body.contains("127.0.0.1"), "{}", unready.body);
    load.more(0, 2 * CALLERS).await;
    assert_eq!(cluster.received(), before, "no change was sent meanwhile");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_and_starts_under_load_costs_503s_and_nothing_else() {
    let server = Server::start();
    let cluster = Cluster::on_url(&server.url).await;
    let gateway = cluster.gateway("gateway", &[]);
    let load = Load::of(&gateway.consumer, CALLERS);
    load.more(CALLERS, 0).await;
    // Once with a regular stop, once with a crash.
    server.halt();
    nothing_is_sent(&cluster, &gateway, &load).await;
    server.resume();
    load.more(2 * CALLERS, 0).await;
    assert_eq!(gateway.ready().await, 200);
    server.crash();
    nothing_is_sent(&cluster, &gateway, &load).await;
    server.resume();
    load.more(2 * CALLERS, 0).await;
    let accepted = load.stop().await;
    cluster.all_is_well(&gateway.consumer, &accepted).await;
}

/// A read-only server, as after a failover.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_comes_back_read_only_is_not_ready_and_nothing_is_sent() {
    let server = Server::start();
    let cluster = Cluster::on_url(&server.url).await;
    let gateway = cluster.gateway("gateway", &[]);
    let set = async |value: &str| {
        let mut connection = PgConnection::connect(&server.url).await.expect("the server");
        let sql = format!("ALTER SYSTEM SET default_transaction_read_only = {value}");
        connection.execute(sqlx::AssertSqlSafe(sql)).await.expect("a setting");
        connection.close().await.expect("closed");
        server.halt();
        server.resume();
    };
    let mut accepted = vec![gateway.accepted(&tunnel(1), &ranges(1)).await];
    gateway.consumer.ended(&accepted[0]).await;
    set("on").await;
    until("not ready", async || (gateway.ready().await == 503).then_some(())).await;
    let before = cluster.received();
    let refused = gateway.consumer.patch(&tunnel(2), &ranges(2), &[]).await;
    assert_eq!(refused.problem(), (503, "ledger_unavailable".into()));
    let read = gateway.consumer.get("/operations", &[]).await;
    assert_eq!(read.status, 200, "reads work");
    assert_eq!(cluster.received(), before);
    set("off").await;
    accepted.push(gateway.accepts_again(100..1000).await);
    assert_eq!(gateway.ready().await, 200);
    cluster.all_is_well(&gateway.consumer, &accepted).await;
}
