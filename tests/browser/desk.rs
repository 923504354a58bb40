//! A gateway and a browser that shows its console.

use std::path::Path;

use serde_json::{Value, json};

use crate::driver::Browser;
use crate::process::{Process, run};
use crate::support::consumer::Consumer;
use crate::support::nginx::{Front, Nginx};

pub const GATEWAY: &str = "/vpcs/vpc-03vihbk9/gateways/vpngw-kfldykuz/tunnels/";

/// A gateway with a simulated cloud, and a browser in front of it.
pub struct Desk {
    pub folder: tempfile::TempDir,
    pub browser: Browser,
    /// A consumer with every scope.
    pub consumer: Consumer,
    _sandbox: Process,
    _nginx: Option<Nginx>,
}

impl Desk {
    pub async fn new(task_duration: &str) -> Self {
        Self::at(None, task_duration).await
    }

    /// The same behind nginx, which strips `/tunnelgate`.
    pub async fn behind_nginx(task_duration: &str) -> Self {
        Self::at(Some(Front::new()), task_duration).await
    }

    async fn at(front: Option<Front>, task_duration: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let args = ["sandbox", "--listen", "127.0.0.1:0", "--keep", ".", "--task-duration", task_duration];
        let public = front.as_ref().map(|front| front.url("/tunnelgate"));
        let env: Vec<_> = public.iter().map(|url| ("TUNNELGATE_PUBLIC_URL", url.as_str())).collect();
        let mut sandbox = Process::start(folder.path(), "sandbox", &args, &env);
        let address = sandbox.address();
        let nginx = front.map(|front| front.nginx(&address, ""));
        let base = public.unwrap_or(address);
        let token = key(folder.path(), "netops-ci", &["tunnels:read", "tunnels:write", "audit:read"]);
        let consumer = Consumer::new(base, token);
        Self { folder, browser: Browser::start().await, consumer, _sandbox: sandbox, _nginx: nginx }
    }

    pub async fn open(&self, hash: &str) {
        self.browser.open(&format!("{}/{hash}", self.consumer.base)).await;
    }

    /// Signs in with a token.
    pub async fn sign_in(&self, token: &str) {
        self.browser.type_into("#token", token).await;
        self.browser.click(".sign-in button").await;
    }

    /// Requests a change; returns its operation's id.
    pub async fn change(&self, tunnel: &str, patch: &Value) -> String {
        let answer = self.consumer.patch(&format!("{GATEWAY}{tunnel}"), patch, &[]).await.json();
        let id = answer["id"].as_str().or_else(|| answer["operation_id"].as_str());
        id.unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// All operations, newest first.
    pub async fn operations(&self) -> Vec<Value> {
        let page = self.consumer.get("/operations", &[]).await.json();
        page["items"].as_array().expect("items").clone()
    }

    /// Asserts that the page requested nothing from other hosts and that the browser reported no errors.
    pub async fn was_clean(&self) {
        self.was_clean_but_for(&[]).await;
    }

    /// The same, if refusals with these statuses were expected: a browser reports each.
    pub async fn was_clean_but_for(&self, statuses: &[&str]) {
        let base = &self.consumer.base;
        let asked = self.browser.requested().await;
        assert!(asked.len() > 10, "{asked:?}");
        for address in asked {
            let is_ours = address.starts_with(base)
                || ["data:", "blob:", "chrome:", "chrome-untrusted:"].iter().any(|s| address.starts_with(s));
            assert!(is_ours, "the page requested {address}");
            assert!(!address.contains("tg_"), "a token is in {address}");
        }
        let mut complaints = self.browser.complaints().await;
        let refusals: Vec<String> = statuses.iter().map(|status| format!("a status of {status}")).collect();
        complaints.retain(|complaint| !refusals.iter().any(|refusal| complaint.contains(refusal)));
        assert!(complaints.is_empty(), "{complaints:#?}");
    }
}

/// A new key's token.
pub fn key(folder: &Path, name: &str, scopes: &[&str]) -> String {
    let mut args = vec!["keys", "create", "--name", name];
    for scope in scopes {
        args.extend(["--scope", scope]);
    }
    let made = run(folder, &args, &[("DATABASE_URL", "sqlite:tunnelgate.db")]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    String::from_utf8(made.stdout).expect("text").trim().to_owned()
}

pub fn revoke(folder: &Path, name: &str) {
    let args = ["keys", "revoke", "--name", name];
    assert!(run(folder, &args, &[("DATABASE_URL", "sqlite:tunnelgate.db")]).status.success());
}

/// The cells of a table, in one line.
pub fn in_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

pub fn ranges() -> Value {
    json!({"peer_cidrs": ["10.100.2.0/24"]})
}
