//! `serve` and `simulate-cloud` as separate processes.

use std::path::Path;

use serde_json::Value;

use crate::process::{Process, run};
use crate::support::Store;
use crate::support::consumer::plain_client;

pub const SECRET_KEY: &str = "a-secret-key-0123456789";

/// A gateway and a simulated cloud on one machine.
pub struct Installation {
    folder: tempfile::TempDir,
    _cloud: Process,
    cloud_address: String,
    pub store: Store,
}

impl Installation {
    pub async fn new(store: Store) -> Self {
        Self::with_tasks(store, "1s").await
    }

    /// With tasks of this duration.
    pub async fn with_tasks(store: Store, duration: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let env = [("TENCENTCLOUD_SECRET_ID", "AKIDEXAMPLE"), ("TENCENTCLOUD_SECRET_KEY", SECRET_KEY)];
        let args = ["simulate-cloud", "--listen", "127.0.0.1:0", "--task-duration", duration];
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
            // Without a call budget: the time limits here leave no room for waiting.
            ("TUNNELGATE_UPSTREAM_RPS", "0".into()),
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
        self.serve_with_env(name, args, &[])
    }

    /// Starts the gateway with more variables.
    pub fn serve_with_env(&self, name: &str, args: &[&str], more: &[(&str, &str)]) -> Process {
        let env = self.env();
        let env = env.iter().map(|(n, v)| (n.as_str(), v.as_str()));
        let env: Vec<(&str, &str)> = env.chain(more.iter().copied()).collect();
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

    /// Renames a tunnel in the cloud, behind the gateway's back.
    pub async fn rename(&self, tunnel: &str, name: &str) {
        let url = format!("{}/simulator/tunnels/{tunnel}", self.cloud_address);
        let body = serde_json::json!({ "name": name }).to_string();
        let request = plain_client().patch(url).header("content-type", "application/json").body(body);
        assert!(request.send().await.expect("an answer").status().is_success());
    }

    /// What the cloud received: the simulated cloud's own list.
    pub async fn received(&self) -> Vec<Value> {
        let answer = plain_client().get(format!("{}/simulator/journal", self.cloud_address)).send().await;
        let text = answer.expect("the journal").text().await.expect("a body");
        let journal: Value = serde_json::from_str(&text).expect("JSON");
        journal.as_array().or_else(|| journal["entries"].as_array()).expect("a list").clone()
    }
}
