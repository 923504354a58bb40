//! Gateways as processes on one ledger, and a simulated cloud in this process with a journal of the changes it received.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sqlx::{Connection, Executor, PgConnection};
use tunnelgate::app::World;
use tunnelgate::domain::event::EventKind;
use tunnelgate::domain::principal::{Grant, Scope, VpcScope};
use tunnelgate::metrics::Metrics;
use tunnelgate::service::keys;
use tunnelgate::simulator::{self, Entry, Simulator};

use crate::process::{Process, run};
use crate::support::consumer::{Consumer, PATIENCE};
use crate::support::{OnLedger, Store, postgres};

const SECRET_ID: &str = "AKIDEXAMPLE";
const SECRET_KEY: &str = "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE";

pub struct Cluster {
    pub url: String,
    pub simulator: Simulator,
    folder: tempfile::TempDir,
    store: Option<Store>,
    token: String,
}

/// One replica.
pub struct Gateway {
    pub process: Process,
    pub consumer: Consumer,
}

/// The path of a tunnel.
pub fn path(tunnel: &str) -> String {
    format!("/vpcs/vpc-03vihbk9/gateways/vpngw-kfldykuz/tunnels/{tunnel}")
}

/// A different tunnel for each number.
pub fn tunnel(number: usize) -> String {
    path(&format!("vpnx-load-{number}"))
}

/// A different patch for each number.
pub fn ranges(number: usize) -> Value {
    json!({"peer_cidrs": [format!("10.{}.{}.0/24", number / 256 % 256, number % 256)]})
}

/// Polls until `look` finds something.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} does not happen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

impl OnLedger for Cluster {
    async fn on(store: Store) -> Self {
        Self::with(store.url().to_owned(), Some(store)).await
    }
}

impl Cluster {
    pub async fn on_sqlite() -> Self {
        Self::on(Store::sqlite()).await
    }

    pub async fn on_postgres() -> Self {
        Self::on(Store::postgres().await).await
    }

    pub async fn on_url(url: &str) -> Self {
        Self::with(url.to_owned(), None).await
    }

    async fn with(url: String, store: Option<Store>) -> Self {
        let world = World::default();
        let options = simulator::Options {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            secret_id: SECRET_ID.into(),
            secret_key: SECRET_KEY.into(),
            token: None,
            signed_host: Some("cloud.example".into()),
            task_duration: Duration::from_millis(300),
        };
        let simulator = simulator::start(options, world.clock.clone(), world.chance.clone()).await;
        let simulator = simulator.expect("a simulated cloud");
        let options = tunnelgate::ledger::Options { connections: 2, ..tunnelgate::ledger::Options::DEFAULT };
        let ledger = tunnelgate::ledger::open(&url, options, &Metrics::default()).await.expect("a ledger");
        let all = Scope::ALL.iter().map(|scope| Grant { scope: *scope, vpcs: VpcScope::All }).collect();
        let now = world.clock.now();
        let new = keys::draw(&*world.chance, "netops-ci", all, None, now);
        let event = keys::event(EventKind::KeyCreated, &new.key, world.chance.id(now), now);
        assert!(ledger.create_key(&new.key, event).await.expect("a key"));
        let token = new.token.expose_secret().to_owned();
        Self { url, simulator, folder: tempfile::tempdir().expect("a folder"), store, token }
    }

    fn env(&self, changes: &[(&str, String)]) -> HashMap<String, String> {
        let settings = [
            ("DATABASE_URL", self.url.clone()),
            ("TENCENTCLOUD_SECRET_ID", SECRET_ID.into()),
            ("TENCENTCLOUD_SECRET_KEY", SECRET_KEY.into()),
            ("TENCENTCLOUD_REGION", "ap-guangzhou".into()),
            ("TUNNELGATE_LISTEN", "127.0.0.1:0".into()),
            ("TUNNELGATE_UPSTREAM_URL", cloud_url(self.simulator.address)),
            ("TUNNELGATE_SIGNED_HOST", "cloud.example".into()),
            ("TUNNELGATE_UPSTREAM_TIMEOUT", "1s".into()),
            ("TUNNELGATE_UPSTREAM_RPS", "0".into()),
            ("TUNNELGATE_POLL_INTERVAL", "100ms".into()),
            ("TUNNELGATE_POLL_MAX_INTERVAL", "300ms".into()),
            ("TUNNELGATE_SETTLE_WINDOW", "2s".into()),
            ("TUNNELGATE_DATABASE_TIMEOUT", "2s".into()),
            ("TUNNELGATE_SHUTDOWN_DELAY", "0s".into()),
            ("TUNNELGATE_WORKERS", "1".into()),
        ];
        let changes = changes.iter().map(|(name, value)| (*name, value.clone()));
        settings.into_iter().chain(changes).map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// Starts a gateway with some settings changed.
    pub fn serve(&self, name: &str, changes: &[(&str, String)]) -> Process {
        self.start(name, &["serve"], changes)
    }

    /// Runs another command on the same ledger to its end.
    pub fn run(&self, args: &[&str]) -> std::process::Output {
        let env = self.env(&[]);
        let env: Vec<(&str, &str)> = env.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        run(self.folder.path(), args, &env)
    }

    pub fn start(&self, name: &str, args: &[&str], changes: &[(&str, String)]) -> Process {
        let env = self.env(changes);
        let env: Vec<(&str, &str)> = env.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        Process::start(self.folder.path(), name, args, &env)
    }

    /// Starts a gateway and waits until it listens.
    pub fn gateway(&self, name: &str, changes: &[(&str, String)]) -> Gateway {
        let mut process = self.serve(name, changes);
        let consumer = Consumer::new(process.address(), self.token.clone());
        Gateway { process, consumer }
    }

    /// Runs a statement without the gateway. A change of the log's definition can deadlock with the gateway's writes.
    pub async fn execute(&self, sql: &str) {
        let store = self.store.as_ref().expect("a store");
        let is_deadlock = |error: &sqlx::Error| {
            error.as_database_error().is_some_and(|error| error.code().as_deref() == Some("40P01"))
        };
        let mut result = store.execute(sql).await;
        for _ in 0..10 {
            if result.as_ref().is_err_and(is_deadlock) {
                result = store.execute(sql).await;
            }
        }
        result.expect(sql);
    }

    pub fn is_postgres(&self) -> bool {
        self.url.starts_with("postgres")
    }

    /// The changes that the cloud received so far.
    pub fn received(&self) -> usize {
        self.simulator.journal().len()
    }

    /// The changes of one tunnel that the cloud received.
    pub fn received_for(&self, path: &str) -> Vec<Entry> {
        let tunnel = path.rsplit('/').next().expect("a tunnel");
        self.simulator.journal().into_iter().filter(|entry| entry.tunnel_id == tunnel).collect()
    }

    /// Asserts the invariants: every operation has ended, every change that the cloud received is in the log and was
    /// sent once, every accepted operation exists, and the chain is whole.
    pub async fn all_is_well(&self, consumer: &Consumer, accepted: &[String]) {
        until("the end of every operation", async || {
            for status in ["pending", "running", "unknown"] {
                let open = consumer.get(&format!("/operations?status={status}&limit=1"), &[]).await;
                if open.status != 200 || !open.json()["items"].as_array()?.is_empty() {
                    return None;
                }
            }
            Some(())
        })
        .await;
        let log = consumer.get("/audit-events?event=requested", &[("accept", "application/x-ndjson")]).await;
        let requested: Vec<Value> =
            log.body.lines().map(|line| serde_json::from_str(line).expect("an event")).collect();
        let mut sent: HashMap<String, usize> = HashMap::new();
        for entry in self.simulator.journal() {
            let is_this = |event: &&Value| {
                event["tunnel_id"] == entry.tunnel_id.as_str()
                    && event["changes"]["peer_cidrs"][0] == entry.params["userGwCidrBlock.0"].as_str()
            };
            let event = requested.iter().find(is_this).expect("a change that was sent is in the log");
            let operation = event["operation_id"].as_str().expect("an operation").to_owned();
            let times = sent.entry(operation).or_default();
            *times += 1;
            assert_eq!(*times, 1, "sent twice: {event}");
        }
        for id in accepted {
            assert!(sent.contains_key(id), "{id} was accepted and not sent");
            let operation = consumer.get(&format!("/operations/{id}"), &[]).await;
            assert_eq!(operation.status, 200, "a 202 is durable: {}", operation.body);
        }
        let verified = self.run(&["audit", "verify"]);
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    }
}

impl Gateway {
    /// Makes a change that must be accepted; returns the operation's id.
    pub async fn accepted(&self, path: &str, patch: &Value) -> String {
        let answer = self.consumer.patch(path, patch, &[]).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        answer.json()["id"].as_str().expect("an id").to_owned()
    }

    /// Tries new changes until one is accepted; returns the operation's id.
    pub async fn accepts_again(&self, numbers: std::ops::Range<usize>) -> String {
        let mut numbers = numbers;
        until("a change that is taken", async || {
            let number = numbers.next().expect("another tunnel");
            let answer = self.consumer.patch(&tunnel(number), &ranges(number), &[]).await;
            if answer.status == 202 {
                return answer.json()["id"].as_str().map(str::to_owned);
            }
            assert_eq!(answer.problem(), (503, "ledger_unavailable".into()));
            None
        })
        .await
    }

    /// The kinds of an operation's events, oldest first.
    pub async fn events(&self, operation: &str) -> Vec<String> {
        let answer = self.consumer.get(&format!("/audit-events?operation_id={operation}"), &[]).await;
        let events = answer.json();
        let items = events["items"].as_array().expect("items");
        items.iter().rev().filter_map(|event| event["event"].as_str().map(str::to_owned)).collect()
    }

    pub async fn ready(&self) -> u16 {
        self.consumer.get("/readyz", &[]).await.status
    }
}

pub fn cloud_url(address: SocketAddr) -> String {
    format!("http://{address}/v2/index.php")
}

/// The address in a PostgreSQL URL.
pub fn server_address(url: &str) -> SocketAddr {
    let host = url.split('@').nth(1).and_then(|rest| rest.split('/').next()).expect("a host");
    host.parse().expect("an address and a port")
}

/// The URL of the same database through a proxy.
pub fn by_way_of(url: &str, proxy: SocketAddr) -> String {
    let direct = server_address(url).to_string();
    format!("{}?sslmode=disable", url.replace(&direct, &proxy.to_string()))
}

/// A PostgreSQL server that a test can stop.
pub struct Server {
    folder: tempfile::TempDir,
    pub url: String,
}

impl Server {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        // The server may belong to another user.
        open_to_all(folder.path());
        let place = folder.path().join("server");
        let url = postgres::start(&place, &[]);
        Self { folder, url }
    }

    /// A streaming standby of this server.
    pub fn standby(&self) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        open_to_all(folder.path());
        let place = folder.path().join("server").display().to_string();
        let url = postgres::script(&["standby", &place, &self.place()]).expect("a standby");
        Self { folder, url }
    }

    /// Promotes this standby, which does not run, at the address of the primary, which has crashed.
    pub async fn replace(&mut self, primary: &Self) {
        let start = |server: &Self| server.folder.path().join("server/start");
        std::fs::copy(start(primary), start(self)).expect("the port");
        self.url.clone_from(&primary.url);
        self.resume();
        let mut connection = PgConnection::connect(&self.url).await.expect("the standby");
        connection.execute("SELECT pg_promote()").await.expect("promoted");
    }

    /// Promotes this standby, which runs, at its own address.
    pub async fn promote(&self) {
        let mut connection = PgConnection::connect(&self.url).await.expect("the standby");
        connection.execute("SELECT pg_promote()").await.expect("promoted");
    }

    /// Makes this server, which does not run, a standby of another, at its own address.
    pub fn rejoin(&self, primary: &Self) {
        self.script("rejoin", &[&primary.place()]);
    }

    /// Waits for the confirmation of a standby before a commit counts.
    pub async fn commit_synchronously(&self) {
        let mut connection = PgConnection::connect(&self.url).await.expect("the primary");
        for sql in ["ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()"] {
            connection.execute(sql).await.expect(sql);
        }
        until("a synchronous standby", async || {
            let sql = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
            let row = connection.fetch_one(sql).await.expect("replication");
            (sqlx::Row::get::<i64, _>(&row, 0) == 1).then_some(())
        })
        .await;
    }

    fn place(&self) -> String {
        self.folder.path().join("server").display().to_string()
    }

    fn script(&self, action: &str, mode: &[&str]) {
        let place = self.place();
        let args = [&[action, place.as_str()], mode].concat();
        postgres::script(&args).unwrap_or_else(|error| panic!("{args:?}: {error}"));
    }

    /// Its data folder.
    pub fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("server/data")
    }

    /// Stops the server as a crash does.
    pub fn crash(&self) {
        self.script("halt", &["immediate"]);
    }

    pub fn halt(&self) {
        self.script("halt", &[]);
    }

    pub fn resume(&self) {
        self.script("resume", &[]);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.script("stop", &[]);
    }
}

pub fn open_to_all(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).expect("its mode");
}
