//! `[[webhooks]]` of the configuration file and `tunnelgate webhooks`, with the real binary.

use serde_json::{Value, json};

use crate::installation::Installation;
use crate::process::run;
use crate::receiver::{Delivery, Receiver, Response};
use crate::serve::TUNNEL;
use crate::support::Store;
use crate::support::consumer::Consumer;

const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEW: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD9tUGEfU3";

/// A folder with secrets and a configuration.
fn folder(config: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in [
        ("tunnelgate.toml", config),
        ("hook", &format!("{OLD}\n{NEW}\n")),
        ("three", &format!("{OLD}\n{NEW}\n{OLD}\n")),
        ("blank", &format!("{OLD}\n\n{NEW}\n")),
        ("short", "whsec_AAAA\n"),
    ] {
        std::fs::write(folder.path().join(name), text).expect("written");
    }
    folder
}

fn check(folder: &tempfile::TempDir) -> (Option<i32>, String, String) {
    let env = [
        ("TUNNELGATE_CONFIG", "tunnelgate.toml"),
        ("TENCENTCLOUD_SECRET_ID", "AKID"),
        ("TENCENTCLOUD_SECRET_KEY", "key"),
        ("TENCENTCLOUD_REGION", "ap-guangzhou"),
    ];
    let output = run(folder.path(), &["config", "check"], &env);
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_check_shows_webhooks_without_their_secrets() {
    let folder = folder(
        "[[webhooks]]\nname = \"chatops\"\nurl = \"https://hooks.example.com/canary?token=canary\"\nsecret_file = \"hook\"\n\
         events = [\"diverged\", \"failed\"]\nvpcs = [\"vpc-prod-*\"]\n\n\
         [[webhooks]]\nname = \"all\"\nurl = \"http://localhost:9/\"\nsecret_file = \"hook\"\n",
    );
    let (code, shown, errors) = check(&folder);
    assert_eq!(code, Some(0), "{errors}");
    let expected = r#"
[[webhooks]]
name = "chatops"
url = "https://hooks.example.com/***"
secrets = ["***", "***"]
events = ["diverged", "failed"]
vpcs = ["vpc-prod-*"]

[[webhooks]]
name = "all"
url = "http://localhost:9/***"
secrets = ["***", "***"]
# vpcs: all
"#;
    assert!(shown.ends_with(expected), "{shown}");
}

#[test]
fn every_fault_of_a_webhook_is_told_with_its_line_and_key() {
    let folder = folder(
        r#"[[webhooks]]
name = "Chat"
url = "http://hooks.example.com/"
secret_file = "nowhere"
events = ["diverged", "broken"]
vpcs = []
secret = "canary"

[[webhooks]]
name = "two"
url = "https://user:canary@hooks.example.com/"
secret_file = "short"
events = []

[[webhooks]]
name = "two"
url = "hooks.example.com"
secret_file = "three"

[[webhooks]]
secret_file = "blank"
"#,
    );
    let (code, _, errors) = check(&folder);
    assert_eq!(code, Some(1));
    assert!(!errors.contains("canary") && !errors.contains("MfKQ"), "a secret: {errors}");
    let key = "must be whsec_ and the Base64 of 24 to 64 random bytes";
    for expected in [
        "tunnelgate.toml:2: webhooks[0].name: must be 1 to 63 characters of a-z 0-9 -".to_owned(),
        "tunnelgate.toml:3: webhooks[0].url: plain http shows the events to others on the network: use https or a \
         loopback address"
            .to_owned(),
        "tunnelgate.toml:4: webhooks[0].secret_file: can't read nowhere: No such file".to_owned(),
        "tunnelgate.toml:5: webhooks[0].events[1]: \"broken\" must be one of requested, submitted".to_owned(),
        "tunnelgate.toml:6: webhooks[0].vpcs: must have at least one item".to_owned(),
        "tunnelgate.toml:7: webhooks[0].secret: unknown key; the keys here are events, name, secret_file, url, vpcs"
            .to_owned(),
        "tunnelgate.toml:11: webhooks[1].url: must contain no user, password, fragment or blank".to_owned(),
        format!("tunnelgate.toml:12: webhooks[1].secret_file: short, line 1: {key}"),
        "tunnelgate.toml:13: webhooks[1].events: must have at least one item".to_owned(),
        "tunnelgate.toml:16: webhooks[2].name: \"two\" is the name of the webhook at line 10 already".to_owned(),
        "tunnelgate.toml:17: webhooks[2].url: must be a URL such as".to_owned(),
        "tunnelgate.toml:18: webhooks[2].secret_file: three must contain one or two secrets, one a line".to_owned(),
        "tunnelgate.toml:20: webhooks[3].name: is required".to_owned(),
        "tunnelgate.toml:20: webhooks[3].url: is required".to_owned(),
        "tunnelgate.toml:21: webhooks[3].secret_file: blank must contain one or two secrets".to_owned(),
    ] {
        assert!(errors.contains(&expected), "no {expected:?} in:\n{errors}");
    }
    assert_eq!(errors.lines().count(), 15, "{errors}");
}

fn configure(installation: &Installation, entries: &[(&str, &str)]) {
    let entry = |(name, url): &(&str, &str)| {
        format!("[[webhooks]]\nname = \"{name}\"\nurl = \"{url}\"\nsecret_file = \"hook\"\n")
    };
    let text: String = entries.iter().map(entry).collect();
    std::fs::write(installation.path().join("tunnelgate.toml"), text).expect("written");
}

async fn an_operator_adds_tests_replays_skips_and_removes_a_webhook(store: Store) {
    let receiver = Receiver::start().await;
    let installation = Installation::new(store).await;
    let secret = |text: &str| std::fs::write(installation.path().join("hook"), text).expect("written");
    secret(OLD);
    configure(&installation, &[]);
    let blocking = |args: &[&str]| {
        let output = tokio::task::block_in_place(|| installation.run(args));
        (output.status.code(), String::from_utf8(output.stdout).expect("text"))
    };
    let token = installation.token();
    let config = [("TUNNELGATE_CONFIG", "tunnelgate.toml")];
    let mut gateway = installation.serve_with_env("gateway", &["serve"], &config);
    let consumer = Consumer::new(gateway.address(), token);
    assert_eq!(blocking(&["webhooks", "replay", "one", "--from", "1"]).0, Some(2), "no such webhook");

    // Added while the gateway runs.
    configure(&installation, &[("one", &receiver.url)]);
    gateway.hang_up();
    let test = ["webhooks", "test", "one", "--config", "tunnelgate.toml"];
    let (code, said) = blocking(&test);
    let sent = receiver.took("webhook.test").await;
    assert_eq!((code, said), (Some(0), format!("taken: webhook-id {}\n", sent.id())));
    assert!(sent.is_signed_with(OLD) && sent.json()["data"] == json!({"event": null, "operation": null}));
    gateway.await_output("the webhook", |output| output.contains("the webhooks were reloaded").then_some(()));
    let list = || {
        let output = tokio::task::block_in_place(|| installation.run(&["webhooks", "list", "--json"]));
        serde_json::from_slice::<Value>(&output.stdout).expect("JSON")["items"].clone()
    };
    let standing = until(|| Some(list()[0].clone()).filter(|one| one["held_by"].is_string()));
    assert_eq!(
        (&standing["name"], &standing["seq"], &standing["lag_events"], &standing["failing"]),
        (&json!("one"), &json!(1), &json!(0), &json!(null)),
        "it begins after the event of the key"
    );

    // The receiver refuses event 3 for ever. The log line and the list say so, and neither has the URL.
    receiver.answers(|delivery| {
        let refused = delivery.json()["data"]["event"]["seq"] == 3;
        Response::Status(if refused { 422 } else { 204 })
    });
    let answer = consumer.patch(TUNNEL, &json!({"peer_cidrs": ["10.100.2.0/24"]}), &[]).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    consumer.ended(answer.json()["id"].as_str().expect("an id")).await;
    receiver.until("a refusal", |all| all.iter().any(|delivery| delivery.status == 422)).await;
    let failing = until(|| Some(list()[0].clone()).filter(|one| one["failing"].is_object()));
    assert_eq!((&failing["seq"], &failing["failing"]["problem"]), (&json!(2), &json!("HTTP status 422")));
    let (_, table) = blocking(&["webhooks", "list"]);
    assert!(table.contains("3 failed ") && table.contains("times: HTTP status 422"), "{table}");
    let skip = |seq: &str| blocking(&["webhooks", "skip", "one", "--seq", seq, "--reason", "not for us"]);
    assert_eq!(blocking(&["webhooks", "replay", "one", "--from", "3"]).0, Some(2), "it has not passed 3");
    assert_eq!(skip("4").0, Some(2), "not the next one");
    assert_eq!(skip("3"), (Some(0), "event 3 is passed for one\n".into()));
    receiver.took("webhook.skipped").await;

    // Both secrets sign.
    secret(&format!("{OLD}\n{NEW}\n"));
    gateway.hang_up();
    gateway.await_output("the secrets", |output| {
        (output.matches("the webhooks were reloaded").count() == 2).then_some(())
    });
    let before = receiver.all().len();
    receiver.answers(|_| Response::Status(204));
    assert_eq!(
        blocking(&["webhooks", "replay", "one", "--from", "3", "--as-new"]),
        (Some(0), "event 3 is the next one for one\n".into())
    );
    let all = receiver.until("the replay", |all| all.len() >= before + 3).await;
    assert_eq!(all[before..].iter().map(Delivery::seq).collect::<Vec<_>>(), [3, 4, 5]);
    assert!(all[before..].iter().all(|d| d.is_signed_with(OLD) && d.is_signed_with(NEW)));

    // The place of a webhook that is gone is deleted by hand.
    assert_eq!(blocking(&["webhooks", "forget", "one"]).0, Some(2), "in use");
    configure(&installation, &[]);
    gateway.hang_up();
    until(|| (blocking(&["webhooks", "forget", "one"]).0 == Some(0)).then_some(()));
    assert_eq!(list(), json!([]));
    let log = format!("{}{}", gateway.stdout(), gateway.stderr());
    assert!(!log.contains("whsec_") && !log.contains("MfKQ9r8GKYqr"), "a secret is in the log");
    assert!(log.contains("did not take an event"), "{log}");
    assert!(tokio::task::block_in_place(|| gateway.terminate()).success());
    assert_eq!(blocking(&["audit", "verify"]).0, Some(0));
    receiver.stop().await;
    assert_eq!(blocking(&test).0, Some(2), "the file has no webhook of this name");
}

/// Events that are read from the log together, while the filter is narrow, and delivered after it was widened.
#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_widens_while_an_event_waits_lets_the_later_ones_pass() {
    let receiver = Receiver::start().await;
    let installation = Installation::new(Store::sqlite()).await;
    let configure = |filter: &str| {
        let text = format!(
            "[[webhooks]]\nname = \"one\"\nurl = \"{}\"\nsecret_file = \"hook\"\n{filter}",
            receiver.url
        );
        std::fs::write(installation.path().join("tunnelgate.toml"), text).expect("written");
    };
    std::fs::write(installation.path().join("hook"), OLD).expect("written");
    configure("vpcs = [\"vpc-03*\"]\n");
    let token = installation.token();
    let config = [("TUNNELGATE_CONFIG", "tunnelgate.toml")];
    let mut gateway = installation.serve_with_env("gateway", &["serve"], &config);
    let consumer = Consumer::new(gateway.address(), token);
    let blocking = |args: &[&str]| tokio::task::block_in_place(|| installation.run(args)).status.code();
    let answer = consumer.patch(TUNNEL, &json!({"peer_cidrs": ["10.100.2.0/24"]}), &[]).await;
    consumer.ended(answer.json()["id"].as_str().expect("an id")).await;
    receiver.took("operation.succeeded").await;
    // An event of no VPC, which the filter leaves out.
    let key = ["keys", "create", "--name", "other", "--scope", "tunnels:read"];
    assert_eq!(blocking(&key), Some(0));
    receiver.answers(|_| Response::Status(500));
    until(|| (blocking(&["webhooks", "replay", "one", "--from", "4"]) == Some(0)).then_some(()));
    receiver.until("a refusal", |all| all.iter().any(|delivery| delivery.status == 500)).await;

    configure("");
    receiver.answers(|_| Response::Status(204));
    gateway.hang_up();
    receiver.took("key.created").await;
    let taken = receiver.taken();
    assert_eq!(taken.iter().map(Delivery::seq).collect::<Vec<_>>(), [2, 3, 4, 4, 5]);
}

/// Asks again until there is an answer.
fn until<T>(ask: impl Fn() -> Option<T>) -> T {
    let until = std::time::Instant::now() + crate::support::consumer::PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(std::time::Instant::now() < until, "no answer");
        tokio::task::block_in_place(|| std::thread::sleep(std::time::Duration::from_millis(100)));
    }
}

on_each_ledger!(an_operator_adds_tests_replays_skips_and_removes_a_webhook);
