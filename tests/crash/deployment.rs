//! A gateway that tests kill, a simulated cloud that keeps running, and the front between them.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::front::Front;
use crate::process::{Process, run};
use crate::support::Store;
use crate::support::consumer::{Answer, PATIENCE, plain_client};
use crate::view::View;

pub const SECRET_ID: &str = "AKIDEXAMPLE";
/// The settle window: after it, a change whose outcome is unknown counts as not carried out. The front refuses calls
/// that are half as old.
pub const SETTLE_WINDOW: Duration = Duration::from_secs(4);

/// The secrets of the processes.
pub struct Secrets {
    pub secret_key: String,
    pub token: String,
}

impl Default for Secrets {
    fn default() -> Self {
        Self { secret_key: "a-secret-key-0123456789".into(), token: String::new() }
    }
}

pub struct Deployment {
    folder: tempfile::TempDir,
    _cloud: Process,
    pub cloud_address: String,
    pub front: Front,
    pub store: Store,
    pub view: View,
    ledger: String,
    secrets: Secrets,
}

/// The variable with which a gateway speaks API 3.0.
pub const API_3: (&str, &str) = ("TUNNELGATE_UPSTREAM", "v3");

impl Deployment {
    pub fn new(store: Store) -> Self {
        let ledger = store.url().to_owned();
        Self::with(store, Secrets::default(), &ledger)
    }

    /// `ledger` is another URL of the same ledger.
    pub fn with(store: Store, secrets: Secrets, ledger: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut env = vec![
            ("TENCENTCLOUD_SECRET_ID", SECRET_ID),
            ("TENCENTCLOUD_SECRET_KEY", secrets.secret_key.as_str()),
        ];
        if !secrets.token.is_empty() {
            env.push(("TENCENTCLOUD_TOKEN", &secrets.token));
        }
        let args = ["simulate-cloud", "--listen", "127.0.0.1:0", "--task-duration", "500ms"];
        let mut cloud = Process::start(folder.path(), "cloud", &args, &env);
        let cloud_address = blocking(|| cloud.address());
        let front = Front::before(&cloud_address, store.url(), SETTLE_WINDOW / 2);
        let view = View::of(store.url());
        Self { folder, _cloud: cloud, cloud_address, front, store, view, ledger: ledger.to_owned(), secrets }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    fn env<'a>(&'a self, more: &'a [(&'a str, &'a str)], upstream: &'a str) -> Vec<(&'a str, &'a str)> {
        let mut env = vec![
            ("DATABASE_URL", self.ledger.as_str()),
            ("TENCENTCLOUD_SECRET_ID", SECRET_ID),
            ("TENCENTCLOUD_SECRET_KEY", &self.secrets.secret_key),
            ("TENCENTCLOUD_REGION", "ap-guangzhou"),
            ("TUNNELGATE_LISTEN", "127.0.0.1:0"),
            ("TUNNELGATE_UPSTREAM_URL", upstream),
            ("TUNNELGATE_UPSTREAM_TIMEOUT", "3s"),
            ("TUNNELGATE_DATABASE_TIMEOUT", "10s"),
            ("TUNNELGATE_UPSTREAM_RPS", "0"),
            ("TUNNELGATE_POLL_INTERVAL", "100ms"),
            ("TUNNELGATE_POLL_MAX_INTERVAL", "500ms"),
            ("TUNNELGATE_SETTLE_WINDOW", "4s"),
            ("TUNNELGATE_WORKERS", "1"),
        ];
        if !self.secrets.token.is_empty() {
            env.push(("TENCENTCLOUD_TOKEN", &self.secrets.token));
        }
        env.extend(more);
        env
    }

    pub fn run(&self, args: &[&str]) -> std::process::Output {
        let upstream = format!("{}/v2/index.php", self.front.address);
        blocking(|| run(self.path(), args, &self.env(&[], &upstream)))
    }

    /// Starts a gateway with these variables besides the usual ones.
    pub fn start(&self, name: &str, more: &[(&str, &str)]) -> Process {
        let path = if more.contains(&API_3) { "/" } else { "/v2/index.php" };
        let upstream = format!("{}{path}", self.front.address);
        Process::start(self.path(), name, &["serve"], &self.env(more, &upstream))
    }

    /// Starts a gateway and waits until it listens.
    pub fn serve(&self, name: &str, more: &[(&str, &str)]) -> (Process, String) {
        let mut gateway = self.start(name, more);
        let address = blocking(|| gateway.address());
        (gateway, address)
    }

    /// A key that may do everything.
    pub fn token(&self, name: &str) -> String {
        let scopes = ["--scope", "tunnels:read", "--scope", "tunnels:write", "--scope", "audit:read"];
        let args: Vec<&str> = ["keys", "create", "--name", name].into_iter().chain(scopes).collect();
        let output = self.run(&args);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    }

    /// Every change that the cloud received, oldest first.
    pub async fn journal(&self) -> Vec<Value> {
        let answer = plain_client().get(format!("{}/simulator/journal", self.cloud_address)).send().await;
        let text = answer.expect("the journal").text().await.expect("a body");
        serde_json::from_str(&text).expect("a list")
    }

    /// Every event of an operation, as `audit export` writes them.
    pub fn events(&self) -> Vec<Value> {
        let export = self.run(&["audit", "export", "--format", "ndjson"]);
        assert!(export.status.success(), "{}", String::from_utf8_lossy(&export.stderr));
        let text = String::from_utf8(export.stdout).expect("text");
        let events = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("an event"));
        events.filter(|event| !event["operation_id"].is_null()).collect()
    }

    /// Asserts that the chain is whole.
    pub fn assert_whole(&self) {
        let verified = self.run(&["audit", "verify"]);
        assert_eq!(verified.status.code(), Some(0), "{}", String::from_utf8_lossy(&verified.stdout));
    }

    /// Waits until no operation is unfinished.
    pub async fn at_peace(&self) {
        let until = Instant::now() + PATIENCE;
        let unfinished = "SELECT CAST(count(*) AS TEXT) FROM operations
                          WHERE status IN ('pending', 'running', 'unknown')";
        loop {
            let (count, left) =
                (self.view.one(unfinished).await, "SELECT CAST(count(*) AS TEXT) FROM tracking");
            if count == "0" {
                assert_eq!(self.view.one(left).await, "0", "no finished operation is tracked");
                return;
            }
            assert!(Instant::now() < until, "{count} operations do not end");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Waits for a process without blocking the other tasks.
pub fn blocking<T>(wait: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(wait)
}

pub fn path(tunnel: &str) -> String {
    format!("/vpcs/vpc-03vihbk9/gateways/vpngw-kfldykuz/tunnels/{tunnel}")
}

/// A patch that asks for one range.
pub fn asking_for(range: &str) -> Value {
    json!({ "peer_cidrs": [range] })
}

/// Sends a patch; `None` if the gateway died before its answer.
pub async fn try_patch(
    client: &reqwest::Client,
    base: &str,
    token: &str,
    tunnel: &str,
    patch: &Value,
    key: Option<&str>,
) -> Option<Answer> {
    let mut request = client
        .patch(format!("{base}{}", path(tunnel)))
        .bearer_auth(token)
        .header("content-type", "application/merge-patch+json")
        .body(patch.to_string());
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    let response = request.send().await.ok()?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = response.text().await.ok()?;
    Some(Answer { status, headers, body })
}
