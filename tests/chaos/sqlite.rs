//! SQLite: locked by another process, on a full disk, read-only.

use std::time::Duration;

use sqlx::{Connection, Executor, SqliteConnection};

use crate::cluster::{Cluster, ranges, tunnel, until};
use crate::refusals::TinyDisk;
use crate::support::consumer::Consumer;

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_somebody_else_locks_is_waited_for_and_then_given_up() {
    let cluster = Cluster::on_sqlite().await;
    let gateway = cluster.gateway("gateway", &[]);
    let mut other = SqliteConnection::connect(&cluster.url).await.expect("the file");

    // Locked for longer than the timeout: no change is sent.
    other.execute("BEGIN EXCLUSIVE").await.expect("the lock");
    let refused = gateway.consumer.patch(&tunnel(1), &ranges(1), &[]).await;
    assert_eq!(refused.problem(), (503, "ledger_unavailable".into()));
    assert_eq!(gateway.ready().await, 503);
    assert_eq!(gateway.consumer.get("/operations", &[]).await.status, 200, "reads work");
    assert_eq!(cluster.received(), 0);
    other.execute("ROLLBACK").await.expect("let go");
    let mut accepted = vec![gateway.accepts_again(100..1000).await];

    // Locked for less: the change waits.
    other.execute("BEGIN EXCLUSIVE").await.expect("the lock");
    let change = async { gateway.accepted(&tunnel(2), &ranges(2)).await };
    let (id, ()) = tokio::join!(change, async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        other.execute("ROLLBACK").await.expect("let go");
    });
    accepted.push(id);
    cluster.all_is_well(&gateway.consumer, &accepted).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_costs_503s_until_there_is_room_again() {
    let Some(disk) = TinyDisk::new(8) else { return };
    let cluster = Cluster::on_url(&format!("sqlite:{}", disk.path().join("ledger.db").display())).await;
    let gateway = cluster.gateway("gateway", &[]);
    let token = cluster.run(&["keys", "create", "--name", "other", "--scope", "tunnels:read"]).stdout;
    let token = String::from_utf8(token).expect("a token").trim().to_owned();
    let other = Consumer::new(gateway.consumer.base.clone(), token);
    let mut accepted = vec![gateway.accepted(&tunnel(1), &ranges(1)).await];
    disk.fill();
    let mut number = 100;
    until("a full disk", async || {
        number += 1;
        let answer = gateway.consumer.patch(&tunnel(number), &ranges(number), &[]).await;
        if answer.status == 202 {
            accepted.push(answer.json()["id"].as_str().expect("an id").to_owned());
            return None;
        }
        assert_eq!(answer.problem(), (503, "ledger_unavailable".into()));
        assert_eq!(cluster.received_for(&tunnel(number)).len(), 0, "nothing was sent");
        Some(())
    })
    .await;
    // A small write may still fit into the write-ahead log; a change must not.
    assert_eq!(gateway.ready().await, 503);
    let why = gateway.consumer.get("/readyz", &[]).await.json()["detail"].to_string();
    assert!(why.contains("no space left"), "not only because a batch failed lately: {why}");
    // The first use of a key can't be stored now.
    assert_eq!(other.get("/operations", &[]).await.status, 200);
    until("the failure", async || {
        let log = gateway.process.stdout() + &gateway.process.stderr();
        log.contains("can't store when API keys were last used").then_some(())
    })
    .await;
    disk.empty();
    until("readiness", async || (gateway.ready().await == 200).then_some(())).await;
    accepted.push(gateway.accepts_again(10_000..20_000).await);
    until("the last use of the key", async || {
        let listed = cluster.run(&["keys", "list", "--json"]).stdout;
        let listed: serde_json::Value = serde_json::from_slice(&listed).expect("JSON");
        let key = listed["items"]
            .as_array()
            .expect("keys")
            .iter()
            .find(|key| key["name"] == "other")
            .expect("the key");
        (!key["last_used_on"].is_null()).then_some(())
    })
    .await;
    cluster.all_is_well(&gateway.consumer, &accepted).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_file_system_stops_the_start_with_one_clear_line() {
    let Some(disk) = TinyDisk::new(4) else { return };
    let cluster = Cluster::on_url(&format!("sqlite:{}", disk.path().join("ledger.db").display())).await;
    let mut gateway = cluster.gateway("first", &[]);
    let accepted = vec![gateway.accepted(&tunnel(1), &ranges(1)).await];
    gateway.consumer.ended(&accepted[0]).await;
    // A clean end may remove the write-ahead log, without which a read-only file can't be opened at all.
    gateway.process.kill();
    until("a read-only file system", async || disk.remount("ro").then_some(())).await;
    let mut refused = cluster.serve("refused", &[]);
    assert!(!refused.wait().success());
    let stderr = refused.stderr();
    let lines: Vec<&str> = stderr.lines().filter(|line| !line.trim().is_empty()).collect();
    assert!(lines.len() == 1 && lines[0].contains("can't write to the ledger"), "{stderr}");
    assert!(disk.remount("rw"));
    let gateway = cluster.gateway("second", &[]);
    cluster.all_is_well(&gateway.consumer, &accepted).await;
}
