//! A gateway, and a folder with plans.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Output;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::installation::Installation;
use crate::process::{Process, run};
use crate::support::Store;
use crate::support::consumer::Consumer;

/// The VPC of all tunnels here.
pub const VPC: &str = "vpc-03vihbk9";
/// The key that every tunnel begins with.
pub const FIRST_KEY: &str = "set-when-it-was-made";

pub struct Site {
    pub installation: Installation,
    pub consumer: Consumer,
    _gateway: Process,
}

/// How a command ended.
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

impl Ended {
    /// Asserts the exit code.
    pub fn with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
        self
    }

    /// The objects of `--json`.
    pub fn objects(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }
}

/// The path of a tunnel as a plan has it: `vpnx-load-1-7` is on `vpngw-load-1`.
pub fn path(tunnel: &str) -> String {
    let gateway = match tunnel.strip_prefix("vpnx-load-").and_then(|rest| rest.split_once('-')) {
        Some((number, _)) => format!("vpngw-load-{number}"),
        None => "vpngw-kfldykuz".to_owned(),
    };
    format!("{VPC}/{gateway}/{tunnel}")
}

/// The path of a tunnel as the API has it.
pub fn url_path(tunnel: &str) -> String {
    let path = path(tunnel);
    let parts: Vec<&str> = path.split('/').collect();
    format!("/vpcs/{}/gateways/{}/tunnels/{}", parts[0], parts[1], parts[2])
}

impl Site {
    pub async fn new() -> Self {
        let installation = Installation::with_tasks(Store::sqlite(), "100ms").await;
        let token = installation.token();
        // A busy machine must not end a call early.
        let env = [
            ("TUNNELGATE_LOG", "info"),
            ("TUNNELGATE_POLL_INTERVAL", "100ms"),
            ("TUNNELGATE_UPSTREAM_TIMEOUT", "30s"),
        ];
        let mut gateway = installation.serve_with_env("gateway", &["serve"], &env);
        let consumer = Consumer::new(gateway.address(), token);
        Self { installation, consumer, _gateway: gateway }
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.installation.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.file(name), text).expect("written");
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).expect("a file")
    }

    /// The state of a plan, after checking that nobody else may read it.
    pub fn state(&self, name: &str) -> Value {
        let mode = std::fs::metadata(self.file(name)).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        serde_json::from_str(&self.read(name)).expect("JSON")
    }

    fn env<'a>(&'a self, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let own = [
            ("TUNNELGATE_URL", self.consumer.base.as_str()),
            ("TUNNELGATE_TOKEN", self.consumer.token.as_str()),
        ];
        own.into_iter().chain(more.iter().copied()).collect()
    }

    /// Runs `tunnelgate rollout` to its end.
    pub fn rollout(&self, args: &[&str]) -> Ended {
        self.rollout_with(args, &[])
    }

    pub fn rollout_with(&self, args: &[&str], env: &[(&str, &str)]) -> Ended {
        let args: Vec<&str> = ["rollout"].into_iter().chain(args.iter().copied()).collect();
        run(self.installation.path(), &args, &self.env(env)).into()
    }

    /// Starts `tunnelgate rollout`.
    pub fn start(&self, name: &str, args: &[&str]) -> Process {
        let args: Vec<&str> = ["rollout"].into_iter().chain(args.iter().copied()).collect();
        Process::start(self.installation.path(), name, &args, &self.env(&[]))
    }

    pub async fn tunnel(&self, tunnel: &str) -> Value {
        self.consumer.get(&url_path(tunnel), &[]).await.json()
    }

    /// Gives each tunnel ranges of its own, some at the same time.
    pub async fn set_ranges(&self, ranges: &BTreeMap<String, String>) {
        let places = Arc::new(Semaphore::new(16));
        let changes = ranges.iter().map(|(tunnel, range)| {
            let (consumer, path, patch) =
                (self.consumer.clone(), url_path(tunnel), json!({"peer_cidrs": [range]}));
            let places = places.clone();
            tokio::spawn(async move {
                let _place = places.acquire().await.expect("a place");
                let answer = consumer.patch(&path, &patch, &[]).await;
                assert_eq!(answer.status, 202, "{}", answer.body);
                let ended = consumer.ended(answer.json()["id"].as_str().expect("an id")).await;
                assert_eq!(ended["status"], "succeeded");
            })
        });
        for change in changes.collect::<Vec<_>>() {
            change.await.expect("its end");
        }
    }

    /// The changes with this reason that the log has, by tunnel: when each was requested and when it ended.
    pub async fn changes(&self, reason: &str) -> BTreeMap<String, Vec<(String, String)>> {
        let answer = self.consumer.get("/audit-events", &[("accept", "application/x-ndjson")]).await;
        let mut begun: BTreeMap<String, (String, String)> = BTreeMap::new();
        let mut changes: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
        let events: Vec<Value> =
            answer.body.lines().map(|line| serde_json::from_str(line).expect("an event")).collect();
        let mut ordered: Vec<&Value> = events.iter().filter(|event| event["reason"] == reason).collect();
        ordered.sort_by_key(|event| event["seq"].as_i64());
        for event in ordered {
            let text = |member: &str| event[member].as_str().expect("text").to_owned();
            match event["event"].as_str() {
                Some("requested") => {
                    begun.insert(text("operation_id"), (text("tunnel_id"), text("occurred_at")));
                }
                Some("submitted") => {}
                Some("succeeded") => {
                    let (tunnel, at) = begun.remove(&text("operation_id")).expect("a request before its end");
                    changes.entry(tunnel).or_default().push((at, text("occurred_at")));
                }
                other => panic!("{other:?}: {event}"),
            }
        }
        assert!(begun.is_empty(), "operations without an end: {begun:?}");
        changes
    }

    /// How many changes the cloud has received of a tunnel.
    pub async fn received(&self, tunnel: &str) -> usize {
        let journal = self.installation.received().await;
        journal.iter().filter(|entry| entry["tunnel_id"] == tunnel).count()
    }
}

/// The token that `tunnelgate keys …` prints.
pub fn token_of(site: &Site, args: &[&str]) -> String {
    let output = site.installation.run(&[&["keys"], args].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}
