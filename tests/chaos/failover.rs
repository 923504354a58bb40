//! The primary crashes, and a standby takes its address. A standby without the newest commits stops the service.

use std::time::Duration;

use serde_json::Value;
use sqlx::{Connection, Executor, PgConnection, Row};
use tunnelgate::chance::{Chance, SystemChance};
use tunnelgate::domain::event::{Actor, EventKind, NewEvent};
use tunnelgate::domain::principal::VpcScope;
use tunnelgate::domain::timestamp::Timestamp;
use tunnelgate::ledger::{self, Options};
use tunnelgate::metrics::Metrics;
use tunnelgate::service::ledger::{EventFilter, Order, Step};

use crate::cluster::{Cluster, Gateway, Server, ranges, server_address, tunnel, until};
use crate::process::run;
use crate::support::Store;

async fn newest(url: &str) -> i64 {
    let mut connection = PgConnection::connect(url).await.expect("the server");
    let row = connection.fetch_one("SELECT seq FROM chain_head").await.expect("the head");
    row.get(0)
}

/// Waits until a standby has everything that the primary has.
pub async fn in_sync(primary: &Server, standby: &Server) {
    until("replication", async || (newest(&primary.url).await == newest(&standby.url).await).then_some(()))
        .await;
}

async fn changed(gateway: &Gateway, number: usize) {
    let id = gateway.accepted(&tunnel(number), &ranges(number)).await;
    let ended = gateway.consumer.ended(&id).await;
    assert_eq!(ended["status"], "succeeded", "{ended}");
}

/// Waits until `/readyz` reports the loss; returns its detail.
async fn stopped(gateway: &Gateway) -> String {
    until("a stop", async || {
        let answer = gateway.consumer.get("/readyz", &[]).await;
        let is_stopped = answer.status == 503 && answer.json()["code"] == "log_rewound";
        is_stopped.then(|| answer.json()["detail"].as_str().expect("a detail").to_owned())
    })
    .await
}

async fn ready(gateway: &Gateway) {
    until("readiness", async || (gateway.ready().await == 200).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lagging_standby_that_is_promoted_stops_the_service_until_an_operator_accepts_the_loss() {
    let primary = Server::start();
    let cluster = Cluster::on_url(&primary.url).await;
    let gateway = cluster.gateway("gateway", &[]);
    changed(&gateway, 1).await;
    let mut standby = primary.standby();
    in_sync(&primary, &standby).await;
    let kept = newest(&primary.url).await;
    standby.halt();
    changed(&gateway, 2).await;
    let lost = newest(&primary.url).await;
    primary.crash();
    standby.replace(&primary).await;

    let missing = format!("events {} to {lost} are missing", kept + 1);
    assert!(stopped(&gateway).await.contains(&missing), "{missing}");
    // Another replica did not see the lost events.
    let other = cluster.gateway("other", &[]);
    assert!(stopped(&other).await.contains(&missing), "{missing}");
    let sent = cluster.received();
    for gateway in [&gateway, &other] {
        let refused = gateway.consumer.patch(&tunnel(3), &ranges(3), &[]).await;
        assert_eq!(refused.problem(), (503, "log_rewound".into()));
        assert_eq!(gateway.consumer.get("/operations", &[]).await.status, 200, "reads continue");
        let metrics = gateway.consumer.get("/metrics", &[]).await.body;
        assert!(metrics.contains("\ntunnelgate_log_rewound 1\n"), "{metrics}");
    }
    assert!(gateway.process.stderr().contains(&missing));
    assert_eq!((cluster.received(), newest(&standby.url).await), (sent, kept), "nothing was sent or written");

    for wrong in [kept - 1, kept + 1, lost] {
        let refused = cluster.run(&["audit", "accept-loss", "--after", &wrong.to_string()]);
        assert_eq!(refused.status.code(), Some(2), "{wrong}");
    }
    let accepted = cluster.run(&["audit", "accept-loss", "--after", &kept.to_string()]);
    assert!(accepted.status.success(), "{}", String::from_utf8_lossy(&accepted.stderr));
    ready(&gateway).await;
    ready(&other).await;
    changed(&gateway, 3).await;
    changed(&other, 4).await;
    let event = gateway.consumer.get("/audit-events?event=log_rewound", &[]).await.json()["items"][0].clone();
    assert_eq!(event["seq"], kept + 1, "{event}");
    assert_eq!(event["actor"], "command line", "{event}");
    assert_eq!(event["changes"]["lost_heads"][0]["seq"], lost, "{event}");
    assert_eq!(cluster.received_for(&tunnel(2)).len(), 1, "a lost change is never sent again");
    let again = cluster.run(&["audit", "accept-loss", "--after", &newest(&standby.url).await.to_string()]);
    assert_eq!(again.status.code(), Some(2), "no loss is left");
    assert!(cluster.run(&["audit", "verify"]).status.success());
}

/// The service is down when the log goes back. Only its witness file shows that.
#[tokio::test(flavor = "multi_thread")]
async fn the_witness_file_shows_a_restarted_process_what_was_lost() {
    let primary = Server::start();
    let cluster = Cluster::on_url(&primary.url).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("witness").display().to_string();
    let witness = [("TUNNELGATE_WITNESS_FILE", file.clone())];
    let gateway = cluster.gateway("before", &witness);
    let mut standby = primary.standby();
    in_sync(&primary, &standby).await;
    standby.halt();
    changed(&gateway, 1).await;
    let lost = newest(&primary.url).await;
    assert!(gateway.process.terminate().success());
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(&file).expect("a file")).expect("JSON");
    assert_eq!(kept["seq"], lost, "the shutdown saves the newest head");
    primary.crash();
    standby.replace(&primary).await;
    let gateway = cluster.gateway("after", &witness);
    assert!(stopped(&gateway).await.contains(&format!("to {lost} are missing")));
}

/// A query on a standby delays there what drops a partition, by up to half a minute.
#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_partition_does_not_lock_the_log_until_a_standby_has_applied_it() {
    let primary = Server::start();
    let standby = primary.standby();
    primary.commit_synchronously().await;
    let store = Store::on_server(&primary.url, "").await;
    let ledger = ledger::open(store.url(), Options::DEFAULT, &Metrics::default()).await.expect("a ledger");
    store.small_partitions(10).await;
    ledger.extend_log().await.expect("extended");
    let old = Timestamp::parse("2020-01-01T00:00:00Z").expect("a moment");
    for _ in 0..10 {
        let event = NewEvent::new(SystemChance.id(old), EventKind::Denied, Actor::command_line(), old);
        ledger.write(Step::Record(Box::new(event))).await.expect("written");
    }
    let there = store
        .url()
        .replace(&server_address(&primary.url).to_string(), &server_address(&standby.url).to_string());
    let mut reader = until("the log on the standby", async || {
        let mut reader = PgConnection::connect(&there).await.ok()?;
        reader.execute("BEGIN").await.ok()?;
        let events = reader.fetch_one("SELECT count(*) FROM audit_events").await.ok()?;
        (events.get::<i64, _>(0) == 10).then_some(reader)
    })
    .await;

    let folder = tempfile::tempdir().expect("a folder");
    let args = ["audit", "archive", "--before", "2021-01-01", "--output", ".", "--drop"];
    let env = [
        ("DATABASE_URL", store.url()),
        ("TUNNELGATE_SYNCHRONOUS_COMMIT", "remote_apply"),
        ("TUNNELGATE_DATABASE_TIMEOUT", "3s"),
    ];
    let archived = run(folder.path(), &args, &env);
    let told = String::from_utf8_lossy(&archived.stderr);
    assert!(archived.status.success(), "{told}");
    let filter = EventFilter::default();
    let left = ledger.events(&VpcScope::All, &filter, Order::OldestFirst, None, 10).await.expect("events");
    assert_eq!(left.len(), 1, "the drop's own event");
    reader.execute("SELECT count(*) FROM audit_events").await.expect("the standby has the log as it was");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_synchronous_standby_nothing_is_lost_and_nothing_stops() {
    let primary = Server::start();
    let cluster = Cluster::on_url(&primary.url).await;
    let mut standby = primary.standby();
    primary.commit_synchronously().await;
    let gateway = cluster.gateway("gateway", &[("TUNNELGATE_SYNCHRONOUS_COMMIT", "remote_apply".into())]);
    let mut accepted = Vec::new();
    for number in 0..10 {
        accepted.push(gateway.accepted(&tunnel(number), &ranges(number)).await);
    }
    primary.crash();
    standby.halt();
    standby.replace(&primary).await;
    ready(&gateway).await;
    accepted.push(gateway.accepts_again(100..1000).await);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!gateway.process.stderr().contains("went back"));
    cluster.all_is_well(&gateway.consumer, &accepted).await;
}
