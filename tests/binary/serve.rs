//! `serve` and `simulate-cloud` as separate processes, on each ledger.

use std::path::Path;

use serde_json::{Value, json};

use crate::process::{Process, run};
use crate::support::Store;
use crate::support::consumer::{Consumer, plain_client};

pub const TUNNEL: &str = "/vpcs/vpc-03vihbk9/gateways/vpngw-kfldykuz/tunnels/vpnx-ol6bcqp0";
const SECRET_KEY: &str = "a-secret-key-0123456789";
const PRE_SHARED_KEY: &str = "tencenttest";

/// A gateway and a simulated cloud on one machine.
pub struct Field {
    folder: tempfile::TempDir,
    _cloud: Process,
    cloud_address: String,
    pub store: Store,
}

impl Field {
    pub async fn new(store: Store) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let env = [("TENCENTCLOUD_SECRET_ID", "AKIDEXAMPLE"), ("TENCENTCLOUD_SECRET_KEY", SECRET_KEY)];
        let args = ["simulate-cloud", "--listen", "127.0.0.1:0", "--task-duration", "1s"];
        let mut cloud = Process::start(folder.path(), "cloud", &args, &env);
        let cloud_address = cloud.address();
        Self { folder, _cloud: cloud, cloud_address, store }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    fn env(&self) -> Vec<(String, String)> {
        [
            ("DATABASE_URL", self.store.url().to_owned()),
            ("TENCENTCLOUD_SECRET_ID", "AKIDEXAMPLE".into()),
            ("TENCENTCLOUD_SECRET_KEY", SECRET_KEY.into()),
            ("TENCENTCLOUD_REGION", "ap-guangzhou".into()),
            ("TUNNELGATE_LISTEN", "127.0.0.1:0".into()),
            ("TUNNELGATE_UPSTREAM_URL", format!("{}/v2/index.php", self.cloud_address)),
            ("TUNNELGATE_UPSTREAM_TIMEOUT", "2s".into()),
            ("TUNNELGATE_POLL_INTERVAL", "200ms".into()),
            ("TUNNELGATE_SETTLE_WINDOW", "3s".into()),
            ("TUNNELGATE_SHUTDOWN_DELAY", "0s".into()),
            ("TUNNELGATE_LOG", "trace".into()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    pub fn run(&self, args: &[&str]) -> std::process::Output {
        let env = self.env();
        let env: Vec<(&str, &str)> = env.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        run(self.path(), args, &env)
    }

    pub fn serve(&self, name: &str) -> Process {
        self.serve_with(name, &["serve"])
    }

    pub fn serve_with(&self, name: &str, args: &[&str]) -> Process {
        let env = self.env();
        let env: Vec<(&str, &str)> = env.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        Process::start(self.path(), name, args, &env)
    }

    pub fn token(&self) -> String {
        let scopes = ["--scope", "tunnels:read", "--scope", "tunnels:write", "--scope", "audit:read"];
        let args: Vec<&str> = ["keys", "create", "--name", "netops-ci"].into_iter().chain(scopes).collect();
        let output = self.run(&args);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let token = String::from_utf8(output.stdout).expect("text");
        assert!(token.starts_with("tg_") && token.lines().count() == 1, "alone on stdout: {token}");
        token.trim().to_owned()
    }

    /// What the cloud received: the simulated cloud's own list.
    async fn received(&self) -> Vec<Value> {
        let answer = plain_client().get(format!("{}/simulator/journal", self.cloud_address)).send().await;
        let text = answer.expect("the journal").text().await.expect("a body");
        let journal: Value = serde_json::from_str(&text).expect("JSON");
        journal.as_array().or_else(|| journal["entries"].as_array()).expect("a list").clone()
    }
}

fn kinds(events: &Value) -> Vec<String> {
    let items = events["items"].as_array().expect("items");
    items.iter().rev().filter_map(|e| e["event"].as_str().map(str::to_owned)).collect()
}

/// Patch, poll, succeed, verify, read the audit log, check the chain.
async fn whole_story(store: Store) {
    let field = Field::new(store).await;
    let token = field.token();
    let mut gateway = field.serve("gateway");
    let consumer = Consumer::new(gateway.address(), token.clone());

    let patch = json!({"peer_cidrs": ["10.100.2.0/24"], "pre_shared_key": PRE_SHARED_KEY});
    let answer = consumer.patch(TUNNEL, &patch, &[("x-request-id", "story-1")]).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    assert_eq!(answer.headers["x-request-id"], "story-1");
    let operation = answer.json();
    let id = operation["id"].as_str().expect("an id").to_owned();
    assert_eq!(answer.headers["location"], format!("/operations/{id}").as_str());
    assert_eq!(operation["status"], "running");
    assert_eq!(operation["requested_by"], "netops-ci");

    // One change at a time on one tunnel.
    let second = consumer.patch(TUNNEL, &patch, &[]).await;
    assert_eq!((second.status, second.json()["operation_id"].as_str()), (409, Some(id.as_str())));

    let ended = consumer.ended(&id).await;
    assert_eq!(ended["status"], "succeeded", "{ended}");
    assert_eq!(ended["verification"], json!({"result": "confirmed"}));

    let events = consumer.get(&format!("/audit-events?operation_id={id}"), &[]).await;
    assert_eq!(kinds(&events.json()), ["requested", "submitted", "succeeded", "verification_confirmed"]);
    assert_eq!(field.received().await.len(), 1, "sent once");

    // A tunnel that the cloud does not know, and one that resets the connection after it has acted.
    let unknown = TUNNEL.replace("vpnx-ol6bcqp0", "vpnx-nowhere");
    let answer = consumer.patch(&unknown, &patch, &[]).await;
    assert_eq!((answer.status, answer.json()["code"].as_str()), (404, Some("tunnel_not_found")));

    let csv = consumer.get("/audit-events", &[("accept", "text/csv")]).await;
    assert_eq!(csv.body.lines().count(), 1 + 6, "{}", csv.body);

    assert!(gateway_stops(gateway), "SIGTERM ends it well");
    let verified = field.run(&["audit", "verify"]);
    assert_eq!(verified.status.code(), Some(0), "{}", String::from_utf8_lossy(&verified.stderr));
}

fn gateway_stops(gateway: Process) -> bool {
    gateway.terminate().success()
}

/// Killed while a change is under way; after the restart it is settled, and nothing is sent twice.
async fn killed_and_restarted(store: Store) {
    let field = Field::new(store).await;
    let token = field.token();
    let mut gateway = field.serve("gateway-1");
    let consumer = Consumer::new(gateway.address(), token.clone());
    let patch = json!({"peer_cidrs": ["10.100.9.0/24"]});
    let silent = TUNNEL.replace("vpnx-ol6bcqp0", "vpnx-no-answer");
    let request = {
        let consumer = consumer.clone();
        tokio::spawn(async move {
            // The gateway dies before it can answer.
            let client = plain_client();
            let _ = client
                .patch(format!("{}{silent}", consumer.base))
                .bearer_auth(&consumer.token)
                .header("content-type", "application/json")
                .body(patch.to_string())
                .send()
                .await;
        })
    };
    while field.received().await.is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    gateway.kill();
    let _ = request.await;

    let mut gateway = field.serve("gateway-2");
    let consumer = Consumer::new(gateway.address(), token);
    let operations = consumer.get("/operations", &[]).await.json();
    let id = operations["items"][0]["id"].as_str().expect("the operation is durable").to_owned();
    let ended = consumer.ended(&id).await;
    assert_eq!(field.received().await.len(), 1, "never sent again");
    let events = consumer.get(&format!("/audit-events?operation_id={id}"), &[]).await.json();
    let kinds = kinds(&events);
    assert_eq!(kinds[..2], ["requested", "outcome_unknown"], "{ended}");
    assert!(gateway_stops(gateway));
    assert!(field.run(&["audit", "verify"]).status.success());
}

crate::on_each_ledger!(whole_story, killed_and_restarted);
