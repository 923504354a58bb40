//! A gateway with a simulated cloud.

use std::path::Path;

use crate::process::{Process, run};
use crate::support::Store;
use crate::support::consumer::Consumer;

pub const TUNNEL: &str = "/vpcs/vpc-03vihbk9/gateways/vpngw-kfldykuz/tunnels/vpnx-ol6bcqp0";
pub const SECRET_KEY: &str = "canary-secret-key";

/// A gateway, a simulated cloud and a key with every scope.
pub struct Gateway {
    pub folder: tempfile::TempDir,
    _cloud: Process,
    pub process: Process,
    pub consumer: Consumer,
}

impl Gateway {
    /// Starts both; `env` comes on top of the settings.
    pub fn start(store: &Store, env: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let credentials =
            [("TENCENTCLOUD_SECRET_ID", "AKIDEXAMPLE"), ("TENCENTCLOUD_SECRET_KEY", SECRET_KEY)];
        let args = ["simulate-cloud", "--listen", "127.0.0.1:0", "--task-duration", "300ms"];
        let mut cloud = Process::start(folder.path(), "cloud", &args, &credentials);
        let url = format!("{}/v2/index.php", cloud.address());
        let mut all = vec![
            ("DATABASE_URL", store.url()),
            ("TENCENTCLOUD_REGION", "ap-guangzhou"),
            ("TUNNELGATE_LISTEN", "127.0.0.1:0"),
            ("TUNNELGATE_UPSTREAM_URL", &url),
            ("TUNNELGATE_UPSTREAM_TIMEOUT", "2s"),
            ("TUNNELGATE_UPSTREAM_RPS", "0"),
            ("TUNNELGATE_POLL_INTERVAL", "200ms"),
            ("TUNNELGATE_SHUTDOWN_DELAY", "0s"),
            ("TUNNELGATE_LOG_FORMAT", "json"),
        ];
        all.extend(credentials);
        all.retain(|(name, _)| !env.iter().any(|(other, _)| other == name));
        all.extend_from_slice(env);
        let token = key(folder.path(), store, &["tunnels:read", "tunnels:write", "audit:read"]);
        let mut process = Process::start(folder.path(), "gateway", &["serve"], &all);
        let consumer = Consumer::new(process.address(), token);
        Self { folder, _cloud: cloud, process, consumer }
    }
}

/// A new key.
pub fn key(folder: &Path, store: &Store, scopes: &[&str]) -> String {
    let name = format!("key-{}", scopes.len());
    let mut args = vec!["keys", "create", "--name", &name];
    args.extend(scopes.iter().flat_map(|scope| ["--scope", scope]));
    let made = run(folder, &args, &[("DATABASE_URL", store.url())]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    String::from_utf8(made.stdout).expect("text").trim().to_owned()
}
