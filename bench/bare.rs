//! A bare actix server that makes the same signed call as the service, and nothing else: no ledger, no authorization,
//! no validation, no log. `bench/run` compares the service with it.
//!
//!     bare PORT UPSTREAM_PORT

#![allow(clippy::expect_used, reason = "a benchmark that can't go on fails")]

use actix_web::{App, HttpResponse, HttpServer, web};
use serde_json::{Value, json};
use tunnelgate::chance::{Chance, SystemChance};
use tunnelgate::clock::{Clock, SystemClock};
use tunnelgate::cloud::v2::sign::{self, Method, SignatureMethod, Target};

/// What each request needs.
struct Upstream {
    client: reqwest::Client,
    host: String,
}

async fn patch(
    upstream: web::Data<Upstream>,
    path: web::Path<(String, String, String)>,
    body: web::Bytes,
) -> HttpResponse {
    let (vpc, gateway, tunnel) = path.into_inner();
    let patch: Value = serde_json::from_slice(&body).expect("a patch");
    let now = SystemClock.now();
    let id = SystemChance.id(now);
    let (timestamp, nonce) =
        ((now.as_micros() / 1_000_000).to_string(), (id.as_u128() as u64 >> 1).to_string());
    let params = [
        ("Action", "ModifyVpnConnEx"),
        ("vpcId", &vpc),
        ("vpnGwId", &gateway),
        ("vpnConnId", &tunnel),
        ("preSharedKey", patch["pre_shared_key"].as_str().expect("a key")),
        ("userGwCidrBlock.0", patch["peer_cidrs"][0].as_str().expect("a range")),
        ("Region", "ap-guangzhou"),
        ("Timestamp", &timestamp),
        ("Nonce", &nonce),
        ("SecretId", "AKIDBENCH"),
        ("SignatureMethod", "HmacSHA1"),
    ];
    let target = Target { method: Method::Post, host: &upstream.host, path: "/v2/index.php" };
    let text = sign::string_to_sign(target, &params);
    let signature = sign::signature(SignatureMethod::HmacSha1, "bench-secret-key", &text);
    let form = sign::form(&params, &signature);
    let answer = upstream
        .client
        .post(format!("http://{}/v2/index.php", upstream.host))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form.expose().to_owned())
        .send()
        .await
        .expect("an answer");
    let answer: Value = serde_json::from_slice(&answer.bytes().await.expect("a body")).expect("JSON");
    let task = answer["data"]["taskId"].as_u64().expect("a task").to_string();
    HttpResponse::Accepted().json(json!({"id": id, "status": "running", "task_id": task}))
}

#[actix_web::main]
async fn main() {
    // `cargo bench` adds a word of its own.
    let numbers: Vec<u16> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let [port, upstream] = numbers[..] else { return };
    // Building a client needs a TLS provider although the stub speaks plain HTTP.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let upstream = web::Data::new(Upstream { client, host: format!("127.0.0.1:{upstream}") });
    let app = move || {
        let route = "/vpcs/{vpc}/gateways/{gateway}/tunnels/{tunnel}";
        App::new().app_data(upstream.clone()).route(route, web::patch().to(patch))
    };
    HttpServer::new(app).bind(("127.0.0.1", port)).expect("a free port").run().await.expect("served");
}
