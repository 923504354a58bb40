//! A gateway behind nginx with the configuration of `docs/proxies.md`.

use std::time::Duration;

use serde_json::json;
use tunnelgate::config::Settings;

use super::gateway_with;
use crate::harness::{Harness, path, ranges};
use crate::support::consumer::Consumer;
use crate::support::nginx::{Front, Nginx};

struct Proxied {
    harness: Harness,
    /// Calls through nginx.
    consumer: Consumer,
    nginx: Nginx,
}

async fn proxied(directives: &str, change: impl FnOnce(&mut Settings)) -> Proxied {
    let front = Front::new();
    let harness = gateway_with(|settings| {
        settings.edge.public_url = Some(front.url("/tunnelgate").parse().expect("a URL"));
        settings.edge.trusted_proxies = vec!["127.0.0.0/8".parse().expect("a network")];
        change(settings);
    })
    .await;
    let nginx = front.nginx(&harness.consumer.base, directives);
    let consumer = Consumer::new(front.url("/tunnelgate"), harness.consumer.token.clone());
    Proxied { harness, consumer, nginx }
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_can_be_followed_as_they_are() {
    let proxied = proxied("", |_| {}).await;
    let consumer = &proxied.consumer;
    let claim = [("x-forwarded-for", "192.0.2.66")];
    let changed = consumer.patch(&path("vpnx-branch01"), &ranges(), &claim).await;
    assert_eq!(changed.status, 202, "{}", changed.body);
    // By a client that knows nothing of the gateway.
    let curl = |url: &str| {
        let authorization = format!("Authorization: Bearer {}", consumer.token);
        let output =
            std::process::Command::new("curl").args(["-sS", "-L", "-H", &authorization, url]).output();
        String::from_utf8(output.expect("curl").stdout).expect("text")
    };
    let operation = curl(changed.header("location").expect("Location"));
    assert!(operation.contains(changed.json()["id"].as_str().expect("an id")), "{operation}");
    consumer.ended(changed.json()["id"].as_str().expect("an id")).await;
    let mut page = consumer.get("/audit-events?limit=1", &[]).await;
    let mut events = 1;
    while let Some(next) = page.next_page() {
        assert!(next.starts_with(&consumer.base), "{next}");
        page = consumer.follow(&next).await;
        events += 1;
    }
    assert!(events >= 4, "{events}");
    let refused = consumer.get("/operations?limit=0", &[]).await.json();
    let kind = curl(refused["type"].as_str().expect("a type"));
    assert!(kind.contains("invalid_query"), "{kind}");
    let document: serde_json::Value =
        serde_json::from_str(&curl(&format!("{}/openapi.json", consumer.base))).expect("JSON");
    assert_eq!(document["servers"], json!([{"url": consumer.base}]));
    // nginx redirects the path without its slash, and the gateway the one of the Swagger UI.
    assert!(curl(&consumer.base).contains("console/main.js"));
    assert!(curl(&format!("{}/docs", consumer.base)).contains("swagger-ui"));
    assert_eq!(consumer.get("/metrics", &[]).await.status, 404, "denied by the proxy");
    assert_eq!(consumer.get("/tunnelgate/metrics", &[]).await.status, 404);
    let requested = consumer.get("/audit-events?event=requested", &[]).await.json();
    assert_eq!(requested["items"][0]["source_ip"], "192.0.2.66");
    assert_eq!(proxied.nginx.log(), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_compression_made_weak_still_guards_a_change() {
    let gzip = "gzip on;\ngzip_types application/json;\ngzip_min_length 1;\ngzip_proxied any;\n";
    let proxied = proxied(gzip, |_| {}).await;
    let consumer = &proxied.consumer;
    let tunnel = path("vpnx-branch01");
    let read = consumer.get(&tunnel, &[("accept-encoding", "gzip")]).await;
    assert_eq!(read.header("content-encoding"), Some("gzip"));
    let tag = read.header("etag").expect("a tag").to_owned();
    assert!(tag.starts_with("W/\""), "{tag}");
    assert_eq!(consumer.get(&tunnel, &[("if-none-match", &tag)]).await.status, 304);
    let changed = consumer.patch(&tunnel, &ranges(), &[("if-match", &tag), ("prefer", "wait=30")]).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    let again = consumer.patch(&tunnel, &json!({"peer_cidrs": ["10.7.0.0/16"]}), &[("if-match", &tag)]).await;
    assert_eq!(again.status, 412, "the tunnel is another one now: {}", again.body);
    assert_eq!(proxied.harness.received("vpnx-branch01").len(), 1);
}

/// The proxy waits longer than the gateway, as with its usual 60 s and the gateway's 55 s.
#[tokio::test(flavor = "multi_thread")]
async fn a_wait_ends_before_the_proxy_gives_up_however_slow_the_cloud_is() {
    let proxied = proxied("proxy_read_timeout 7s;\n", |settings| {
        settings.edge.longest_wait = Duration::from_secs(4);
        settings.accounts[0].timeout = Duration::from_secs(3);
        settings.rules.settle_window = Duration::from_secs(60);
    })
    .await;
    let consumer = &proxied.consumer;
    // The cloud does not answer: three seconds of the four have passed when the operation is unknown.
    let waits = [("prefer", "wait=60")];
    let unknown = consumer.patch(&path("vpnx-no-answer"), &ranges(), &waits).await;
    assert_eq!(
        (unknown.status, unknown.header("preference-applied")),
        (202, Some("wait=4")),
        "{}",
        unknown.body
    );
    assert_eq!(unknown.json()["status"], "unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_arrives_step_by_step_and_outlives_the_proxys_patience() {
    let proxied = proxied("proxy_read_timeout 2s;\n", |settings| {
        settings.edge.heartbeat = Duration::from_millis(500);
        settings.rules.task_timeout = Duration::from_secs(5);
    })
    .await;
    let consumer = &proxied.consumer;
    let changed = consumer.patch(&path("vpnx-task-never-ends"), &ranges(), &[]).await.json();
    let id = changed["id"].as_str().expect("an id");
    let mut messages = consumer.messages(&format!("/operations/{id}/stream"), &[]).await;
    for kind in ["requested", "submitted"] {
        assert_eq!(messages.next().await.expect("a step").event, kind);
    }
    let running = consumer.get(&format!("/operations/{id}"), &[]).await.json();
    assert_eq!(running["status"], "running", "the steps arrived before the end");
    let rest = messages.rest().await;
    assert_eq!(rest.last().map(|message| message.event.as_str()), Some("end"), "{rest:?}");
}
