//! `tunnelgate health`, and what `serve` tells the service manager.

use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Output;
use std::time::Instant;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use crate::installation::Installation;
use crate::process::{Process, run};
use crate::support::Store;
use crate::support::consumer::{PATIENCE, plain_client};
use crate::support::postgres::digits;

/// Runs `tunnelgate health`; returns the exit code and everything that it printed.
fn health(folder: &Path, args: &[&str], env: &[(&str, &str)]) -> (Option<i32>, String) {
    let args: Vec<&str> = ["health"].iter().chain(args).copied().collect();
    let Output { status, stdout, stderr } = run(folder, &args, env);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (status.code(), text(stdout) + &text(stderr))
}

fn port(gateway: &mut Process) -> String {
    gateway.address().rsplit_once(':').expect("a port").1.to_owned()
}

#[tokio::test]
async fn a_gateway_is_asked_by_its_own_variables() {
    let installation = Installation::new(Store::sqlite()).await;
    let mut gateway = installation.serve_with("gateway", &["serve", "--listen", "0.0.0.0:0"]);
    let listen = format!("0.0.0.0:{}", port(&mut gateway));
    let here = installation.path();
    // A proxy for everything else plays no part.
    let env = [("TUNNELGATE_LISTEN", listen.as_str()), ("http_proxy", "http://127.0.0.1:9")];
    let at = listen.replace("0.0.0.0", "127.0.0.1");
    assert_eq!(health(here, &[], &env), (Some(0), format!("alive: http://{at}/livez\n")));
    assert_eq!(health(here, &["--ready"], &env), (Some(0), format!("ready: http://{at}/readyz\n")));

    assert!(gateway.terminate().success());
    let (code, told) = health(here, &[], &env);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.starts_with(&format!("tunnelgate: http://{at}/livez: ")), "{told}");
    assert!(told.contains("refused") && told.lines().count() == 1, "{told}");
}

#[tokio::test]
async fn a_gateway_with_a_certificate_is_asked_over_tls() {
    let installation = Installation::new(Store::sqlite()).await;
    let folder = installation.path();
    let (certificate, key) = (folder.join("tls.crt"), folder.join("tls.key"));
    let made = rcgen::generate_simple_self_signed(["gateway.example".to_owned()]).expect("a certificate");
    std::fs::write(&certificate, made.cert.pem()).expect("written");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("written");
    let (certificate, key) = (certificate.display().to_string(), key.display().to_string());
    let args = ["serve", "--tls-cert-file", &certificate, "--tls-key-file", &key];
    let mut gateway = installation.serve_with("gateway", &args);
    let listen = format!("localhost:{}", port(&mut gateway));
    let plain = [("TUNNELGATE_LISTEN", listen.as_str())];
    let tls = [plain[0], ("TUNNELGATE_TLS_CERT_FILE", certificate.as_str())];
    let (code, told) = health(folder, &["--ready"], &tls);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.starts_with("ready: https://"), "{told}");
    let (code, told) = health(folder, &[], &plain);
    assert_eq!((code, told.lines().count()), (Some(1), 1), "plain HTTP to a TLS port: {told}");
    assert!(gateway.terminate().success());
}

#[tokio::test]
async fn a_gateway_that_is_alive_and_not_ready_says_why() {
    let installation = Installation::new(Store::sqlite()).await;
    // Without its tables the ledger accepts no writes.
    let file = installation.store.url().trim_start_matches("sqlite:").split('?').next().expect("a file");
    std::fs::write(file, "").expect("an empty database");
    let mut gateway = installation.serve_with("gateway", &["serve", "--no-migrate"]);
    let listen = gateway.address().trim_start_matches("http://").to_owned();
    let (code, told) = health(installation.path(), &["--listen", &listen], &[]);
    assert_eq!(code, Some(0), "{told}");
    let (code, told) = health(installation.path(), &["--listen", &listen, "--ready"], &[]);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("/readyz: status 503: ") && told.lines().count() == 1, "{told}");
}

#[tokio::test]
async fn a_migration_that_is_missing_below_the_newest_is_named() {
    for store in [Store::sqlite(), Store::postgres().await] {
        let installation = Installation::new(store).await;
        assert!(installation.run(&["migrate"]).status.success());
        let delete = "DELETE FROM _sqlx_migrations WHERE version = 2";
        assert_eq!(installation.store.execute(delete).await.expect("deleted"), 1);
        let mut gateway = installation.serve_with("gateway", &["serve", "--no-migrate"]);
        let listen = gateway.address().trim_start_matches("http://").to_owned();
        let (code, told) = health(installation.path(), &["--listen", &listen, "--ready"], &[]);
        assert_eq!(code, Some(1), "{told}");
        assert!(told.contains("status 503: migration 2 is not applied; run `tunnelgate migrate`"), "{told}");
        let log = gateway.stderr();
        assert!(log.contains("the ledger is not ready"), "{log}");
    }
}

/// Everyone can ask for readiness: the answer must not repeat what the database says.
#[tokio::test]
async fn a_refused_login_is_told_without_the_role_and_the_log_has_it_once() {
    let installation = Installation::new(Store::postgres().await).await;
    assert!(installation.run(&["migrate"]).status.success());
    let mut owner = PgConnection::connect(installation.store.url()).await.expect("the database");
    let role = format!("role_{}", digits());
    let create = format!("CREATE ROLE {role} LOGIN; GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}");
    owner.execute(AssertSqlSafe(create)).await.expect("a role");
    let url = installation.store.url().replace("postgres@", &format!("{role}@"));
    let args = ["serve", "--no-migrate", "--database-url", &url, "--database-timeout", "1s"];
    let mut gateway = installation.serve_with("gateway", &args);
    let ready = format!("{}/readyz", gateway.address());
    let ask = async || plain_client().get(&ready).send().await.expect("an answer");
    assert_eq!(ask().await.status(), 200);

    let refuse = format!(
        "ALTER ROLE {role} NOLOGIN;
         SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'"
    );
    owner.execute(AssertSqlSafe(refuse)).await.expect("refused");
    let until = Instant::now() + PATIENCE;
    let body = loop {
        let answer = ask().await;
        let status = answer.status();
        let body = answer.text().await.expect("a body");
        for secret in [&role, "127.0.0.1", "permitted"] {
            assert!(!body.contains(secret), "{secret}: {body}");
        }
        if body.contains("the database refuses the login") {
            assert_eq!(status, 503, "{body}");
            break body;
        }
        assert!(Instant::now() < until, "{body}");
    };
    assert!(body.contains("ledger_unavailable"), "{body}");
    assert_eq!(ask().await.status(), 503);
    let log = gateway.stderr();
    let told: Vec<&str> = log.lines().filter(|line| line.contains("the ledger is not ready")).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(gateway.terminate().success());
    owner.execute(AssertSqlSafe(format!("DROP OWNED BY {role}; DROP ROLE {role}"))).await.expect("dropped");
}

#[test]
fn a_gateway_that_hangs_is_unhealthy_after_the_time_limit() {
    let folder = tempfile::tempdir().expect("a folder");
    // Accepts connections, by its backlog, and never answers.
    let deaf = TcpListener::bind("127.0.0.1:0").expect("a port");
    let listen = deaf.local_addr().expect("an address").to_string();
    let (code, told) = health(folder.path(), &["--timeout", "200ms", "--listen", &listen], &[]);
    assert_eq!(
        (code, told),
        (Some(1), format!("tunnelgate: http://{listen}/livez: no response within 200 ms\n"))
    );
}

#[test]
fn a_wrong_setting_is_no_answer() {
    let folder = tempfile::tempdir().expect("a folder");
    let cases: &[(&[&str], &str)] = &[
        (&["--listen", "127.0.0.1:0"], "TUNNELGATE_LISTEN (--listen): must name the port"),
        (&["--listen", "nonsense"], "TUNNELGATE_LISTEN (--listen): must be an address and a port"),
        (&["--timeout", "0s"], "--timeout: must be greater than zero"),
    ];
    for (args, expected) in cases {
        let (code, told) = health(folder.path(), args, &[]);
        assert_eq!((code, told.lines().count()), (Some(2), 1), "{told}");
        assert!(told.contains(expected), "{told}");
    }
}

#[tokio::test]
async fn the_service_manager_hears_of_readiness_and_of_the_stop() {
    let installation = Installation::new(Store::sqlite()).await;
    let socket = installation.path().join("notify.sock");
    let manager = UnixDatagram::bind(&socket).expect("a socket");
    manager.set_read_timeout(Some(PATIENCE)).expect("a time limit");
    let socket = socket.display().to_string();
    let mut gateway = installation.serve_with_env("gateway", &["serve"], &[("NOTIFY_SOCKET", &socket)]);
    let mut message = [0; 256];
    let mut heard = || {
        let length = manager.recv(&mut message).expect("a message");
        String::from_utf8_lossy(&message[..length]).trim().to_owned()
    };
    assert_eq!(heard(), "READY=1");
    let listen = gateway.address().trim_start_matches("http://").to_owned();
    let (code, told) = health(installation.path(), &["--listen", &listen, "--ready"], &[]);
    assert_eq!(code, Some(0), "ready means that requests are answered: {told}");
    gateway.signal("-TERM");
    assert_eq!(heard(), "STOPPING=1");
    assert!(gateway.wait().success());
}
