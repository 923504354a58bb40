//! `tunnelgate sandbox`, with the curl lines that it prints.

use std::process::Command;

use serde_json::Value;

use crate::process::{Process, run};
use crate::support::consumer::Consumer;

/// Runs a curl line of the sandbox in a shell, unchanged.
fn paste(curl: &str) -> String {
    let output = Command::new("sh").args(["-c", curl]).output().expect("curl runs");
    assert!(output.status.success(), "{curl}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn token(output: &str) -> Option<String> {
    let rest = &output[output.find("tg_")?..];
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
    Some(rest[..end].to_owned())
}

#[tokio::test]
async fn the_curl_lines_that_it_prints_work() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut sandbox = Process::start(folder.path(), "sandbox", &["sandbox", "--listen", "127.0.0.1:0"], &[]);
    let curl = sandbox.await_output("curl line", |output| {
        // Backslashes may continue the line; it ends at the first empty line.
        let rest = &output[output.find("curl ")?..];
        Some(rest[..rest.find("\n\n")?].to_owned())
    });
    let answer = paste(&curl);
    let start = answer.find('{').expect("a JSON body");
    let operation: Value = serde_json::from_str(&answer[start..]).expect("an operation");
    assert_eq!(operation["status"], "running", "{answer}");
    assert!(!answer.contains("tencenttest"));

    let output = sandbox.stdout();
    let token = token(&output).expect("a token");
    let base = sandbox.address();
    let consumer = Consumer::new(base, token);
    let id = operation["id"].as_str().expect("an id");
    let ended = consumer.ended(id).await;
    assert_eq!(ended["status"], "succeeded", "{ended}");
    assert_eq!(ended["verification"], serde_json::json!({"result": "confirmed"}));

    let rollback = output.split("Roll the change back").nth(1).expect("a rollback");
    let rollback = &rollback[rollback.find("curl ").expect("a curl line")..];
    let answer = paste(&rollback[..rollback.find("\n\n").expect("an empty line")]);
    let back: Value = serde_json::from_str(&answer).expect("an operation");
    assert_eq!(back["rollback_of"], id, "{answer}");
    let back = consumer.ended(back["id"].as_str().expect("an id")).await;
    assert_eq!((&back["status"], &back["changes"]), (&"succeeded".into(), &ended["before"]));

    let other = output.split("Change a tunnel of another account").nth(1).expect("another account");
    let other = &other[other.find("curl ").expect("a curl line")..];
    let answer = paste(&other[..other.find("\n\n").expect("an empty line")]);
    let other: Value = serde_json::from_str(&answer).expect("an operation");
    assert_eq!((&ended["api"], &other["api"]), (&"2.0".into(), &"3.0".into()), "{answer}");
    let other = consumer.ended(other["id"].as_str().expect("an id")).await;
    assert_eq!(other["verification"], serde_json::json!({"result": "confirmed"}), "{other}");

    let events = consumer.get(&format!("/audit-events?operation_id={id}"), &[]).await.json();
    let kinds: Vec<&str> =
        events["items"].as_array().expect("items").iter().filter_map(|e| e["event"].as_str()).collect();
    assert_eq!(kinds, ["succeeded", "submitted", "requested"]);
    assert!(sandbox.terminate().success());
}

#[test]
fn help_explains_every_command_and_shows_no_secret() {
    let folder = tempfile::tempdir().expect("a folder");
    let env = [("TENCENTCLOUD_SECRET_KEY", "canary-secret-key"), ("TENCENTCLOUD_TOKEN", "canary-token")];
    for command in ["serve", "sandbox", "simulate-cloud", "keys", "audit", "rollout", "migrate", "openapi"] {
        let output = run(folder.path(), &[command, "--help"], &env);
        assert!(output.status.success(), "{command}");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains("Usage: tunnelgate"), "{text}");
        assert!(!text.contains("canary"), "{text}");
    }
}
