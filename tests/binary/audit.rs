//! `tunnelgate audit`, and the claims of `docs/audit-format.md` and `docs/postgres-roles.md`.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use tunnelgate::service::export::COLUMNS;

use crate::installation::Installation;
use crate::serve::TUNNEL;
use crate::support::Store;
use crate::support::consumer::{Consumer, PATIENCE};

/// The code blocks of a language in a document, in order.
fn blocks<'a>(document: &'a str, kind: &str) -> Vec<&'a str> {
    let fence = format!("```{kind}\n");
    document.split(&fence).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

/// Runs the program for auditors from the document.
fn recomputed(export: &[u8]) -> Output {
    let document = include_str!("../../docs/audit-format.md");
    let script = blocks(document, "python")[0];
    let mut python = Command::new("python3")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python3 (scripts/test installs it)");
    python.stdin.take().expect("its input").write_all(export).expect("it reads");
    python.wait_with_output().expect("its end")
}

/// A log with two changes, one of them with text in several scripts.
async fn some_events(installation: &Installation) -> Consumer {
    let token = installation.token();
    let mut gateway = installation.serve("gateway");
    let consumer = Consumer::new(gateway.address(), token);
    let patch = json!({"name": "上海 \u{1F310} \"office\" \\ ü", "peer_cidrs": ["10.100.2.0/24"], "pre_shared_key": "q"});
    let answer = consumer.patch(TUNNEL, &patch, &[("user-agent", "=netops/1 (é\u{202e}\u{2028})")]).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    consumer.ended(answer.json()["id"].as_str().expect("an id")).await;
    let refused = TUNNEL.replace("vpnx-ol6bcqp0", "vpnx-credentials");
    assert_eq!(consumer.patch(&refused, &patch, &[]).await.status, 502);
    assert!(gateway.terminate().success());
    consumer
}

async fn an_auditor_can_recompute_an_export(store: Store) {
    let installation = Installation::new(store).await;
    some_events(&installation).await;
    let export = installation.run(&["audit", "export", "--format", "ndjson"]);
    assert!(export.status.success());
    let checked = recomputed(&export.stdout);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    assert_eq!(String::from_utf8_lossy(&checked.stdout), "whole: 6 events\n");

    let text = String::from_utf8(export.stdout).expect("text");
    let changed = text.replacen("vpnx-credentials", "vpnx-elsewhere", 1);
    let checked = recomputed(changed.as_bytes());
    assert_eq!(String::from_utf8_lossy(&checked.stderr), "broken at seq 5\n");
}

async fn verify_says_whole_broken_or_could_not_look(store: Store) {
    let installation = Installation::new(store).await;
    some_events(&installation).await;
    let whole = installation.run(&["audit", "verify"]);
    assert_eq!(whole.status.code(), Some(0));
    let output = String::from_utf8(whole.stdout).expect("text");
    assert!(output.starts_with("whole: 6 events, newest seq 6 hash "), "{output}");

    let hash = output.trim().rsplit(' ').next().expect("a hash");
    let kept = installation.path().join("kept.json");
    let checkpoint =
        |seq: u32| format!(r#"{{"seq":{seq},"hash":"{hash}","at":"2026-01-01T00:00:00.000000Z"}}"#);
    let verify = || installation.run(&["audit", "verify", "--checkpoint", "kept.json"]);
    std::fs::write(&kept, checkpoint(6)).expect("written");
    assert_eq!(verify().status.code(), Some(0));
    std::fs::write(&kept, checkpoint(7)).expect("written");
    let cut_off = verify();
    assert_eq!(cut_off.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&cut_off.stdout).contains("its tail was cut off"));
    std::fs::write(&kept, "{}").expect("written");
    assert_eq!(verify().status.code(), Some(2), "an invalid checkpoint");

    let disarm = if installation.store.is_postgres() {
        "ALTER TABLE audit_events DISABLE TRIGGER USER"
    } else {
        "DROP TRIGGER audit_events_no_update"
    };
    installation.store.execute(disarm).await.expect(disarm);
    installation
        .store
        .execute("UPDATE audit_events SET actor = 'nobody' WHERE seq = 3")
        .await
        .expect("changed");
    let broken = installation.run(&["audit", "verify"]);
    assert_eq!(broken.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&broken.stdout).starts_with("broken at seq 3: "));

    let nowhere = installation.run(&["audit", "verify", "--database-url", "sqlite:no/such/folder/ledger.db"]);
    assert_eq!(nowhere.status.code(), Some(2));
}

/// Whether a column of an export equals the table's: JSON by value, other types byte for byte.
fn says_the_same(column: &str, exported: &str, stored: &str) -> bool {
    if !matches!(column, "changes" | "before" | "sent" | "outcome" | "upstream") {
        return exported == stored;
    }
    let value = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
    value(exported) == value(stored)
}

async fn an_export_is_the_table(store: Store) {
    let installation = Installation::new(store).await;
    some_events(&installation).await;
    let rows = installation.store.audit_rows().await;
    assert_eq!(rows.len(), 6);
    for column in ["changes", "before", "sent", "outcome", "upstream"] {
        let index = COLUMNS.iter().position(|name| *name == column).expect("a column");
        assert!(rows.iter().any(|row| row[index].is_some()), "{column}");
    }

    let ndjson = installation.run(&["audit", "export", "--format", "ndjson"]);
    let text = String::from_utf8(ndjson.stdout).expect("text");
    assert_eq!(text.lines().count(), rows.len());
    assert!(text.contains(r"=netops/1 (é\u202e\u2028)"), "escaped: {text}");
    for (line, row) in text.lines().zip(&rows) {
        let event: serde_json::Map<String, Value> = serde_json::from_str(line).expect("an object");
        assert_eq!(event.len(), COLUMNS.len());
        for (column, stored) in COLUMNS.iter().zip(row) {
            let same = match (&event[*column], stored) {
                (Value::Null, None) => true,
                (Value::String(exported), Some(stored)) => exported == stored,
                (exported, Some(stored)) => says_the_same(column, &exported.to_string(), stored),
                (_, None) => false,
            };
            assert!(same, "{column}: {stored:?} in {line}");
        }
    }

    let raw = ["audit", "export", "--format", "csv", "--raw", "--output", "log.csv"];
    assert!(installation.run(&raw).status.success());
    let mut reader = csv::Reader::from_path(installation.path().join("log.csv")).expect("the file");
    assert_eq!(reader.headers().expect("a header").iter().collect::<Vec<_>>(), COLUMNS);
    let records: Vec<csv::StringRecord> = reader.records().map(|record| record.expect("a record")).collect();
    assert_eq!(records.len(), rows.len());
    for (record, row) in records.iter().zip(&rows) {
        for ((column, exported), stored) in COLUMNS.iter().zip(record).zip(row) {
            let same =
                stored.as_ref().map_or(exported.is_empty(), |stored| says_the_same(column, exported, stored));
            assert!(same, "{column}: {stored:?}, exported as {exported}");
        }
    }

    // For a spreadsheet: no formula, nothing that hides, and with a byte order mark if asked for.
    let safe = installation.run(&["audit", "export", "--format", "csv", "--bom"]).stdout;
    let safe = String::from_utf8(safe).expect("text");
    assert!(safe.starts_with("\u{feff}seq,format,"), "{safe}");
    let mut reader = csv::Reader::from_reader(safe.trim_start_matches('\u{feff}').as_bytes());
    let user_agent = COLUMNS.iter().position(|column| *column == "user_agent").expect("a column");
    let cells: Vec<String> =
        reader.records().map(|record| record.expect("a record")[user_agent].to_owned()).collect();
    assert!(cells.iter().any(|cell| cell == r"'=netops/1 (é\u202e\u2028)"), "{cells:?}");
    let refused = installation.run(&["audit", "export", "--format", "ndjson", "--bom"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--bom: belongs to --format csv"));
}

on_each_ledger!(
    an_auditor_can_recompute_an_export,
    verify_says_whole_broken_or_could_not_look,
    an_export_is_the_table,
);

#[tokio::test]
async fn where_there_is_no_ledger_none_is_made() {
    let installation = Installation::new(Store::sqlite()).await;
    let commands: [&[&str]; 5] = [
        &["audit", "verify"],
        &["audit", "export", "--format", "csv"],
        &["keys", "list"],
        &["keys", "revoke", "--name", "netops"],
        &["serve", "--no-migrate"],
    ];
    for command in commands {
        let refused = installation.run(&[command, &["--database-url", "sqlite:none.db"]].concat());
        let output = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{command:?}: {output}");
        assert!(output.contains("there is no ledger at none.db"), "{command:?}: {output}");
        let found = std::fs::read_dir(installation.path()).expect("the folder").flatten();
        let made: Vec<_> =
            found.filter(|entry| entry.file_name().to_string_lossy().contains("none")).collect();
        assert!(made.is_empty(), "{command:?}: {made:?}");
    }
}

/// A copy of the file is restored that lacks the newest events. The witness file shows that to a restarted process.
#[tokio::test]
async fn a_restored_copy_of_the_file_stops_the_service_until_the_loss_is_accepted() {
    let installation = Installation::new(Store::sqlite()).await;
    let token = some_events(&installation).await.token;
    let file = installation.store.url().strip_prefix("sqlite:").expect("a file").to_owned();
    let copy = installation.path().join("copy.db");
    installation.store.execute(&format!("VACUUM INTO '{}'", copy.display())).await.expect("a copy");

    let serve = ["serve", "--witness-file", "witness"];
    let mut gateway = installation.serve_with("before", &serve);
    let consumer = Consumer::new(gateway.address(), token.clone());
    let change = async |consumer: &Consumer| {
        let answer = consumer.patch(TUNNEL, &json!({"peer_cidrs": ["10.100.3.0/24"]}), &[]).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        consumer.ended(answer.json()["id"].as_str().expect("an id")).await
    };
    change(&consumer).await;
    assert!(gateway.terminate().success());
    let sent = installation.received().await.len();
    for suffix in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{file}{suffix}"));
    }
    std::fs::copy(&copy, &file).expect("restored");

    let mut gateway = installation.serve_with("after", &serve);
    let consumer = Consumer::new(gateway.address(), token);
    let ready = consumer.get("/readyz", &[]).await;
    assert_eq!(ready.problem(), (503, "log_rewound".into()));
    assert!(ready.body.contains("events 7 to 9 are missing"), "{}", ready.body);
    let refused = consumer.patch(TUNNEL, &json!({"peer_cidrs": ["10.100.4.0/24"]}), &[]).await;
    assert_eq!(refused.problem(), (503, "log_rewound".into()));
    assert_eq!(installation.received().await.len(), sent, "nothing is sent");

    assert_eq!(installation.run(&["audit", "accept-loss", "--after", "9"]).status.code(), Some(2));
    let accepted = installation.run(&["audit", "accept-loss", "--after", "6"]);
    assert!(accepted.status.success(), "{}", String::from_utf8_lossy(&accepted.stderr));
    let verified = installation.run(&["audit", "verify"]);
    let output = String::from_utf8_lossy(&verified.stdout);
    assert!(verified.status.success() && output.starts_with("whole: 7 events"), "{output}");
    assert_eq!(consumer.get("/readyz", &[]).await.status, 200);
    assert_eq!(change(&consumer).await["status"], "succeeded");
    assert!(installation.run(&["audit", "verify"]).status.success());
}

/// Runs the service with exactly the rights in the document.
#[tokio::test]
async fn the_documented_rights_are_enough_and_not_too_many() {
    let installation = Installation::new(Store::postgres().await).await;
    let mut owner = PgConnection::connect(installation.store.url()).await.expect("the database");
    let name: String =
        sqlx::query_scalar("SELECT current_database()").fetch_one(&mut owner).await.expect("a name");
    let (role, keys) = (format!("service_{name}"), format!("keys_{name}"));
    let url = installation.store.url().replace("postgres@", &format!("{role}@"));
    let keys_url = installation.store.url().replace("postgres@", &format!("{keys}@"));
    let document = include_str!("../../docs/postgres-roles.md");
    let blocks = blocks(document, "sql");
    let rights = blocks[1].replace("TO tunnelgate_owner;", "TO CURRENT_USER;");
    let create = format!("CREATE ROLE {role} LOGIN; CREATE ROLE {keys} LOGIN; {rights}");
    owner.execute(AssertSqlSafe(create)).await.expect("the documented statements");
    let make = ["keys", "create", "--name", "made", "--scope", "tunnels:read", "--database-url", &keys_url];
    for args in [&["migrate", "--database-url", &keys_url][..], &make] {
        let refused = installation.run(args);
        let told = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{told}");
        assert!(told.lines().count() == 1 && told.contains("run `tunnelgate migrate` as the role"), "{told}");
    }

    assert!(installation.run(&["migrate"]).status.success());
    let token = installation.token();
    let (_, of_keys) = blocks[4].split_once("LOGIN PASSWORD '…';").expect("the role for keys");
    let grants = blocks[2].replace("TO tunnelgate;", &format!("TO {role};"))
        + &of_keys.replace("TO tunnelgate_keys;", &format!("TO {keys};"));
    owner.execute(AssertSqlSafe(grants)).await.expect("the documented statements");
    for args in [
        &make[..],
        &["keys", "rotate", "made", "--database-url", &keys_url],
        &["keys", "revoke", "made", "--database-url", &keys_url],
        &["migrate", "--database-url", &keys_url],
    ] {
        let done = installation.run(args);
        assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
    }

    // With a call budget, which has a table of its own.
    std::fs::write(installation.path().join("drift.toml"), "[drift]\ninterval = \"1s\"\n").expect("written");
    let args = ["serve", "--upstream-rps", "20", "--database-url", &url, "--config", "drift.toml"];
    let mut gateway = installation.serve_with("gateway", &args);
    let consumer = Consumer::new(gateway.address(), token);
    assert_eq!(consumer.get("/readyz", &[]).await.status, 200);
    let patch = json!({"peer_cidrs": ["10.100.2.0/24"], "name": "ours"});
    let answer = consumer.patch(TUNNEL, &patch, &[("idempotency-key", "once")]).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    let ended = consumer.ended(answer.json()["id"].as_str().expect("an id")).await;
    assert_eq!(ended["status"], "succeeded", "{ended}");
    let tunnel_id = TUNNEL.rsplit('/').next().expect("an id");
    for (name, kind) in [("theirs", "drift_detected"), ("ours", "drift_resolved")] {
        installation.rename(tunnel_id, name).await;
        let events = format!("/audit-events?event={kind}");
        let until = std::time::Instant::now() + PATIENCE;
        while consumer.get(&events, &[]).await.json()["items"].as_array().is_none_or(Vec::is_empty) {
            assert!(std::time::Instant::now() < until, "no {kind}: {}", gateway.stderr());
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }
    assert!(!gateway.stderr().contains("may create objects"), "{}", gateway.stderr());
    let (revoke, grant) = ("REVOKE INSERT ON operations FROM", "GRANT INSERT ON operations TO");
    owner.execute(AssertSqlSafe(format!("{revoke} {role}"))).await.expect("revoked");
    let unready = consumer.get("/readyz", &[]).await;
    assert_eq!(unready.problem(), (503, "ledger_unavailable".into()));
    assert!(unready.body.contains("rights"), "{}", unready.body);
    owner.execute(AssertSqlSafe(format!("{grant} {role}"))).await.expect("granted");
    assert_eq!(consumer.get("/readyz", &[]).await.status, 200);
    assert!(gateway.terminate().success());
    let unread = format!("REVOKE SELECT ON _sqlx_migrations FROM {role}");
    owner.execute(AssertSqlSafe(unread)).await.expect("revoked");
    let refused = installation.run(&["serve", "--database-url", &url]);
    let told = String::from_utf8_lossy(&refused.stderr);
    assert!(told.contains("may not read _sqlx_migrations") && told.contains("postgres-roles.md"), "{told}");
    let again = format!("GRANT SELECT ON _sqlx_migrations TO {role}");
    owner.execute(AssertSqlSafe(again)).await.expect("granted");
    let used = "SELECT count(*) FROM api_key_tokens WHERE last_used_on IS NOT NULL";
    let used: i64 = sqlx::query_scalar(used).fetch_one(&mut owner).await.expect("a number");
    assert_eq!(used, 1, "the role may store the last use of a key");
    let verified = installation.run(&["audit", "verify", "--database-url", &url]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));

    let mut service = PgConnection::connect(&url).await.expect("the role may log in");
    service.execute("SELECT audit_events_extend()").await.expect("the service's role may extend the log");
    for forbidden in [
        "UPDATE audit_events_1 SET actor = 'nobody'",
        "INSERT INTO audit_events_1 SELECT * FROM audit_events",
        "TRUNCATE audit_events_1",
        "ALTER TABLE audit_events DETACH PARTITION audit_events_1",
        "DROP TABLE audit_events_1",
        "UPDATE audit_events SET actor = 'nobody'",
        "DELETE FROM audit_events",
        "TRUNCATE audit_events",
        "ALTER TABLE audit_events DISABLE TRIGGER USER",
        "DROP TABLE audit_events CASCADE",
        "DELETE FROM operations",
        "UPDATE api_keys SET grants = '[]'",
        "UPDATE api_key_tokens SET valid_until = NULL",
    ] {
        let refused = service.execute(forbidden).await.expect_err(forbidden).to_string();
        assert!(refused.contains("permission denied") || refused.contains("must be owner"), "{refused}");
    }

    // A role that may create objects is told so.
    owner.execute(AssertSqlSafe(format!("GRANT CREATE ON SCHEMA public TO {role}"))).await.expect("granted");
    let mut gateway = installation.serve_with("creating", &args);
    gateway.address();
    assert!(gateway.stderr().contains("may create objects in the ledger's schema"), "{}", gateway.stderr());
    assert!(gateway.terminate().success());
    let drop = format!("DROP OWNED BY {role}, {keys}; DROP ROLE {role}, {keys}");
    owner.execute(AssertSqlSafe(drop)).await.expect("dropped");
}
