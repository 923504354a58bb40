//! An upgrade: the migrations of a later version run beside this version's processes, under load.

use std::time::Duration;

use sqlx::{Connection, Executor, PgConnection, Row};
use tunnelgate::ledger::{self, Options, Source};

use crate::cluster::{Cluster, ranges, server_address, tunnel, until};
use crate::load::Load;
use crate::proxy::Proxy;

/// A later version: a column, and an index that is built while writers continue.
const LATER: &[Source] = &[
    (9001, "ticket", "ALTER TABLE operations ADD COLUMN ticket text NOT NULL DEFAULT 'none'"),
    (
        9002,
        "operations by ticket",
        "-- no-transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS operations_by_ticket ON operations (ticket, id DESC)",
    ),
];

async fn upgrade(url: &str) -> Result<(), ledger::OpenError> {
    ledger::upgrade(url, &Options::DEFAULT, LATER).await
}

/// Whether the index exists, and is valid.
async fn index(connection: &mut PgConnection) -> Option<bool> {
    let select = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('operations_by_ticket')";
    connection.fetch_optional(select).await.expect("the index").map(|row| row.get(0))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_beside_the_running_version_fails_no_request() {
    let cluster = Cluster::on_postgres().await;
    let gateway = cluster.gateway("running", &[("TUNNELGATE_DATABASE_TIMEOUT", "10s".into())]);
    let load = Load::of(&gateway.consumer, 4);
    load.more(20, 0).await;
    // Several replicas of the later version start at once.
    for upgraded in futures_util::future::join_all((0..3).map(|_| upgrade(&cluster.url))).await {
        upgraded.expect("upgraded");
    }
    let mut admin = PgConnection::connect(&cluster.url).await.expect("the database");
    assert_eq!(index(&mut admin).await, Some(true));
    load.more(20, 0).await;
    assert_eq!(load.refused(), 0);
    let mut accepted = load.stop().await;
    // Processes of this version start on the newer schema too: a rollback of the upgrade.
    for (number, changes) in
        [&[][..], &[("TUNNELGATE_NO_MIGRATE", "true".to_owned())]].into_iter().enumerate()
    {
        let again = cluster.gateway(&format!("again-{number}"), changes);
        assert_eq!(again.ready().await, 200);
        accepted.push(again.accepted(&tunnel(number), &ranges(number)).await);
    }
    cluster.all_is_well(&gateway.consumer, &accepted).await;
}

/// The network to the database is lost while another process migrates.
#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_another_process_ends_when_the_connection_is_dead() {
    let cluster = Cluster::on_postgres().await;
    let proxy = Proxy::to(server_address(&cluster.url)).await;
    let through = cluster.url.replace(&server_address(&cluster.url).to_string(), &proxy.address.to_string());
    let mut other = PgConnection::connect(&cluster.url).await.expect("the database");
    other.execute("SELECT pg_advisory_lock(x'74756e6e656c6761'::bigint)").await.expect("the turn");
    let options = Options { timeout: Duration::from_secs(1), ..Options::DEFAULT };
    let cut = async {
        until("the wait", async || {
            let select = "SELECT pid FROM pg_stat_activity
                 WHERE query LIKE 'SELECT pg_try_advisory_lock%' AND datname = current_database()";
            other.fetch_optional(select).await.expect("the activity")
        })
        .await;
        proxy.freeze();
    };
    let upgraded = async {
        let upgraded = ledger::upgrade(&through, &options, LATER);
        tokio::time::timeout(Duration::from_secs(30), upgraded).await.expect("it ends").expect_err("cut off")
    };
    let (error, ()) = tokio::join!(upgraded, cut);
    assert!(matches!(error, ledger::OpenError::Connect(_)), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_whose_build_was_interrupted_is_built_again() {
    let cluster = Cluster::on_postgres().await;
    let mut old = PgConnection::connect(&cluster.url).await.expect("the database");
    // The build waits for the end of older transactions, for longer than the time limit of locks.
    old.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM chain_head")
        .await
        .expect("a snapshot");
    let mut admin = PgConnection::connect(&cluster.url).await.expect("the database");
    let interrupt = async {
        let pid: i32 = until("the build", async || {
            let select = "SELECT pid FROM pg_stat_activity WHERE query LIKE '%CREATE INDEX CONCURRENTLY%'
                 AND wait_event_type = 'Lock' AND datname = current_database()
                 AND query_start < clock_timestamp() - interval '4 s'";
            admin.fetch_optional(select).await.expect("the activity").map(|row| row.get(0))
        })
        .await;
        assert_eq!(index(&mut admin).await, Some(false), "unfinished");
        sqlx::query("SELECT pg_terminate_backend($1)").bind(pid).execute(&mut admin).await.expect("ended");
    };
    let (interrupted, ()) = tokio::join!(upgrade(&cluster.url), interrupt);
    interrupted.expect_err("interrupted");
    assert_eq!(index(&mut admin).await, Some(false), "what an interrupted build leaves");

    old.execute("COMMIT").await.expect("committed");
    upgrade(&cluster.url).await.expect("upgraded");
    assert_eq!(index(&mut admin).await, Some(true));
}
