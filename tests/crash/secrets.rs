//! Searches for canary secrets in all output and all files, after a run through successes, refusals, misbehaving
//! tunnels, a panic, a crash and a restart, with every log at the level trace.

use std::path::PathBuf;

use serde_json::{Value, json};
use tunnelgate::chance::{Chance, SystemChance};
use tunnelgate::domain::fingerprint::hex;
use tunnelgate::simulator::FIRST_KEY;

use crate::deployment::{API_3, Deployment, Secrets, asking_for, blocking, path};
use crate::front::ECHOES;
use crate::search::{holding, lines, spellings};
use crate::support::Store;
use crate::support::consumer::{Answer, Consumer};

/// Every library that logs, by name, so that only our own cap can silence it.
const EVERYTHING: &str = "trace,hyper=trace,hyper::proto=trace,hyper::proto::h1=trace,hyper::proto::h1::io=trace,\
    hyper_util=trace,hyper_util::client=trace,hyper_util::client::legacy=trace,reqwest=trace,\
    reqwest::connect=trace,reqwest::connect::verbose=trace,rustls=trace,sqlx=trace,sqlx::query=trace,\
    sqlx_core=trace,sqlx_postgres=trace,sqlx_sqlite=trace,actix_http=trace,actix_http::h1=trace,\
    actix_http::h1::dispatcher=trace,actix_web=trace,actix_server=trace,mio=trace,h2=trace,tokio=trace";

fn canary(name: &str) -> String {
    let mut random = [0; 10];
    SystemChance.fill(&mut random);
    format!("{name}{}", hex(&random))
}

/// The responses of a run.
struct Answers(Vec<String>);

impl Answers {
    fn keep(&mut self, answer: &Answer) {
        self.0.push(format!("{} {:?}\n{}", answer.status, answer.headers, answer.body));
    }
}

/// Makes every call.
async fn through_everything(consumer: &Consumer, key: &str, is_api_3: bool, answers: &mut Answers) {
    let patch =
        json!({"peer_cidrs": ["10.100.2.0/24"], "pre_shared_key": key, "ike": {"dh_group": "group14"}});
    let mut ids = Vec::new();
    let misbehaving = [
        "vpnx-branch02",
        "vpnx-task-fails",
        "vpnx-task-echoes-key",
        "vpnx-diverged",
        "vpnx-truncated-body",
        "vpnx-missing-code",
        "vpnx-foreign-body",
        "vpnx-http-500-after",
        "vpnx-reset-after",
        "vpnx-failed-5100",
        "vpnx-credentials",
        "vpnx-internal-6000-after",
        "vpnx-nowhere",
    ];
    for tunnel in misbehaving.into_iter().chain(ECHOES.iter().map(|(tunnel, _)| *tunnel)) {
        let answer = consumer.patch(&path(tunnel), &patch, &[("idempotency-key", tunnel)]).await;
        answers.keep(&answer);
        if answer.status == 202 {
            ids.push(answer.json()["id"].as_str().expect("an id").to_owned());
        }
        // Another request with the same key, and another one for the same tunnel.
        answers.keep(
            &consumer.patch(&path(tunnel), &asking_for("10.0.0.0/8"), &[("idempotency-key", tunnel)]).await,
        );
        answers.keep(&consumer.patch(&path(tunnel), &patch, &[]).await);
    }
    let wrong: [Value; 5] = [
        json!({"peer_cidrs": ["10.0.0.0/8"], "pre_shared_key": format!("{key}é")}),
        json!({"peer_cidrs": ["10.0.0.0/8"], "pre_shared_key": key.repeat(9)}),
        json!({"peer_cidrs": ["10.0.0.0/8"], "pre_shared_key": [key]}),
        json!({"peer_cidrs": ["10.0.0.0/8"], "pre_shared_key": {"value": key}, "name": ""}),
        json!({"pre_shared_key": key}),
    ];
    // API 3.0 takes a key alone.
    for patch in &wrong[..wrong.len() - usize::from(is_api_3)] {
        let answer = consumer.patch(&path("vpnx-branch01"), patch, &[]).await;
        assert_eq!(answer.status, 422, "{}", answer.body);
        answers.keep(&answer);
    }
    for body in [format!("{{\"pre_shared_key\": \"{key}\", }}"), format!("\"{key}\""), format!("[{key}]")] {
        let headers = [("content-type", "application/json")];
        answers.keep(&consumer.raw("PATCH", &path("vpnx-branch01"), &body, &headers).await);
    }
    for id in &ids {
        consumer.ended(id).await;
    }
    for id in &ids {
        through_rollbacks(consumer, id, key, answers).await;
    }
    for at in [
        "/operations?limit=200",
        "/audit-events?limit=200",
        "/metrics",
        "/audit-events/checkpoint",
        "/readyz",
    ] {
        answers.keep(&consumer.get(at, &[]).await);
    }
    for kind in ["application/x-ndjson", "text/csv"] {
        answers.keep(&consumer.get("/audit-events", &[("accept", kind)]).await);
    }
    let stranger = Consumer::new(consumer.base.clone(), format!("{}x", consumer.token));
    answers.keep(&stranger.get("/operations", &[]).await);
    answers.keep(&stranger.patch(&path("vpnx-branch01"), &patch, &[]).await);
}

/// Rolls an operation back, and its rollback, which takes the key back to the canary.
async fn through_rollbacks(consumer: &Consumer, id: &str, key: &str, answers: &mut Answers) {
    let route = format!("/operations/{id}/rollback");
    let headers = [("content-type", "application/json")];
    let bodies = [
        json!({"pre_shared_key": key}).to_string(),
        json!({"pre_shared_key": [key]}).to_string(),
        json!({"pre_shared_key": format!("{key}é")}).to_string(),
        format!("{{\"pre_shared_key\": \"{key}\", }}"),
    ];
    for body in &bodies {
        answers.keep(&consumer.raw("POST", &route, body, &headers).await);
    }
    answers.keep(&consumer.raw("POST", &format!("{route}?dry_run=true"), &bodies[0], &headers).await);
    let first = json!({"pre_shared_key": FIRST_KEY}).to_string();
    let back = consumer.raw("POST", &format!("{route}?force=true"), &first, &headers).await;
    answers.keep(&back);
    if back.status != 202 {
        return;
    }
    let back = back.json()["id"].as_str().expect("an id").to_owned();
    consumer.ended(&back).await;
    let headers = [headers[0], ("idempotency-key", &*back)];
    for _ in 0..2 {
        let route = format!("/operations/{back}/rollback?force=true");
        let again = consumer.raw("POST", &route, &bodies[0], &headers).await;
        answers.keep(&again);
        if let Some(id) = again.json()["id"].as_str() {
            consumer.ended(id).await;
        }
    }
}

/// The ledger's files: the SQLite file and its log, or the server's folder of the database.
async fn at_rest(deployment: &Deployment) -> Vec<PathBuf> {
    if let Some(file) = deployment.store.url().strip_prefix("sqlite:") {
        return vec![PathBuf::from(file).parent().expect("a folder").to_owned()];
    }
    deployment.store.execute("CHECKPOINT").await.expect("a checkpoint");
    let data = PathBuf::from(deployment.view.one("SHOW data_directory").await);
    let sql = "SELECT CAST(oid AS TEXT) FROM pg_database WHERE datname = current_database()";
    let database = deployment.view.one(sql).await;
    vec![data.join("base").join(database), data.join("pg_wal"), data.join("server.log")]
}

async fn no_secret_is_ever_written(store: Store) {
    search(store, false).await;
}

async fn no_secret_is_ever_written_with_api_3(store: Store) {
    search(store, true).await;
}

async fn search(store: Store, is_api_3: bool) {
    let core = canary("psk");
    let key = format!("{core}/+\"\\ &<%");
    let secrets = Secrets { secret_key: canary("secretkey"), token: canary("cloudtoken") };
    let password = canary("dbpassword");
    let mut canaries = vec![core.clone(), key.clone(), secrets.secret_key.clone(), secrets.token.clone()];
    let ledger = store.url().replace("postgres@", &format!("postgres:{password}@"));
    let deployment = Deployment::with(store, secrets, &ledger);
    let token = deployment.token("netops-ci");
    canaries.extend([password, token.clone(), token.trim_start_matches("tg_").to_owned()]);
    let mut answers = Answers(Vec::new());

    let mut loud = vec![("TUNNELGATE_LOG", EVERYTHING), ("RUST_BACKTRACE", "full")];
    loud.extend(is_api_3.then_some(API_3));
    let panics = format!("track.claimed=panic({core});change.before-call=panic({core})@4");
    let armed: Vec<_> = loud.iter().copied().chain([("TUNNELGATE_FAILPOINTS", panics.as_str())]).collect();
    let (mut gateway, base) = deployment.serve("gateway-1", &armed);
    through_everything(&Consumer::new(base, token.clone()), &key, is_api_3, &mut answers).await;
    assert_eq!(gateway.stderr().matches("panic: this is a bug").count(), 2);
    blocking(|| gateway.kill());

    let dies = [("TUNNELGATE_FAILPOINTS", "exchange.answer-unread=abort"), ("TUNNELGATE_LOG_FORMAT", "json")];
    let armed: Vec<_> = loud.iter().copied().chain(dies).collect();
    let (mut gateway, base) = deployment.serve("gateway-2", &armed);
    let patch = json!({"peer_cidrs": ["10.100.3.0/24"], "pre_shared_key": key});
    let client = crate::support::consumer::plain_client();
    let lost = crate::deployment::try_patch(&client, &base, &token, "vpnx-load-7", &patch, None).await;
    assert!(lost.is_none(), "the process died before its response");
    blocking(|| gateway.wait());

    let (gateway, base) = deployment.serve("gateway-3", &loud);
    let consumer = Consumer::new(base, token.clone());
    deployment.at_peace().await;
    answers.keep(&consumer.get("/operations?limit=200", &[]).await);
    answers.keep(&consumer.get("/audit-events?limit=200", &[]).await);

    // All files, including the write-ahead log of the open ledger.
    let folder = deployment.path().to_owned();
    std::fs::write(folder.join("answers"), answers.0.join("\n\n")).expect("written");
    for (n, (name, bytes)) in deployment.store.dump().await.into_iter().enumerate() {
        std::fs::write(folder.join(format!("dump-{n}")), [name.as_bytes(), b"\n", &bytes].concat())
            .expect("written");
    }
    let export = deployment.run(&["audit", "export", "--format", "ndjson"]);
    std::fs::write(folder.join("export"), export.stdout).expect("written");
    let mut places = at_rest(&deployment).await;
    assert!(places.iter().all(|place| place.exists()), "{places:?}");
    places.push(folder.clone());
    let patterns = folder.with_extension("patterns");
    for canary in &canaries {
        let found = holding(&spellings(canary), &places, &patterns);
        let lines: Vec<_> = found.iter().flat_map(|file| lines(&spellings(canary), file)).collect();
        assert!(found.is_empty(), "{canary} is in {found:?}: {lines:#?}");
    }

    // The control: the search finds public values in every kind of place, and a planted canary.
    let found = holding(&spellings("netops-ci"), &places, &patterns);
    let is_found = |part: &str| found.iter().any(|file| file.contains(part));
    let kinds =
        if deployment.store.is_postgres() { ["/base/", "/pg_wal/"] } else { ["ledger.db", "ledger.db-wal"] };
    for part in kinds.into_iter().chain(["answers", "dump-", "export"]) {
        assert!(is_found(part), "the search finds nothing in {part}: {found:?}");
    }
    let read = if is_api_3 { "DescribeVpnConnections" } else { "DescribeVpnConn\"" };
    assert!(!holding(&spellings(read), &places, &patterns).is_empty(), "the gateway spoke the other API");
    let logs = holding(&spellings("DescribeVpcTaskResult"), &places, &patterns);
    assert!(
        logs.iter().any(|file| file.ends_with("gateway-1.err")),
        "the log contains trace lines: {logs:?}"
    );
    deployment
        .store
        .execute(&format!("CREATE TABLE planted AS SELECT '{core}' AS canary"))
        .await
        .expect("planted");
    let planted = holding(&spellings(&core), &at_rest(&deployment).await, &patterns);
    assert!(!planted.is_empty(), "a planted canary is found");
    assert!(blocking(|| gateway.terminate()).success());
}

on_each_ledger!(no_secret_is_ever_written, no_secret_is_ever_written_with_api_3);
