//! Bytes that are no request, or too long for one: every answer is a problem, and the connection ends.

use super::gateway_with;
use super::raw::Connection;
use crate::harness::{Harness, path};

fn get(route: &str, headers: &str) -> String {
    format!("GET {route} HTTP/1.1\r\nhost: x\r\n{headers}\r\n")
}

/// Sends these bytes on a connection of their own; the status and the code of the answer.
async fn told(harness: &Harness, bytes: impl AsRef<[u8]>) -> (u16, String) {
    let mut connection = Connection::open(&harness.consumer.base).await;
    connection.send(bytes).await;
    let answer = connection.answer().await;
    assert_eq!(answer.header("connection"), Some("close"), "{}", answer.head);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert!(answer.header("date").is_some_and(|date| date.ends_with("gmt")), "{}", answer.head);
    connection.closed().await;
    (answer.status, answer.problem())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_or_headers_that_are_too_long_are_problems() {
    let harness = gateway_with(|_| {}).await;
    for bytes in [65_535, 70_000, 140_000, 8 << 20] {
        let url = format!("/operations?vpc_id={}", "a".repeat(bytes - 19));
        assert_eq!(told(&harness, get(&url, "")).await, (414, "uri_too_long".into()), "{bytes}");
    }
    let long = format!("x-long: {}\r\n", "a".repeat(140_000));
    let many = (0..97).map(|n| format!("x-{n}: 1\r\n")).collect::<String>();
    let endless = format!("x-long: {}", "a".repeat(8 << 20));
    for headers in [long.as_str(), many.as_str(), endless.as_str()] {
        assert_eq!(told(&harness, get("/livez", headers)).await, (431, "headers_too_large".into()));
    }

    // The longest URL and the most headers that are read.
    let url = format!("/livez?x={}", "a".repeat(65_534 - 9));
    let many = (0..95).map(|n| format!("x-{n}: 1\r\n")).collect::<String>();
    for request in [get(&url, ""), get("/livez", &many)] {
        let mut connection = Connection::open(&harness.consumer.base).await;
        connection.send(request).await;
        assert_eq!(connection.answer().await.status, 200);
    }
    let metrics = harness.consumer.get("/metrics", &[]).await.body;
    let counted = "tunnelgate_http_requests_total{method=\"other\",route=\"unknown\",status=\"414\"} 4";
    assert!(metrics.contains(counted), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_proxies_and_servers_could_read_in_two_ways_is_refused() {
    let harness = gateway_with(|_| {}).await;
    let token = &harness.consumer.token;
    let patch = |headers: &str, body: &str| {
        format!(
            "PATCH {} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
             content-type: application/json\r\n{headers}\r\n{body}",
            path("vpnx-branch01")
        )
    };
    let body = r#"{"peer_cidrs":["10.100.2.0/24"]}"#;
    let length = body.len();
    let smuggled = "0\r\n\r\nGET /livez HTTP/1.1\r\nhost: x\r\n\r\n";
    for (headers, body) in [
        (format!("content-length: {length}\r\ncontent-length: 5\r\n"), body),
        (format!("content-length: {length}\r\ncontent-length: {length}\r\n"), body),
        (format!("content-length: {length}, {length}\r\n"), body),
        (format!("content-length: +{length}\r\n"), body),
        (format!("content-length: {length}\r\ntransfer-encoding: chunked\r\n"), smuggled),
        (format!("transfer-encoding: chunked\r\ncontent-length: {length}\r\n"), smuggled),
        ("transfer-encoding: chunked, identity\r\n".to_owned(), smuggled),
        ("transfer-encoding: xchunked\r\n".to_owned(), smuggled),
        (format!("content-length : {length}\r\n"), body),
        (format!("x: 1\r\n content-length: {length}\r\n"), body),
    ] {
        assert_eq!(
            told(&harness, patch(&headers, body)).await,
            (400, "malformed_request".into()),
            "{headers}"
        );
    }
    for bytes in [
        "nonsense\r\n\r\n",
        "GET /livez HTTP/3.7\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\u{0}\r\n\r\n",
        "GET  /livez HTTP/1.1\r\n\r\n",
    ] {
        assert_eq!(told(&harness, bytes).await, (400, "malformed_request".into()), "{bytes:?}");
    }
    assert_eq!(harness.modifications().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_before_it_are_answered_first() {
    let harness = gateway_with(|_| {}).await;
    let mut connection = Connection::open(&harness.consumer.base).await;
    let livez = get("/livez", "");
    connection.send(format!("{livez}{livez}nonsense\r\n\r\n{livez}")).await;
    assert_eq!(connection.answer().await.status, 200);
    assert_eq!(connection.answer().await.status, 200);
    let refused = connection.answer().await;
    assert_eq!((refused.status, refused.problem()), (400, "malformed_request".into()));
    connection.closed().await;
}
