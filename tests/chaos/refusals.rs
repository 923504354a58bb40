//! A database that refuses rows, is slow, or is full.

use std::process::Command;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use crate::cluster::{Cluster, Gateway, open_to_all, ranges, tunnel, until};

const WHOLE: &[&str] = &["requested", "submitted", "succeeded"];

/// Creates a trigger on PostgreSQL that runs before rows are inserted.
async fn before_insert(cluster: &Cluster, table: &str, body: &str) {
    let function = "CREATE OR REPLACE FUNCTION chaos() RETURNS trigger LANGUAGE plpgsql AS";
    cluster.execute(&format!("{function} $$ BEGIN {body} RETURN NEW; END $$")).await;
    let trigger = "CREATE TRIGGER chaos BEFORE INSERT ON";
    cluster.execute(&format!("{trigger} {table} FOR EACH ROW EXECUTE FUNCTION chaos()")).await;
}

async fn calm(cluster: &Cluster, table: &str) {
    cluster.execute(&format!("DROP TRIGGER chaos ON {table}")).await;
}

/// The database refuses one tunnel's rows: the other changes of the same batches succeed.
async fn a_refused_row_fails_alone(cluster: Cluster) {
    // Splitting a batch takes long on a busy machine.
    let gateway = cluster.gateway("gateway", &[("TUNNELGATE_DATABASE_TIMEOUT", "30s".into())]);
    let mut accepted = Vec::new();
    for (round, table) in ["audit_events", "operations"].into_iter().enumerate() {
        let cursed = round * 100 + 7;
        if cluster.is_postgres() {
            let curse =
                format!("IF NEW.tunnel_id = 'vpnx-load-{cursed}' THEN RAISE EXCEPTION 'cursed'; END IF;");
            before_insert(&cluster, table, &curse).await;
        } else {
            let when = format!("WHEN NEW.tunnel_id = 'vpnx-load-{cursed}'");
            let raise = "BEGIN SELECT RAISE(ABORT, 'cursed'); END";
            cluster.execute(&format!("CREATE TRIGGER chaos BEFORE INSERT ON {table} {when} {raise}")).await;
        }
        let changes = (0..40).map(|number| {
            let (gateway, number) = (&gateway, round * 100 + number);
            async move { (number, gateway.consumer.patch(&tunnel(number), &ranges(number), &[]).await) }
        });
        for (number, answer) in futures_util::future::join_all(changes).await {
            if number == cursed {
                assert_eq!(answer.problem(), (503, "ledger_unavailable".into()));
                assert_eq!(cluster.received_for(&tunnel(number)).len(), 0, "nothing was sent");
            } else {
                assert_eq!(answer.status, 202, "{number}: {}", answer.body);
                accepted.push(answer.json()["id"].as_str().expect("an id").to_owned());
            }
        }
        if cluster.is_postgres() {
            calm(&cluster, table).await;
        } else {
            cluster.execute("DROP TRIGGER chaos").await;
        }
        accepted.push(gateway.accepted(&tunnel(cursed), &ranges(cursed)).await);
    }
    cluster.all_is_well(&gateway.consumer, &accepted).await;
}

on_each_ledger!(a_refused_row_fails_alone);

/// No change is sent while the database refuses every write; afterwards changes succeed again.
async fn refused_until_calm(cluster: &Cluster, gateway: &Gateway, number: usize) -> String {
    let refused = gateway.consumer.patch(&tunnel(number), &ranges(number), &[]).await;
    assert_eq!(refused.problem(), (503, "ledger_unavailable".into()));
    assert_eq!(cluster.received_for(&tunnel(number)).len(), 0, "nothing was sent");
    calm(cluster, "audit_events").await;
    gateway.accepts_again(number + 1..number + 1000).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_a_slow_one_and_a_broken_one_cost_503s() {
    let cluster = Cluster::on_postgres().await;
    let gateway = cluster.gateway("gateway", &[]);
    let mut accepted = Vec::new();
    for (round, body) in [
        "RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100';",
        "RAISE EXCEPTION 'could not read block' USING ERRCODE = '58030';",
        // Longer than the timeout of one write.
        "PERFORM pg_sleep(30);",
    ]
    .into_iter()
    .enumerate()
    {
        before_insert(&cluster, "audit_events", body).await;
        accepted.push(refused_until_calm(&cluster, &gateway, round * 10_000).await);
    }
    // Shorter than the timeout: the change succeeds.
    before_insert(&cluster, "audit_events", "PERFORM pg_sleep(0.3);").await;
    let id = gateway.accepted(&tunnel(90_000), &ranges(90_000)).await;
    assert_eq!(gateway.consumer.ended(&id).await["status"], "succeeded");
    calm(&cluster, "audit_events").await;
    accepted.push(id);
    cluster.all_is_well(&gateway.consumer, &accepted).await;
}

/// After a serialization failure or a deadlock the writer retries the batch.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_was_rolled_back_for_another_is_tried_again() {
    let cluster = Cluster::on_postgres().await;
    let gateway = cluster.gateway("gateway", &[]);
    let mut accepted = Vec::new();
    cluster.execute("CREATE SEQUENCE chances").await;
    for (number, code) in ["40001", "40P01"].into_iter().enumerate() {
        // A rollback does not reset a sequence.
        cluster.execute("ALTER SEQUENCE chances RESTART").await;
        let body = format!(
            "IF nextval('chances') <= 2 THEN RAISE EXCEPTION 'again' USING ERRCODE = '{code}'; END IF;"
        );
        before_insert(&cluster, "audit_events", &body).await;
        let id = gateway.accepted(&tunnel(number), &ranges(number)).await;
        assert_eq!(gateway.consumer.ended(&id).await["status"], "succeeded");
        assert_eq!(gateway.events(&id).await, WHOLE);
        calm(&cluster, "audit_events").await;
        accepted.push(id);
    }
    cluster.all_is_well(&gateway.consumer, &accepted).await;
}

/// A file system of a few megabytes; `None` where it can't be mounted.
pub struct TinyDisk(tempfile::TempDir);

impl TinyDisk {
    pub fn new(megabytes: u32) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let size = format!("size={megabytes}m");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            open_to_all(folder.path());
            return Some(Self(folder));
        }
        eprintln!("skipped: a small file system can't be mounted here (it takes root)");
        None
    }

    pub fn path(&self) -> &std::path::Path {
        self.0.path()
    }

    /// Fills the remaining space.
    pub fn fill(&self) {
        use std::io::Write;
        let mut file = std::fs::File::create(self.path().join("filler")).expect("a file");
        while file.write_all(&[1; 4096]).is_ok() {}
    }

    pub fn empty(&self) {
        std::fs::remove_file(self.path().join("filler")).expect("removed");
    }

    pub fn remount(&self, how: &str) -> bool {
        let remounted =
            Command::new("mount").args(["-o", &format!("remount,{how}")]).arg(self.path()).output();
        remounted.is_ok_and(|output| output.status.success())
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["-l".as_ref(), self.path().as_os_str()]).output();
    }
}

/// The tables are on a full file system.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_really_full_is_survived() {
    let Some(disk) = TinyDisk::new(24) else { return };
    let server = crate::cluster::Server::start();
    let place = disk.path().join("tables");
    std::fs::create_dir(&place).expect("a folder");
    let owned = Command::new("chown").arg("--reference").arg(server.data()).arg(&place).status();
    assert!(owned.expect("chown runs").success());
    let mut admin = PgConnection::connect(&server.url).await.expect("the server");
    for sql in [
        format!("CREATE TABLESPACE tiny LOCATION '{}'", place.display()),
        "CREATE DATABASE tiny TABLESPACE tiny".to_owned(),
    ] {
        admin.execute(AssertSqlSafe(sql)).await.expect("created");
    }
    let cluster =
        Cluster::on_url(&server.url.replace("/postgres", "/tiny").replace("tiny@", "postgres@")).await;
    let gateway = cluster.gateway("gateway", &[]);
    let mut accepted = vec![gateway.accepted(&tunnel(1), &ranges(1)).await];
    disk.fill();
    // The free space on existing pages is soon used up.
    let mut number = 100;
    until("a full disk", async || {
        let changes = (number..number + 50).map(|number| {
            let gateway = &gateway;
            async move { gateway.consumer.patch(&tunnel(number), &ranges(number), &[]).await }
        });
        number += 50;
        let answers = futures_util::future::join_all(changes).await;
        let mut is_full = false;
        for answer in answers {
            if answer.status == 202 {
                accepted.push(answer.json()["id"].as_str().expect("an id").to_owned());
            } else {
                assert_eq!(answer.problem(), (503, "ledger_unavailable".into()));
                is_full = true;
            }
        }
        is_full.then_some(())
    })
    .await;
    disk.empty();
    accepted.push(gateway.accepts_again(50_000..60_000).await);
    cluster.all_is_well(&gateway.consumer, &accepted).await;
}
