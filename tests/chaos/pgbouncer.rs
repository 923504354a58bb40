//! PgBouncer between the service and PostgreSQL: session mode works, the other modes are refused.

use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection, Row, raw_sql};

use crate::cluster::{Cluster, open_to_all, ranges, server_address, tunnel, until};
use crate::process::run;
use crate::support::Store;

/// A PgBouncer in front of a server; it ends with the test.
struct PgBouncer {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl PgBouncer {
    async fn start(server: &str, mode: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        open_to_all(folder.path());
        let port = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port").port();
        let to = server_address(server);
        let file = folder.path().join("pgbouncer.ini");
        let settings = format!(
            "[databases]\n* = host={} port={} user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = {mode}\n\
             default_pool_size = 60\n{more}\n",
            to.ip(),
            to.port(),
        );
        std::fs::write(&file, settings).expect("its settings");
        let log = std::fs::File::create(folder.path().join("log")).expect("a log");
        // It refuses to run as root.
        let is_root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
        let mut command = Command::new(if is_root { "setpriv" } else { "pgbouncer" });
        if is_root {
            command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups", "pgbouncer"]);
        }
        let child = command
            .arg(&file)
            .env("PATH", format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default()))
            .stderr(log)
            .stdout(Stdio::null())
            .process_group(0)
            .spawn();
        let child = child.expect("pgbouncer runs (Debian: apt-get install pgbouncer)");
        let mut bouncer = Self { child, port, _folder: folder };
        let url = bouncer.url(server);
        until("PgBouncer", async || {
            let ended = bouncer.child.try_wait().expect("its status");
            assert!(ended.is_none(), "pgbouncer ended: {ended:?}");
            plain(&url).await.ok()
        })
        .await;
        bouncer
    }

    /// The same database by way of PgBouncer.
    fn url(&self, server: &str) -> String {
        server.replace(&server_address(server).to_string(), &format!("127.0.0.1:{}", self.port))
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection without the startup parameter that PgBouncer refuses.
async fn plain(url: &str) -> Result<PgConnection, sqlx::Error> {
    url.parse::<PgConnectOptions>()?.extra_float_digits(None).connect().await
}

/// Settings, prepared statements, notifications and locks of a session work.
#[tokio::test(flavor = "multi_thread")]
async fn session_mode_works() {
    let cluster = Cluster::on_postgres().await;
    let name = cluster.url.rsplit('/').next().expect("a name");
    cluster.execute(&format!("ALTER DATABASE {name} SET synchronous_commit = off")).await;
    for sql in [
        "CREATE TABLE seen (setting text NOT NULL, query_limit text NOT NULL)",
        "CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN INSERT INTO seen VALUES (current_setting('synchronous_commit'), current_setting('statement_timeout'));
         RETURN NULL; END $$",
        "CREATE TRIGGER spy AFTER INSERT ON audit_events FOR EACH ROW EXECUTE FUNCTION see()",
    ] {
        cluster.execute(sql).await;
    }
    let bouncer = PgBouncer::start(&cluster.url, "session", "").await;
    let through = [("DATABASE_URL", bouncer.url(&cluster.url))];
    let (one, other) = (cluster.gateway("one", &through), cluster.gateway("other", &through));
    let mut accepted = Vec::new();
    for number in 0..10 {
        let gateway = if number % 2 == 0 { &one } else { &other };
        accepted.push(gateway.accepted(&tunnel(number), &ranges(number)).await);
        assert_eq!(other.consumer.ended(&accepted[number]).await["status"], "succeeded");
    }
    let mut admin = PgConnection::connect(&cluster.url).await.expect("the database");
    let seen = sqlx::query("SELECT DISTINCT setting, query_limit FROM seen").fetch_all(&mut admin).await;
    let seen: Vec<(String, String)> =
        seen.expect("what was seen").iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(seen, [("on".to_owned(), "2s".to_owned())], "the settings of the writer");
    let listening =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query ILIKE 'LISTEN%'";
    let count: i64 = sqlx::query(listening).fetch_one(&mut admin).await.expect("a count").get(0);
    assert_eq!(count, 3, "the listeners of both gateways and of the test");
    cluster.all_is_well(&one.consumer, &accepted).await;
    // What a gateway set does not stay for others.
    drop((one, other));
    let mut next = plain(&bouncer.url(&cluster.url)).await.expect("a connection");
    for _ in 0..3 {
        let row = raw_sql("SHOW enable_seqscan").fetch_one(&mut next).await.expect("a setting");
        assert_eq!(row.get::<String, _>(0), "on");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_processes_migrate_one_database_through_pgbouncer() {
    let store = Store::postgres().await;
    let bouncer = PgBouncer::start(store.url(), "session", "").await;
    let url = bouncer.url(store.url());
    let runs = (0..4).map(|_| {
        let url = url.clone();
        tokio::task::spawn_blocking(move || {
            let folder = tempfile::tempdir().expect("a folder");
            run(folder.path(), &["migrate"], &[("DATABASE_URL", url.as_str())])
        })
    });
    for output in futures_util::future::join_all(runs).await {
        let output = output.expect("a run");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Other clients use the same pool, so the server processes change hands all the time.
#[tokio::test(flavor = "multi_thread")]
async fn modes_without_sessions_are_refused_with_one_line() {
    let store = Store::postgres().await;
    for (mode, more, clients) in [
        ("transaction", "", 0),
        ("transaction", "server_round_robin = 1\nmin_pool_size = 4", 0),
        ("transaction", "", 4),
        ("statement", "", 0),
    ] {
        let bouncer = PgBouncer::start(store.url(), mode, more).await;
        let url = bouncer.url(store.url());
        let others: Vec<_> = (0..clients)
            .map(|_| {
                let url = url.clone();
                tokio::spawn(async move {
                    let mut connection = plain(&url).await.expect("a connection");
                    while raw_sql("SELECT 1").execute(&mut connection).await.is_ok() {}
                })
            })
            .collect();
        let refused = tokio::task::spawn_blocking(move || {
            let folder = tempfile::tempdir().expect("a folder");
            run(folder.path(), &["migrate"], &[("DATABASE_URL", url.as_str())])
        });
        let refused = refused.await.expect("a run");
        let said = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{mode} {more}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(
            said.contains("DATABASE_URL leads to a connection pooler") && said.contains("pool_mode=session"),
            "{said}"
        );
        for other in others {
            other.abort();
        }
    }
    let tables = store.execute("SELECT FROM pg_class WHERE relname = '_sqlx_migrations'").await;
    assert_eq!(tables.expect("the tables"), 0, "nothing was created");
}
