//! Settings and databases that stop the start, each with one line that names the setting.

use std::path::Path;
use std::process::Output;

use sqlx::{Connection, Executor};

use crate::process::run;
use crate::support::Store;

const CANARY: &str = "canary0123456789";

/// The only line on stderr of a command that refuses to start. It contains no secret.
fn refusal(output: &Output) -> String {
    let text = String::from_utf8(output.stderr.clone()).expect("text");
    let told: Vec<&str> = text.lines().filter(|line| line.starts_with("tunnelgate: ")).collect();
    assert_eq!((output.status.success(), told.len()), (false, 1), "{text}");
    assert!(!text.contains(CANARY) && !text.contains("canary"), "{text}");
    told[0].trim_start_matches("tunnelgate: ").to_owned()
}

/// Runs `config check` with valid settings and these.
fn check(folder: &Path, env: &[(&str, &str)]) -> Output {
    let mut all: Vec<(&str, &str)> = vec![
        ("TENCENTCLOUD_SECRET_ID", "AKID0123"),
        ("TENCENTCLOUD_SECRET_KEY", CANARY),
        ("TENCENTCLOUD_REGION", "ap-guangzhou"),
    ];
    all.retain(|(name, _)| !env.iter().any(|(other, _)| other.trim_end_matches("_FILE") == *name));
    all.extend(env);
    run(folder, &["config", "check"], &all)
}

#[test]
fn what_copying_adds_to_a_setting_is_refused_by_its_name() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("quoted"), format!("\"{CANARY}\"\n")).expect("written");
    std::fs::write(folder.path().join("windows"), format!("{CANARY}\r\n")).expect("written");
    std::fs::write(folder.path().join("two"), format!("{CANARY}\r\nx")).expect("written");
    let key_cr = format!("{CANARY}\r");
    let key_quoted = format!("'{CANARY}'");
    let url = |password: &str, rest: &str| format!("postgres://u:{password}@db.example/x{rest}");
    let (hash, typo) = (url("canary#0", ""), url(CANARY, "?sslmod=verify-full"));
    let (slash, at) = (url("canary/0", ""), url("canary?0", ""));
    for (name, value, starts, cause) in [
        ("TENCENTCLOUD_REGION", "\"ap-guangzhou\"", "TENCENTCLOUD_REGION (--region): ", "quotation marks"),
        ("TENCENTCLOUD_REGION", "ap-guangzhou\r", "TENCENTCLOUD_REGION (--region): ", "carriage return"),
        ("TENCENTCLOUD_REGION", "ap guangzhou", "TENCENTCLOUD_REGION (--region): ", "a blank"),
        (
            "TENCENTCLOUD_REGION_FILE",
            "quoted",
            "TENCENTCLOUD_REGION_FILE (--region-file): ",
            "quotation marks",
        ),
        ("TENCENTCLOUD_SECRET_ID", &key_quoted, "TENCENTCLOUD_SECRET_ID: ", "quotation marks"),
        ("TENCENTCLOUD_SECRET_ID", &key_cr, "TENCENTCLOUD_SECRET_ID: ", "carriage return"),
        ("TENCENTCLOUD_SECRET_ID_FILE", "quoted", "TENCENTCLOUD_SECRET_ID_FILE: ", "quotation marks"),
        ("TENCENTCLOUD_SECRET_KEY", &key_cr, "TENCENTCLOUD_SECRET_KEY: ", "carriage return"),
        ("TENCENTCLOUD_SECRET_KEY_FILE", "quoted", "TENCENTCLOUD_SECRET_KEY_FILE: ", "quotation marks"),
        ("TENCENTCLOUD_SECRET_KEY_FILE", "two", "TENCENTCLOUD_SECRET_KEY_FILE: ", "carriage return"),
        ("TENCENTCLOUD_TOKEN", &key_quoted, "TENCENTCLOUD_TOKEN: ", "quotation marks"),
        ("TUNNELGATE_FINGERPRINT_KEY", &key_cr, "TUNNELGATE_FINGERPRINT_KEY: ", "carriage return"),
        ("TUNNELGATE_FINGERPRINT_KEY_FILE", "quoted", "TUNNELGATE_FINGERPRINT_KEY_FILE: ", "quotation marks"),
        ("TUNNELGATE_SIGNED_HOST", "two words", "TUNNELGATE_SIGNED_HOST (--signed-host): ", "a blank"),
        ("TUNNELGATE_SIGNED_HOST", "https://a/", "TUNNELGATE_SIGNED_HOST (--signed-host): ", "a host name"),
        (
            "TUNNELGATE_UPSTREAM_URL",
            "https://a/\r",
            "TUNNELGATE_UPSTREAM_URL (--upstream-url): ",
            "carriage return",
        ),
        (
            "TUNNELGATE_UPSTREAM_URL",
            "https://u:canary@a/",
            "TUNNELGATE_UPSTREAM_URL (--upstream-url): ",
            "user",
        ),
        (
            "TUNNELGATE_REQUIRE_REASON",
            "'^CHG'",
            "TUNNELGATE_REQUIRE_REASON (--require-reason): ",
            "quotation marks",
        ),
        (
            "TUNNELGATE_REQUIRE_REASON",
            "CHG(",
            "TUNNELGATE_REQUIRE_REASON (--require-reason): ",
            "unclosed group",
        ),
        ("DATABASE_URL", &hash, "DATABASE_URL (--database-url): ", "%23"),
        ("DATABASE_URL", &typo, "DATABASE_URL (--database-url): ", "unknown parameter \"sslmod\""),
        ("DATABASE_URL", &slash, "DATABASE_URL (--database-url): ", "/ as %2F"),
        ("DATABASE_URL", &at, "DATABASE_URL (--database-url): ", "? as %3F"),
        ("DATABASE_URL_FILE", "quoted", "DATABASE_URL_FILE (--database-url-file): ", "quotation marks"),
        (
            "DATABASE_URL",
            "sqlite:a.db?mod=rwc",
            "DATABASE_URL (--database-url): ",
            "unknown parameter \"mod\"",
        ),
    ] {
        let told = refusal(&check(folder.path(), &[(name, value)]));
        assert!(told.starts_with(starts) && told.contains(cause), "{name}={value:?}: {told}");
    }
    // The line end of a file is no part of the value.
    let windows = check(folder.path(), &[("TENCENTCLOUD_SECRET_KEY_FILE", "windows")]);
    assert!(windows.status.success(), "{}", String::from_utf8_lossy(&windows.stderr));
}

#[test]
fn a_value_that_is_refused_is_told_with_its_setting_and_what_it_may_be() {
    let folder = tempfile::tempdir().expect("a folder");
    let whole =
        |range: &str, given: &str| format!("must be a whole number from {range} (given: \"{given}\")");
    let limit = "must be a number and a duration, such as 600/1m, or 0 for no limit (given: \"600/m\")";
    let levels = "must be one of off, error, warn, info, debug, trace, or directives such as info,tunnelgate::http=debug";
    for (name, value, flag, told) in [
        ("TUNNELGATE_UPSTREAM_RPS", "1.5", "upstream-rps", whole("0 to 4294967295", "1.5")),
        ("TUNNELGATE_UPSTREAM_RPS", "-1", "upstream-rps", whole("0 to 4294967295", "-1")),
        ("TUNNELGATE_WORKERS", "0", "workers", whole("1 to 65535", "0")),
        ("TUNNELGATE_WORKERS", "99999", "workers", whole("1 to 65535", "99999")),
        ("TUNNELGATE_MAX_CONNECTIONS", "0", "max-connections", whole("1 to 4294967295", "0")),
        ("TUNNELGATE_DATABASE_CONNECTIONS", "x", "database-connections", whole("1 to 4294967295", "x")),
        ("TUNNELGATE_RATE_LIMIT", "600/m", "rate-limit", limit.to_owned()),
        ("TUNNELGATE_UPSTREAM", "v4", "upstream", "must be one of v2, v3 (given: \"v4\")".to_owned()),
        ("TUNNELGATE_LOG", "warning", "log", format!("{levels} (given: \"warning\")")),
        ("TUNNELGATE_LOG", "foo=bar=x", "log", format!("{levels} (given: \"foo=bar=x\")")),
    ] {
        let checked = check(folder.path(), &[(name, value)]);
        assert_eq!(checked.status.code(), Some(1), "{name}={value}");
        assert_eq!(refusal(&checked), format!("{name} (--{flag}): {told}"));
        let served =
            run(folder.path(), &["serve", &format!("--{flag}"), value], &[("TUNNELGATE_CONFIG", "x")]);
        let lines = String::from_utf8(served.stderr).expect("text");
        assert!(lines.contains(&format!("{name} (--{flag}): {told}\n")), "{lines}");
    }
    for (args, told) in [
        (&["audit", "accept-loss", "--after", "x"][..], "--after: must be a whole number from 0 to "),
        (&["webhooks", "replay", "a", "--from", "0"], "--from: must be a whole number from 1 to "),
        (
            &["keys", "create", "--name", "a", "--scope", "audit:read", "--expires-in", "0s"],
            "--expires-in: must be greater than zero (given: \"0s\")",
        ),
        (&["serve", "--config", ""], "TUNNELGATE_CONFIG (--config): needs a value: --config <FILE>"),
        (&["serve", "--listen"], "TUNNELGATE_LISTEN (--listen): needs a value: --listen <ADDRESS>"),
    ] {
        let output = run(folder.path(), args, &[]);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let said = refusal(&output);
        assert!(said.starts_with(told), "{said}");
    }
}

#[test]
fn every_malformed_flag_is_told_with_the_faults_of_the_other_settings() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("bad.toml"), "[[accounts]]\nnme = \"a\"\n").expect("written");
    let flags =
        ["--workers", "0", "--upstream-rps=x", "--listen", "y", "--log-format", "z", "--config", "bad.toml"];
    for (command, code) in [(&["serve"][..], 2), (&["config", "check"], 1)] {
        let args: Vec<&str> = command.iter().chain(&flags).copied().collect();
        let output =
            run(folder.path(), &args, &[("TUNNELGATE_WORKERS", "7"), ("TUNNELGATE_TASK_TIMEOUT", "soon")]);
        assert_eq!(output.status.code(), Some(code));
        let lines = String::from_utf8(output.stderr).expect("text");
        for part in [
            "TUNNELGATE_WORKERS (--workers): must be a whole number from 1 to 65535",
            "TUNNELGATE_UPSTREAM_RPS (--upstream-rps): must be",
            "TUNNELGATE_LISTEN (--listen): must be an address",
            "TUNNELGATE_LOG_FORMAT (--log-format): must be one of human, json (given: \"z\")",
            "TUNNELGATE_TASK_TIMEOUT (--task-timeout): must be",
            "bad.toml:2: accounts[0].nme: unknown key",
        ] {
            assert_eq!(lines.matches(part).count(), 1, "{part} is not in:\n{lines}");
        }
    }
}

#[test]
fn a_check_finds_what_stops_the_service_before_it_asks_its_database() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("text"), "no witness and no certificate").expect("written");
    let tls =
        |file: &'static str| vec![("TUNNELGATE_TLS_CERT_FILE", file), ("TUNNELGATE_TLS_KEY_FILE", "text")];
    let database = |url: &'static str| vec![("DATABASE_URL", url)];
    let witness = |file: &'static str| vec![("TUNNELGATE_WITNESS_FILE", file)];
    for (env, starts, part) in [
        (tls("none"), "TUNNELGATE_TLS_CERT_FILE (--tls-cert-file): can't read none", "No such file"),
        (tls("text"), "TUNNELGATE_TLS_CERT_FILE (--tls-cert-file): text contains no PEM", ""),
        (
            database("postgres://u@h.example/x?sslmode=disable"),
            "DATABASE_URL (--database-url): allows an",
            "--allow-plain",
        ),
        (
            database("postgres://u@h.example/x?sslmode=bogus"),
            "DATABASE_URL (--database-url): is invalid",
            "bogus",
        ),
        (
            database("postgres://u@h.example/x?target_session_attrs=standby"),
            "DATABASE_URL (--database-url): asks for a standby",
            "read-write",
        ),
        (
            database("sqlite:none/x.db"),
            "DATABASE_URL (--database-url): names none/x.db",
            "its folder does not exist",
        ),
        (witness("text"), "TUNNELGATE_WITNESS_FILE (--witness-file): can't read text", "restore the file"),
        (
            witness("none/w"),
            "TUNNELGATE_WITNESS_FILE (--witness-file): can't write none/w: No such",
            "remove the setting",
        ),
    ] {
        let checked = check(folder.path(), &env);
        assert_eq!(checked.status.code(), Some(1), "{env:?}");
        let told = refusal(&checked);
        assert!(told.starts_with(starts) && told.contains(part), "{told}");
        let mut all = vec![
            ("TENCENTCLOUD_SECRET_ID", "AKID0123"),
            ("TENCENTCLOUD_SECRET_KEY", CANARY),
            ("TENCENTCLOUD_REGION", "ap-guangzhou"),
        ];
        all.extend(env);
        let served = run(folder.path(), &["serve", "--listen", "127.0.0.1:0"], &all);
        assert_eq!((served.status.code(), refusal(&served)), (Some(2), told));
    }
}

#[test]
fn a_file_that_can_not_be_the_ledger_is_named_with_its_setting() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("folder.db")).expect("a folder");
    std::fs::write(folder.path().join("text.db"), "no database, but long enough to have a header".repeat(9))
        .expect("written");
    for (url, cause) in [
        ("sqlite:nowhere/x.db", "nowhere/x.db: its folder does not exist"),
        ("sqlite:folder.db", "folder.db: is a folder"),
        ("sqlite:text.db", "text.db: can't be opened and written as a SQLite database"),
        // Without shared memory, as on network file systems, SQLite has no write-ahead log.
        ("sqlite:dot.db?vfs=unix-dotfile", "can't keep its write-ahead log"),
    ] {
        let told = refusal(&run(folder.path(), &["migrate"], &[("DATABASE_URL", url)]));
        assert!(told.starts_with("DATABASE_URL") && told.contains(cause), "{url}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sqlite_file_in_another_encoding_is_refused() {
    let store = Store::sqlite();
    let url = format!("{}?mode=rwc", store.url());
    let mut connection = sqlx::SqliteConnection::connect(&url).await.expect("a file");
    connection.execute("PRAGMA encoding = 'UTF-16'; CREATE TABLE t (a TEXT)").await.expect("a table");
    let told = refusal(&run(Path::new("/"), &["migrate"], &[("DATABASE_URL", store.url())]));
    assert!(told.starts_with("DATABASE_URL ") && told.contains("not UTF-8"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_in_another_encoding_is_refused() {
    for encoding in ["LATIN1", "SQL_ASCII"] {
        let store = Store::postgres_with(&format!(
            "ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
        ))
        .await;
        for command in
            [&["migrate"][..], &["keys", "list"], &["serve", "--no-migrate", "--listen", "127.0.0.1:0"]]
        {
            let env = [
                ("DATABASE_URL", store.url()),
                ("TENCENTCLOUD_SECRET_ID", "AKID0123"),
                ("TENCENTCLOUD_SECRET_KEY", CANARY),
                ("TENCENTCLOUD_REGION", "ap-guangzhou"),
            ];
            let told = refusal(&run(Path::new("/"), command, &env));
            assert!(told.starts_with("DATABASE_URL ") && told.contains(encoding), "{told}");
            assert!(told.contains("ENCODING 'UTF8'"), "{told}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_accepts_no_writes_is_refused_by_what_writes() {
    let store = Store::postgres().await;
    let command = |args: &[&str]| run(Path::new("/"), args, &[("DATABASE_URL", store.url())]);
    assert!(command(&["migrate"]).status.success());
    let name = store.url().rsplit_once('/').expect("a name").1;
    for (setting, cause) in [
        ("default_transaction_read_only = on", "accepts no writes"),
        ("search_path = 'nowhere'", "search_path"),
    ] {
        store.execute(&format!("ALTER DATABASE {name} SET {setting}")).await.expect("set");
        let told = refusal(&command(&["migrate"]));
        assert!(told.starts_with("DATABASE_URL ") && told.contains(cause), "{told}");
        if setting.ends_with("on") {
            assert!(command(&["audit", "verify"]).status.success(), "an auditor reads from a standby");
        }
        let parameter = setting.split(' ').next().expect("a name");
        let reset = format!("BEGIN READ WRITE; ALTER DATABASE {name} RESET {parameter}; COMMIT");
        store.execute(&reset).await.expect("reset");
    }
}

/// Settings of the role or the database that change how values are read and written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_settings_of_a_database_change_nothing() {
    let store = Store::postgres().await;
    let name = store.url().rsplit_once('/').expect("a name").1.to_owned();
    for setting in [
        "DateStyle = 'SQL, DMY'",
        "IntervalStyle = 'sql_standard'",
        "TimeZone = 'Asia/Shanghai'",
        "bytea_output = 'escape'",
        "standard_conforming_strings = off",
        "client_encoding = 'LATIN1'",
        "default_transaction_isolation = 'serializable'",
        "extra_float_digits = -15",
        "synchronous_commit = off",
        "row_security = off",
    ] {
        store.execute(&format!("ALTER DATABASE {name} SET {setting}")).await.expect(setting);
    }
    let command = |args: &[&str]| run(Path::new("/"), args, &[("DATABASE_URL", store.url())]);
    let created =
        command(&["keys", "create", "--name", "隧道", "--scope", "audit:read", "--expires-in", "90d"]);
    assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stderr));
    assert!(command(&["keys", "rotate", "隧道"]).status.success());
    assert!(String::from_utf8_lossy(&command(&["keys", "list"]).stdout).contains("隧道"));
    let verified = command(&["audit", "verify"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
}
