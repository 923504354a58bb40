//! Exhausted connection pools.

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};

use crate::cluster::{Cluster, ranges, server_address, tunnel, until};

async fn count(connection: &mut PgConnection, sql: &str) -> i64 {
    let sql = AssertSqlSafe(sql.to_owned());
    sqlx::query(sql).fetch_one(connection).await.expect("a count").get(0)
}

/// Slow reads hold the only connection for reads: changes succeed, and further reads fail within their timeout.
#[tokio::test(flavor = "multi_thread")]
async fn readers_that_use_up_their_pool_do_not_stop_changes() {
    let cluster = Cluster::on_postgres().await;
    let one = ("TUNNELGATE_DATABASE_CONNECTIONS", "1".to_owned());
    let gateway = cluster.gateway("gateway", &[one, ("TUNNELGATE_DATABASE_TIMEOUT", "8s".into())]);
    // Only `/readyz` reads this table.
    let mut blocker = PgConnection::connect(&cluster.url).await.expect("the database");
    let mut blocking = blocker.begin().await.expect("a transaction");
    blocking.execute("LOCK TABLE _sqlx_migrations IN ACCESS EXCLUSIVE MODE").await.expect("the lock");
    let slow = tokio::spawn({
        let consumer = gateway.consumer.clone();
        async move { consumer.get("/readyz", &[]).await }
    });
    let mut admin = PgConnection::connect(&cluster.url).await.expect("the database");
    until("a slow read", async || {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        (count(&mut admin, sql).await > 0).then_some(())
    })
    .await;
    let change = gateway.accepted(&tunnel(1), &ranges(1)).await;
    assert!(!slow.is_finished(), "the change did not wait for the slow read");
    let read = gateway.consumer.get("/operations", &[]).await;
    assert!([200, 503].contains(&read.status), "a read has an answer in time: {}", read.status);
    assert_eq!(slow.await.expect("an answer").problem(), (503, "ledger_unavailable".into()));
    blocking.rollback().await.expect("rolled back");
    until("readiness", async || (gateway.ready().await == 200).then_some(())).await;
    cluster.all_is_well(&gateway.consumer, &[change]).await;
}

/// The server refuses new connections: open ones keep working, and new ones succeed once slots are free.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_a_free_connection_is_lived_with() {
    let mut cluster = Cluster::on_postgres().await;
    let role = format!("role_{}", cluster.url.rsplit('_').next().expect("a name"));
    cluster.execute(&format!("CREATE ROLE {role} LOGIN CONNECTION LIMIT 20")).await;
    let grants = format!("GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}");
    cluster.execute(&grants).await;
    let as_owner = cluster.url.clone();
    let database = as_owner.rsplit('/').next().expect("a database");
    let as_role = format!("postgres://{role}@{}/{database}", server_address(&as_owner));
    cluster.url.clone_from(&as_role);
    let gateway = cluster.gateway("gateway", &[("TUNNELGATE_NO_MIGRATE", "true".into())]);
    let mut accepted = vec![gateway.accepted(&tunnel(1), &ranges(1)).await];
    until("its own connections", async || {
        let mut admin = PgConnection::connect(&as_owner).await.expect("the database");
        let sql = format!("SELECT count(*) FROM pg_stat_activity WHERE usename = '{role}'");
        // The listener, two for the core, two for the writer, one for reads.
        (count(&mut admin, &sql).await >= 6).then_some(())
    })
    .await;
    // Takes all remaining slots.
    let mut held = Vec::new();
    while let Ok(connection) = PgConnection::connect(&as_role).await {
        held.push(connection);
    }
    assert!(!held.is_empty());
    for number in 2..10 {
        accepted.push(gateway.accepted(&tunnel(number), &ranges(number)).await);
    }
    // A gateway that starts now gets no connection; it exits with an error instead of hanging.
    let mut late = cluster.serve("late", &[("TUNNELGATE_NO_MIGRATE", "true".into())]);
    assert!(!late.wait().success());
    let told = late.stderr();
    assert!(
        told.contains("the ledger could not be reached") && told.contains("too many connections"),
        "{told}"
    );
    for connection in held {
        connection.close().await.expect("closed");
    }
    let late = cluster.gateway("later", &[("TUNNELGATE_NO_MIGRATE", "true".into())]);
    accepted.push(late.accepts_again(100..1000).await);
    cluster.url = as_owner;
    cluster.all_is_well(&gateway.consumer, &accepted).await;
    drop((gateway, late));
    until("no more connections", async || {
        let mut admin = PgConnection::connect(&cluster.url).await.expect("the database");
        let sql = format!("SELECT count(*) FROM pg_stat_activity WHERE usename = '{role}'");
        (count(&mut admin, &sql).await == 0).then_some(())
    })
    .await;
    cluster.execute(&format!("DROP OWNED BY {role}")).await;
    cluster.execute(&format!("DROP ROLE {role}")).await;
}
