//! Gateways and a simulated cloud in this process.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tunnelgate::domain::api::Api;

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tunnelgate::app::{App, World};
use tunnelgate::clock::{Clock, SystemClock};
use tunnelgate::cloud::v2::sign::SignatureMethod;
use tunnelgate::cloud::v2::wire::ParamStyle;
use tunnelgate::cloud::{self, Credentials, Endpoints};
use tunnelgate::config::{Database, Settings};
use tunnelgate::domain::event::EventKind;
use tunnelgate::domain::fingerprint::FingerprintKey;
use tunnelgate::domain::principal::{Grant, Scope, VpcScope};
use tunnelgate::domain::timestamp::Timestamp;
use tunnelgate::http::edge::Edge;
use tunnelgate::ledger::SynchronousCommit;
use tunnelgate::service::keys;
use tunnelgate::service::ledger::ApiKey;
use tunnelgate::service::{ReadBefore, Rules};
use tunnelgate::shutdown::Shutdown;
use tunnelgate::simulator::{self, Entry, Simulator};

use crate::support::consumer::{Answer, Consumer};
use crate::support::{OnLedger, Store};

const SECRET_ID: &str = "AKIDEXAMPLE";
const SECRET_KEY: &str = "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE";
const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

pub struct Harness {
    pub store: Store,
    /// The version of the cloud's API that the account speaks.
    pub api: Api,
    pub simulator: Simulator,
    /// A consumer with every scope.
    pub consumer: Consumer,
    gateway: Gateway,
    world: World,
}

/// One replica.
pub struct Gateway {
    pub base: String,
    ledger: std::sync::Arc<dyn tunnelgate::service::ledger::Ledger>,
    shutdown: Shutdown,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.shutdown.request();
    }
}

/// The number of a gateway's calls of an action, from `/metrics`.
pub async fn calls(consumer: &Consumer, action: &str) -> u64 {
    let metrics = consumer.get("/metrics", &[]).await.body;
    let start = format!("tunnelgate_cloud_calls_total{{action=\"{action}\"");
    let counts = metrics.lines().filter(|line| line.starts_with(&start));
    counts.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

pub fn path(tunnel: &str) -> String {
    format!("/vpcs/vpc-03vihbk9/gateways/vpngw-kfldykuz/tunnels/{tunnel}")
}

/// A small patch.
pub fn ranges() -> Value {
    json!({"peer_cidrs": ["10.100.2.0/24"]})
}

/// A patch with every field but `security_policies`.
pub fn every_field() -> Value {
    json!({
        "name": "größe", "pre_shared_key": "tencenttest", "peer_cidrs": ["10.100.2.7/24", "10.200.0.0/16"],
        "ike": {
            "encryption_algorithm": "aes-cbc-192", "authentication_algorithm": "sha", "exchange_mode": "aggressive",
            "local_identity": {"type": "fqdn", "fqdn": "hq.example.com"},
            "remote_identity": {"type": "address", "address": "203.0.113.77"},
            "dh_group": "group5", "sa_lifetime_seconds": 604_800},
        "ipsec": {
            "encryption_algorithm": "none", "integrity_algorithm": "sha", "sa_lifetime_seconds": 180,
            "sa_lifetime_kilobytes": 604_800, "pfs_dh_group": "none"}})
}

impl OnLedger for Harness {
    async fn on(store: Store) -> Self {
        Self::new(store).await
    }
}

impl Harness {
    pub async fn new(store: Store) -> Self {
        Self::with(store, |_| {}).await
    }

    /// With an account of API 2.0.
    pub async fn with(store: Store, change: impl FnOnce(&mut Settings)) -> Self {
        Self::on_api(store, Api::V2, change).await
    }

    pub async fn on_api(store: Store, api: Api, change: impl FnOnce(&mut Settings)) -> Self {
        Self::in_world(store, api, World::default(), change).await
    }

    pub async fn in_world(store: Store, api: Api, world: World, change: impl FnOnce(&mut Settings)) -> Self {
        let options = simulator::Options {
            listen: ANY_PORT,
            secret_id: SECRET_ID.into(),
            secret_key: SECRET_KEY.into(),
            token: None,
            signed_host: None,
            task_duration: Duration::from_millis(200),
        };
        let simulator = simulator::start(options, world.clock.clone(), world.chance.clone()).await;
        let simulator = simulator.expect("a simulated cloud");
        let mut settings = settings(&store, api, simulator.address);
        change(&mut settings);
        let gateway = start(settings, &world).await;
        let all = Scope::ALL.iter().map(|scope| Grant { scope: *scope, vpcs: VpcScope::All }).collect();
        let consumer = gateway.consumer(&world, "netops-ci", all, None).await;
        Self { store, api, simulator, consumer, gateway, world }
    }

    /// Another replica on the same ledger, with the same consumer.
    pub async fn replica(&self) -> (Gateway, Consumer) {
        self.replica_with(|_| {}).await
    }

    /// A replica whose own clock is ahead.
    pub async fn replica_ahead(&self, by: Duration) -> (Gateway, Consumer) {
        let clock = std::sync::Arc::new(Ahead { by, clock: self.world.clock.clone() });
        let world = World { clock, ..self.world.clone() };
        let gateway = start(settings(&self.store, self.api, self.simulator.address), &world).await;
        let consumer = Consumer::new(gateway.base.clone(), self.consumer.token.clone());
        (gateway, consumer)
    }

    pub async fn replica_with(&self, change: impl FnOnce(&mut Settings)) -> (Gateway, Consumer) {
        let mut settings = settings(&self.store, self.api, self.simulator.address);
        change(&mut settings);
        let gateway = start(settings, &self.world).await;
        let consumer = Consumer::new(gateway.base.clone(), self.consumer.token.clone());
        (gateway, consumer)
    }

    /// A caller with any token.
    pub fn caller(&self, token: String) -> Consumer {
        Consumer::new(self.gateway.base.clone(), token)
    }

    /// A consumer with only these rights.
    pub async fn consumer_with(&self, name: &str, grants: &[(Scope, &[&str])]) -> Consumer {
        self.consumer_until(name, grants, None).await
    }

    pub async fn consumer_until(
        &self,
        name: &str,
        grants: &[(Scope, &[&str])],
        lifetime: Option<Duration>,
    ) -> Consumer {
        let grant = |(scope, patterns): &(Scope, &[&str])| Grant {
            scope: *scope,
            vpcs: match patterns {
                [] => VpcScope::All,
                some => VpcScope::Matching(some.iter().map(|p| p.parse().expect("a pattern")).collect()),
            },
        };
        self.gateway.consumer(&self.world, name, grants.iter().map(grant).collect(), lifetime).await
    }

    pub async fn revoke(&self, name: &str) {
        let (key, now) = (self.key(name).await, self.world.clock.now());
        let event = keys::event(EventKind::KeyRevoked, &key, self.world.chance.id(now), now);
        assert!(self.gateway.ledger.revoke_key(key.id, now, event).await.expect("revoked"));
    }

    /// Gives a key a new token; a consumer with it.
    pub async fn rotate(&self, name: &str, overlap: Duration) -> Consumer {
        let (key, now) = (self.key(name).await, self.world.clock.now());
        let new = keys::rotate(&*self.world.chance, &key, overlap, None, now);
        let event = keys::rotation_event(&key, &new.rotation, self.world.chance.id(now));
        assert!(self.gateway.ledger.rotate_key(&new.rotation, event).await.expect("rotated"));
        Consumer::new(self.consumer.base.clone(), new.token.expose_secret().to_owned())
    }

    /// The key of this name that is not revoked.
    pub async fn key(&self, name: &str) -> ApiKey {
        let keys = self.gateway.ledger.keys().await.expect("keys");
        keys.into_iter().find(|key| key.name == name && key.revoked_at.is_none()).expect("the key")
    }

    pub fn ledger(&self) -> std::sync::Arc<dyn tunnelgate::service::ledger::Ledger> {
        self.gateway.ledger.clone()
    }

    pub fn stop(&self) {
        self.gateway.shutdown.request();
    }

    /// Returns when `clients` clients wait at this gateway, with `Prefer: wait` or at a stream.
    pub async fn until_waiting(&self, kind: &str, clients: usize) {
        let wanted = format!("tunnelgate_http_waiting_clients{{kind=\"{kind}\"}} {clients}");
        let until = std::time::Instant::now() + crate::support::consumer::PATIENCE;
        loop {
            let metrics = self.consumer.get("/metrics", &[]).await.body;
            if metrics.lines().any(|line| line == wanted) {
                return;
            }
            assert!(std::time::Instant::now() < until, "not {wanted} in:\n{metrics}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The changes of a tunnel that the simulated cloud received.
    pub fn received(&self, tunnel: &str) -> Vec<Entry> {
        self.simulator.journal().into_iter().filter(|entry| entry.tunnel_id == tunnel).collect()
    }

    /// What is expected with API 2.0, or with API 3.0.
    pub fn by_api<T>(&self, v2: T, v3: T) -> T {
        match self.api {
            Api::V2 => v2,
            Api::V3 => v3,
        }
    }

    /// The number of calls that read tunnels.
    pub async fn reads(&self) -> u64 {
        self.calls(self.by_api("DescribeVpnConn", "DescribeVpnConnections")).await
    }

    /// The number of calls that change tunnels.
    pub async fn modifications(&self) -> u64 {
        self.calls(self.by_api("ModifyVpnConnEx", "ModifyVpnConnectionAttribute")).await
    }

    /// The number of calls of an action, from `/metrics`.
    pub async fn calls(&self, action: &str) -> u64 {
        calls(&self.consumer, action).await
    }

    /// The kinds of an operation's events, oldest first.
    pub async fn events(&self, operation: &str) -> Vec<String> {
        let answer = self.consumer.get(&format!("/audit-events?operation_id={operation}"), &[]).await;
        let events = answer.json();
        let items = events["items"].as_array().expect("items");
        items.iter().rev().filter_map(|event| event["event"].as_str().map(str::to_owned)).collect()
    }

    /// The whole audit log, newest first, without the events of API keys.
    pub async fn log(&self) -> Vec<Value> {
        let answer = self.consumer.get("/audit-events?limit=200", &[]).await.json();
        let items = answer["items"].as_array().expect("items").clone();
        items
            .into_iter()
            .filter(|event| !event["event"].as_str().is_some_and(|kind| kind.starts_with("key_")))
            .collect()
    }

    pub async fn patch(&self, tunnel: &str, patch: &Value) -> Answer {
        self.consumer.patch(&path(tunnel), patch, &[]).await
    }
}

impl Gateway {
    async fn consumer(
        &self,
        world: &World,
        name: &str,
        grants: Vec<Grant>,
        lifetime: Option<Duration>,
    ) -> Consumer {
        let now = world.clock.now();
        let new = keys::draw(&*world.chance, name, grants, lifetime, now);
        let event = keys::event(EventKind::KeyCreated, &new.key, world.chance.id(now), now);
        assert!(self.ledger.create_key(&new.key, event).await.expect("a key"));
        Consumer::new(self.base.clone(), new.token.expose_secret().to_owned())
    }
}

/// A clock that a test sets forward, as the wall clock of a machine that was suspended.
#[derive(Debug, Default)]
pub struct Jumping {
    ahead_ms: std::sync::atomic::AtomicU64,
}

impl Jumping {
    pub fn jump(&self, by: Duration) {
        let by = u64::try_from(by.as_millis()).expect("a duration");
        self.ahead_ms.fetch_add(by, std::sync::atomic::Ordering::SeqCst);
    }
}

impl Clock for Jumping {
    fn now(&self) -> Timestamp {
        let ahead = self.ahead_ms.load(std::sync::atomic::Ordering::SeqCst);
        SystemClock.now().plus(Duration::from_millis(ahead))
    }
}

#[derive(Debug)]
struct Ahead {
    by: Duration,
    clock: std::sync::Arc<dyn Clock>,
}

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        self.clock.now().plus(self.by)
    }
}

async fn start(settings: Settings, world: &World) -> Gateway {
    let shutdown = Shutdown::new();
    let app = App::start(settings, world.clone(), shutdown.clone()).await.expect("a gateway");
    let (base, ledger) = (format!("http://{}", app.address), app.ledger.clone());
    tokio::spawn(app.run());
    Gateway { base, ledger, shutdown }
}

fn settings(store: &Store, api: Api, simulated: SocketAddr) -> Settings {
    Settings {
        listen: ANY_PORT,
        tls: None,
        edge: Edge::default(),
        database: Database {
            url: store.url().into(),
            connections: 5,
            timeout: Duration::from_secs(10),
            synchronous_commit: SynchronousCommit::On,
            allow_plain: false,
            witness: None,
        },
        migrate: true,
        accounts: vec![cloud::Settings {
            account: "default".into(),
            vpcs: VpcScope::All,
            api,
            endpoints: Endpoints::simulated(simulated),
            credentials: Credentials {
                secret_id: SECRET_ID.into(),
                secret_key: SECRET_KEY.into(),
                token: None,
            },
            region: "ap-guangzhou".into(),
            signature_method: SignatureMethod::HmacSha1,
            param_style: ParamStyle::Indexed,
            timeout: Duration::from_secs(1),
            calls_per_second: 0,
        }],
        issuers: Vec::new(),
        drift: None,
        webhooks: Vec::new(),
        source: None,
        rules: Rules {
            merge_partial_groups: true,
            read_before: ReadBefore::Always,
            require_reason: None,
            poll_interval: Duration::from_millis(50),
            poll_max_interval: Duration::from_millis(200),
            task_timeout: Duration::from_secs(4),
            settle_window: Duration::from_secs(2),
        },
        fingerprint_key: FingerprintKey::derive(SECRET_KEY.as_bytes()),
        shutdown_delay: Duration::ZERO,
        shutdown_timeout: Duration::from_secs(5),
        tracing: None,
        workers: Some(1),
        max_connections: 1000,
    }
}
