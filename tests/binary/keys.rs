//! `tunnelgate keys`, and `serve` without a key.

use serde_json::{Value, json};

use crate::installation::Installation;
use crate::support::Store;
use crate::support::consumer::Consumer;

/// Runs the command, which must succeed; returns its stdout.
fn output(installation: &Installation, args: &[&str]) -> String {
    let output = installation.run(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// Runs the command, which must be refused; returns its only line on stderr.
fn refusal(installation: &Installation, args: &[&str]) -> String {
    let output = installation.run(args);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{args:?}");
    let message = String::from_utf8(output.stderr).expect("text");
    message.lines().find(|line| line.starts_with("tunnelgate: ")).expect("a message").to_owned()
}

fn item(installation: &Installation, name: &str) -> Value {
    let listed: Value =
        serde_json::from_str(&output(installation, &["keys", "list", "--json"])).expect("JSON");
    let items = listed["items"].as_array().expect("items");
    items.iter().find(|item| item["name"] == name).expect("the key").clone()
}

async fn a_rotation_prints_the_new_token_and_keeps_the_old_one(store: Store) {
    let installation = Installation::new(store).await;
    let old = installation.token();
    let mut gateway = installation.serve("gateway");
    let base = gateway.address();
    let reads = async |token: &str| {
        Consumer::new(base.clone(), token.to_owned()).get("/operations", &[]).await.status
    };
    assert_eq!(reads(&old).await, 200);

    let printed = output(&installation, &["keys", "rotate", "netops-ci"]);
    assert!(printed.starts_with("tg_") && printed.lines().count() == 1, "alone on stdout: {printed}");
    let new = printed.trim().to_owned();
    assert_ne!(new, old);
    assert_eq!((reads(&old).await, reads(&new).await), (200, 200));

    let key = item(&installation, "netops-ci");
    assert_eq!(
        (&key["state"], &key["expires_at"], &key["revoked_at"]),
        (&json!("valid"), &Value::Null, &Value::Null)
    );
    assert_eq!(key["grants"][0], json!({"scope": "tunnels:read", "vpcs": null}));
    let tokens = key["tokens"].as_array().expect("tokens");
    assert_eq!(tokens.len(), 2);
    assert!(tokens[0]["valid_until"].is_string() && tokens[1]["valid_until"].is_null(), "{key}");
    let table = output(&installation, &["keys", "list"]);
    let row: Vec<&str> =
        table.lines().nth(1).expect("a row").split("  ").filter(|cell| !cell.is_empty()).collect();
    assert_eq!((row[0], row[1], row[3].trim()), ("netops-ci", "valid", "never"), "{table}");
    let until = tokens[0]["valid_until"].as_str().expect("text");
    assert!(table.contains(&format!("until {}", &until[..19])), "{table}");
    for token in [&old, &new] {
        assert!(!table.contains(&token[3..]) && !key.to_string().contains(&token[3..]), "no token");
    }

    // At once, with a new lifetime. A second gateway has neither token in its cache.
    let newest =
        output(&installation, &["keys", "rotate", "netops-ci", "--overlap", "0", "--expires-in", "90d"]);
    let mut second = installation.serve("second");
    let base = second.address();
    for (token, status) in [(&old, 401), (&new, 401), (&newest, 200)] {
        let consumer = Consumer::new(base.clone(), token.trim().to_owned());
        assert_eq!(consumer.get("/operations", &[]).await.status, status);
    }
    let key = item(&installation, "netops-ci");
    assert_eq!(key["tokens"].as_array().map(Vec::len), Some(1));
    assert!(key["expires_at"].is_string());

    // Stopping stores the last use, so that no use is lost.
    assert!(second.terminate().success());
    assert!(gateway.terminate().success());
    let key = item(&installation, "netops-ci");
    let day = key["last_used_on"].as_str().expect("a day");
    assert!(day.len() == 10 && day == key["tokens"][0]["last_used_on"], "{key}");
    assert!(output(&installation, &["keys", "list"]).contains(day));

    output(&installation, &["keys", "revoke", "netops-ci"]);
    let key = item(&installation, "netops-ci");
    assert_eq!((&key["state"], &key["tokens"]), (&json!("revoked"), &json!([])), "its tokens ended with it");
    assert!(
        refusal(&installation, &["keys", "rotate", "netops-ci"])
            .contains("there is no API key \"netops-ci\", or it is revoked already")
    );
    let csv = output(&installation, &["audit", "export", "--format", "csv"]);
    let kinds: Vec<&str> = csv.lines().skip(1).filter_map(|line| line.split(',').nth(4)).collect();
    assert_eq!(kinds, ["key_created", "key_rotated", "key_rotated", "key_revoked"]);
    output(&installation, &["audit", "verify"]);
}

async fn an_expired_key_needs_a_new_lifetime(store: Store) {
    let installation = Installation::new(store).await;
    output(
        &installation,
        &["keys", "create", "--name", "短い", "--scope", "audit:read", "--expires-in", "1ms"],
    );
    let message = refusal(&installation, &["keys", "rotate", "短い"]);
    assert!(message.contains("NAME") && message.contains("--expires-in"), "{message}");
    output(&installation, &["keys", "rotate", "短い", "--expires-in", "1d"]);
    let key = item(&installation, "短い");
    assert_eq!((&key["state"], key["tokens"].as_array().map(Vec::len)), (&json!("valid"), Some(1)), "{key}");
}

async fn serve_without_a_key_says_how_to_make_one(store: Store) {
    let installation = Installation::new(store).await;
    let mut gateway = installation.serve("gateway");
    let base = gateway.address();
    gateway.await_output("a warning", |output| {
        output
            .lines()
            .find(|line| line.contains("no caller can sign in") && line.contains("tunnelgate keys create"))
            .map(drop)
    });
    // It serves, and a key works at once.
    let token = installation.token();
    assert_eq!(Consumer::new(base, token).get("/operations", &[]).await.status, 200);
    assert!(gateway.terminate().success());
    let mut gateway = installation.serve("again");
    gateway.address();
    assert!(gateway.stderr().contains("listening"));
    let log = gateway.stderr();
    assert!(gateway.terminate().success());
    assert!(!log.contains("no caller can sign in"), "{log}");
}

on_each_ledger!(
    a_rotation_prints_the_new_token_and_keeps_the_old_one,
    an_expired_key_needs_a_new_lifetime,
    serve_without_a_key_says_how_to_make_one,
);
