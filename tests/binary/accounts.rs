//! Several accounts in one process, and what changes about them while it runs.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::process::{Process, run};
use crate::support::Store;
use crate::support::consumer::Consumer;

const OFFICE: &str = "/vpcs/vpc-03vihbk9/gateways/vpngw-kfldykuz/tunnels/vpnx-load-1";
const PROD: &str = "/vpcs/vpc-prod-1/gateways/vpngw-prod1/tunnels/vpnx-prod1";

/// A gateway with an account on each of two simulated clouds.
struct Company {
    folder: tempfile::TempDir,
    office: Process,
    prod: Process,
    store: Store,
}

/// Writes a file in one step, as tools that rotate secrets do.
fn write(file: &Path, text: &str) {
    let new = file.with_extension("new");
    std::fs::write(&new, text).expect("written");
    std::fs::rename(new, file).expect("renamed");
}

impl Company {
    /// The cloud of the office accepts two keys, the other one a key of its own. Its tasks take a minute.
    fn new(store: Store) -> Self {
        Self::with(store, "60s")
    }

    fn with(store: Store, prod_tasks: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let cloud = |name: &str, keys: &str, duration: &str| {
            let env = [("TENCENTCLOUD_SECRET_ID", name), ("TENCENTCLOUD_SECRET_KEY", keys)];
            let args = ["simulate-cloud", "--listen", "127.0.0.1:0", "--task-duration", duration];
            Process::start(folder.path(), name, &args, &env)
        };
        let (office, prod) =
            (cloud("office", "office-1\noffice-2", "1s"), cloud("prod", "prod-1", prod_tasks));
        for (name, secret) in [("fingerprint", "a key"), ("office.key", "office-1"), ("prod.key", "prod-1")] {
            write(&folder.path().join(name), secret);
        }
        let mut company = Self { folder, office, prod, store };
        company.configure(true);
        company
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// Writes the configuration, with the account `prod` or without it.
    fn configure(&mut self, has_prod: bool) {
        let section = |name: &str, vpcs: &str, api: &str, region: &str, url: String| {
            format!(
                "[[accounts]]\nname = \"{name}\"\nvpcs = [\"{vpcs}\"]\napi = \"{api}\"\nregion = \"{region}\"\nrps = 0\n\
                 secret_id = \"{name}\"\nsecret_key_file = \"{name}.key\"\nurl = \"{url}\"\n\n"
            )
        };
        let mut text = "fingerprint_key_file = \"fingerprint\"\n\n".to_owned();
        text += &section(
            "office",
            "vpc-0*",
            "v2",
            "ap-guangzhou",
            format!("{}/v2/index.php", self.office.address()),
        );
        if has_prod {
            text += &section("prod", "vpc-prod-*", "v3", "ap-shanghai", format!("{}/", self.prod.address()));
        }
        write(&self.file("tunnelgate.toml"), &text);
    }

    fn env(&self) -> Vec<(&str, &str)> {
        vec![
            ("DATABASE_URL", self.store.url()),
            ("TUNNELGATE_CONFIG", "tunnelgate.toml"),
            ("TUNNELGATE_LISTEN", "127.0.0.1:0"),
            ("TUNNELGATE_POLL_INTERVAL", "200ms"),
            ("TUNNELGATE_TASK_TIMEOUT", "6s"),
            ("TUNNELGATE_SETTLE_WINDOW", "3s"),
            ("TUNNELGATE_SHUTDOWN_DELAY", "0s"),
        ]
    }

    fn serve(&self) -> (Process, Consumer) {
        let scopes = ["--scope", "tunnels:read", "--scope", "tunnels:write", "--scope", "audit:read"];
        let args: Vec<&str> = ["keys", "create", "--name", "netops-ci"].into_iter().chain(scopes).collect();
        let key = run(self.folder.path(), &args, &[("DATABASE_URL", self.store.url())]);
        let token = String::from_utf8(key.stdout).expect("text").trim().to_owned();
        let mut gateway = Process::start(self.folder.path(), "gateway", &["serve"], &self.env());
        let consumer = Consumer::new(gateway.address(), token);
        (gateway, consumer)
    }
}

/// Waits until the log has a text so many times.
fn await_log(gateway: &mut Process, text: &str, times: usize) {
    gateway.await_output(text, |output| (output.matches(text).count() >= times).then_some(()));
}

async fn metric(consumer: &Consumer, name: &str) -> Option<String> {
    let metrics = consumer.get("/metrics", &[]).await.body;
    metrics.lines().find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()))
}

/// Reads a tunnel again and again until it is stopped; counts the answers and those that are no 200.
struct Load {
    is_over: Arc<AtomicBool>,
    answers: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<Vec<String>>,
}

impl Load {
    fn start(consumer: &Consumer) -> Self {
        let (is_over, answers) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (consumer, over, count) = (consumer.clone(), is_over.clone(), answers.clone());
        let task = tokio::spawn(async move {
            let mut failed = Vec::new();
            while !over.load(Ordering::Relaxed) {
                let answer = consumer.get(OFFICE, &[]).await;
                if answer.status != 200 {
                    failed.push(answer.body);
                }
                count.fetch_add(1, Ordering::Relaxed);
            }
            failed
        });
        Self { is_over, answers, task }
    }

    /// Waits for more answers.
    async fn goes_on(&self, answers: u64) {
        let wanted = self.answers.load(Ordering::Relaxed) + answers;
        while self.answers.load(Ordering::Relaxed) < wanted {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn stop(self) -> Vec<String> {
        self.is_over.store(true, Ordering::Relaxed);
        self.task.await.expect("the load")
    }
}

async fn each_vpc_has_its_account_and_api_and_a_key_rotates_under_load(store: Store) {
    let company = Company::with(store, "1s");
    let (mut gateway, consumer) = company.serve();
    let mut changes = Vec::new();
    for (path, route) in [(OFFICE, ["office", "ap-guangzhou", "2.0"]), (PROD, ["prod", "ap-shanghai", "3.0"])]
    {
        let answer = consumer.patch(path, &json!({"peer_cidrs": ["10.100.2.0/24"]}), &[]).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        let operation = answer.json();
        assert_eq!(
            ["account", "region", "api"].map(|name| operation[name].clone()),
            route.map(|word| json!(word))
        );
        changes.push(operation["id"].as_str().expect("an id").to_owned());
    }
    for id in &changes {
        assert_eq!(consumer.ended(id).await["verification"], json!({"result": "confirmed"}));
    }
    let nowhere = OFFICE.replace("vpc-03vihbk9", "vpc-elsewhere");
    let answer = consumer.patch(&nowhere, &json!({"peer_cidrs": ["10.100.2.0/24"]}), &[]).await;
    assert_eq!(answer.problem(), (404, "vpc_not_served".into()));
    assert_eq!(consumer.get(&nowhere, &[]).await.problem(), (404, "vpc_not_served".into()));

    let load = Load::start(&consumer);
    load.goes_on(20).await;
    write(&company.file("office.key"), "office-2");
    await_log(&mut gateway, "the accounts were reloaded", 1);
    load.goes_on(20).await;
    for id in &changes {
        let answer = consumer.raw("POST", &format!("/operations/{id}/rollback"), "", &[]).await;
        let back = consumer.ended(answer.json()["id"].as_str().expect("an operation")).await;
        assert_eq!((&back["status"], &back["rollback_of"]), (&json!("succeeded"), &json!(id)), "{back}");
        assert_eq!(back["changes"]["peer_cidrs"], json!(["172.16.0.0/16"]));
    }
    assert_eq!(load.stop().await, [""; 0]);
    let log = consumer.get("/audit-events?account=prod", &[]).await.json();
    let events: Vec<_> =
        log["items"].as_array().expect("items").iter().map(|item| item["event"].clone()).collect();
    assert_eq!(events, ["succeeded", "submitted", "requested"].repeat(2));
    let verified = run(company.folder.path(), &["audit", "verify"], &[("DATABASE_URL", company.store.url())]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));

    // The control: the key's file is what the calls are signed with.
    write(&company.file("office.key"), "revoked");
    gateway.hang_up();
    await_log(&mut gateway, "the accounts were reloaded", 2);
    assert_eq!(consumer.get(OFFICE, &[]).await.problem(), (502, "upstream_credentials".into()));
    assert_eq!(consumer.get(PROD, &[]).await.status, 200);
    assert!(gateway.terminate().success());
}

async fn settings_that_are_wrong_change_nothing(store: Store) {
    let mut company = Company::new(store);
    let (mut gateway, consumer) = company.serve();
    let valid = "tunnelgate_config_last_reload_successful";
    assert_eq!(metric(&consumer, valid).await.as_deref(), Some("1"));
    write(&company.file("tunnelgate.toml"), "[[accounts]]\nnme = \"office\"\n");
    // Without a signal: the file is followed.
    await_log(&mut gateway, "tunnelgate.toml:2: accounts[0].nme: unknown key", 1);
    assert_eq!(metric(&consumer, valid).await.as_deref(), Some("0"));
    assert_eq!(metric(&consumer, "tunnelgate_config_reload_failures_total").await.as_deref(), Some("1"));
    assert_eq!((consumer.get(OFFICE, &[]).await.status, consumer.get(PROD, &[]).await.status), (200, 200));
    company.configure(true);
    gateway.hang_up();
    await_log(&mut gateway, "the settings of accounts and issuers are valid again", 1);
    assert_eq!(metric(&consumer, valid).await.as_deref(), Some("1"));
    assert!(gateway.terminate().success());
}

async fn drift_checks_begin_and_end_with_their_section(store: Store) {
    let mut company = Company::new(store);
    company.configure(true);
    let (mut gateway, consumer) = company.serve();
    let interval = async || metric(&consumer, "tunnelgate_drift_interval_seconds").await;
    assert_eq!(interval().await, None);
    let file = company.file("tunnelgate.toml");
    let without = std::fs::read_to_string(&file).expect("the file");
    write(&file, &format!("{without}\n[drift]\ninterval = \"5m\"\n"));
    gateway.hang_up();
    await_log(&mut gateway, "the interval of drift checks was reloaded", 1);
    assert_eq!(interval().await.as_deref(), Some("{} 300.0"));
    write(&file, &without);
    gateway.hang_up();
    await_log(&mut gateway, "tunnels are not checked for drift any more", 1);
    assert_eq!(interval().await, None);
    assert!(gateway.terminate().success());
}

async fn an_operation_whose_account_is_gone_waits_and_times_out(store: Store) {
    let mut company = Company::new(store);
    let (mut gateway, consumer) = company.serve();
    let answer = consumer.patch(PROD, &json!({"peer_cidrs": ["10.100.2.0/24"]}), &[]).await;
    let id = answer.json()["id"].as_str().expect("an id").to_owned();
    company.configure(false);
    gateway.hang_up();
    await_log(&mut gateway, "the accounts were reloaded", 1);
    let waiting = metric(&consumer, "tunnelgate_operations_without_account{account=\"prod\"}").await;
    assert_eq!(waiting.as_deref(), Some("1"));
    assert_eq!(consumer.get(PROD, &[]).await.problem(), (404, "vpc_not_served".into()));
    let ended = consumer.ended(&id).await;
    assert_eq!(ended["status"], "timed_out", "{ended}");
    let detail = ended["error"]["detail"].as_str().expect("a detail");
    assert!(
        detail.contains("the account prod (ap-shanghai, API 3.0) is not configured any more"),
        "{detail}"
    );
    assert_eq!(metric(&consumer, "tunnelgate_operations_without_account{").await, None);
    assert!(gateway.terminate().success());
}

/// Kubernetes writes a secret to a new folder and swaps a symbolic link.
async fn the_files_of_a_single_account_are_followed_through_symbolic_links(store: Store) {
    let mut company = Company::new(store);
    let (old, new) = (company.file("old"), company.file("new"));
    for (folder, key) in [(&old, "office-1"), (&new, "office-2")] {
        std::fs::create_dir(folder).expect("a folder");
        write(&folder.join("key"), key);
    }
    symlink(&old, company.file("data")).expect("a link");
    let url = format!("{}/v2/index.php", company.office.address());
    let mut env: Vec<(&str, &str)> =
        company.env().into_iter().filter(|(name, _)| *name != "TUNNELGATE_CONFIG").collect();
    env.extend([
        ("TENCENTCLOUD_SECRET_ID", "office"),
        ("TENCENTCLOUD_SECRET_KEY_FILE", "data/key"),
        ("TENCENTCLOUD_REGION", "ap-guangzhou"),
        ("TUNNELGATE_UPSTREAM_URL", url.as_str()),
    ]);
    let mut gateway = Process::start(company.folder.path(), "gateway", &["serve"], &env);
    gateway.address();
    symlink(&new, company.file("data.new")).expect("a link");
    std::fs::rename(company.file("data.new"), company.file("data")).expect("renamed");
    await_log(&mut gateway, "the accounts were reloaded accounts=\"default\"", 1);
    assert!(gateway.terminate().success());
}

/// Reading a pipe that nothing writes to never ends, as on a network file system whose server is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_can_not_be_read_to_its_end_stops_neither_the_service_nor_its_end() {
    let company = Company::new(Store::sqlite());
    let (mut gateway, consumer) = company.serve();
    let pipe = company.file("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    std::fs::rename(&pipe, company.file("office.key")).expect("renamed");
    gateway.hang_up();
    await_log(&mut gateway, "reading the configuration took longer than 5 seconds", 1);
    assert_eq!(consumer.get(OFFICE, &[]).await.status, 200);
    assert!(gateway.terminate().success());
}

on_each_ledger!(
    each_vpc_has_its_account_and_api_and_a_key_rotates_under_load,
    settings_that_are_wrong_change_nothing,
    drift_checks_begin_and_end_with_their_section,
    an_operation_whose_account_is_gone_waits_and_times_out,
    the_files_of_a_single_account_are_followed_through_symbolic_links,
);
