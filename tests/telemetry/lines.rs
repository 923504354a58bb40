//! Log lines against `docs/logs.schema.json`, and attempts to forge them.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::gateway::{Gateway, TUNNEL, key};
use crate::process::run;
use crate::support::Store;
use crate::support::consumer::Consumer;

/// Checks the lines with a validator of JSON Schema.
fn check(lines: &str) {
    let python =
        std::env::var("TUNNELGATE_TEST_PYTHON").expect("run scripts/telemetry: it installs jsonschema");
    let place = env!("CARGO_MANIFEST_DIR");
    let mut checker = Command::new(python)
        .args([format!("{place}/tests/telemetry/check_lines.py"), format!("{place}/docs/logs.schema.json")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python runs");
    checker.stdin.take().expect("stdin").write_all(lines.as_bytes()).expect("written");
    let output = checker.wait_with_output().expect("an end");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

fn messages(lines: &str) -> Vec<String> {
    let parsed = lines.lines().map(|line| serde_json::from_str::<Value>(line).expect(line));
    parsed.filter_map(|line| line["message"].as_str().map(str::to_owned)).collect()
}

async fn every_line_of_a_run_fits_the_schema(store: Store) {
    let env = [
        ("TUNNELGATE_LOG", "debug"),
        ("TUNNELGATE_UNKNOWN", "x"),
        ("TUNNELGATE_FAILPOINTS", "track.claimed=panic(canary)"),
        ("TUNNELGATE_SETTLE_WINDOW", "1s"),
    ];
    let gateway = Gateway::start(&store, &env);
    let patch = json!({"peer_cidrs": ["10.100.2.0/24"]});
    let trace = [("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")];
    assert_eq!(gateway.consumer.patch(TUNNEL, &patch, &trace).await.status, 202);
    let reader = key(gateway.folder.path(), &store, &["tunnels:read"]);
    let reader = Consumer::new(gateway.consumer.base.clone(), reader);
    assert_eq!(reader.patch(TUNNEL, &patch, &[("user-agent", "a\"b\\c")]).await.status, 403);
    let broken = TUNNEL.replace("vpnx-ol6bcqp0", "vpnx-no-answer");
    gateway.consumer.patch(&broken, &patch, &[]).await;
    let mut gateway = gateway;
    gateway.process.await_output("a panic", |output| output.find("panic: this is a bug"));
    gateway.process.await_output("a change of status", |output| output.find("operation changed its status"));
    let log = gateway.folder.path().join("gateway.err");
    assert!(gateway.process.terminate().success());
    let lines = std::fs::read_to_string(log).expect("the log");
    check(&lines);
    let messages = messages(&lines);
    for message in [
        "unknown environment variable; `tunnelgate serve --help` lists the settings",
        "answered",
        "called the cloud",
        "no usable answer from the cloud",
        "the cloud answers again",
        "operation changed its status",
        "panic: this is a bug",
        "shutting down: finishing the work in progress",
        "shutdown complete",
    ] {
        assert!(messages.iter().any(|found| found == message), "{message} is not in {messages:#?}");
    }
    assert!(lines.contains("\"trace_id\":\"0af7651916cd43dd8448eb211c80319c\""), "{lines}");
    assert!(!lines.contains("canary"), "{lines}");
}

on_each_ledger!(every_line_of_a_run_fits_the_schema);

/// A name that would end the line, begin another one, and turn the text around.
const FORGED: &str = "TUNNELGATE_X\n2026-01-01T00:00:00Z ERROR tunnelgate: forged\r\u{2028}{\"level\":\"ERROR\"}\u{202e}\u{1b}[31m";

#[test]
fn no_name_forges_a_line() {
    let folder = tempfile::tempdir().expect("a folder");
    for format in ["human", "json"] {
        let output = run(folder.path(), &["openapi"], &[(FORGED, "x"), ("TUNNELGATE_LOG_FORMAT", format)]);
        assert!(output.status.success());
        let lines = String::from_utf8(output.stderr).expect("text");
        assert_eq!(lines.lines().count(), 1, "{lines}");
        let is_control = |c: char| c != '\n' && (c.is_control() || matches!(c, '\u{2028}' | '\u{202e}'));
        assert!(!lines.chars().any(is_control), "{lines:?}");
        if format == "json" {
            check(&lines);
            let line: Value = serde_json::from_str(&lines).expect("JSON");
            assert_eq!((&line["name"], &line["level"]), (&json!(FORGED), &json!("WARN")));
        }
    }
}
