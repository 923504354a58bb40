//! Callers that speak HTTP/1.0 get no chunks.

use std::io::Read;

use super::raw::{Connection, Raw};
use crate::harness::{Harness, path, ranges};

async fn old(harness: &Harness, route: &str, headers: &str) -> Raw {
    let mut connection = Connection::open(&harness.consumer.base).await;
    let token = &harness.consumer.token;
    connection.send(format!("GET {route} HTTP/1.0\r\nauthorization: Bearer {token}\r\n{headers}\r\n")).await;
    connection.answer().await
}

/// A body without the wait for a new connection, which is drawn for each stream.
fn lasting(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    text.lines().filter(|line| !line.starts_with("retry: ")).collect::<Vec<_>>().join("\n")
}

async fn what_has_no_length_ends_with_the_connection(harness: Harness) {
    let operation = harness.consumer.patch(&path("vpnx-branch01"), &ranges(), &[("prefer", "wait=30")]).await;
    let stream = format!("/operations/{}/stream", operation.json()["id"].as_str().expect("an id"));
    for (route, accept) in [
        ("/audit-events", "text/csv"),
        ("/audit-events", "application/x-ndjson"),
        (stream.as_str(), "text/event-stream"),
        ("/audit-events", "application/json"),
        ("/openapi.json", "*/*"),
    ] {
        let now = harness.consumer.get(route, &[("accept", accept)]).await;
        for keep_alive in ["", "connection: keep-alive\r\n"] {
            let then = old(&harness, route, &format!("accept: {accept}\r\n{keep_alive}")).await;
            assert!(then.head.starts_with("http/1.0 200 ok\r\n"), "{}", then.head);
            assert_eq!(then.header("transfer-encoding"), None, "{}", then.head);
            assert_eq!(lasting(&then.body), lasting(now.body.as_bytes()), "{route} {accept}");
            let has_length = then.header("content-length").is_some();
            let is_kept = then.header("connection") == Some("keep-alive");
            assert_eq!(is_kept, has_length && !keep_alive.is_empty(), "{}", then.head);
        }
        let packed = old(&harness, route, &format!("accept: {accept}\r\naccept-encoding: gzip\r\n")).await;
        if packed.header("content-encoding") == Some("gzip") {
            let mut text = String::new();
            flate2::read::GzDecoder::new(&packed.body[..]).read_to_string(&mut text).expect("gzip");
            assert_eq!(lasting(text.as_bytes()), lasting(now.body.as_bytes()), "{route} {accept}");
        }
    }
}

async fn a_kept_connection_serves_the_next_request(harness: Harness) {
    let mut connection = Connection::open(&harness.consumer.base).await;
    let token = &harness.consumer.token;
    for route in ["/operations", "/nowhere", "/livez"] {
        let ask = format!(
            "GET {route} HTTP/1.0\r\nauthorization: Bearer {token}\r\nconnection: keep-alive\r\n\r\n"
        );
        connection.send(ask).await;
        let answer = connection.answer().await;
        assert_eq!(answer.header("connection"), Some("keep-alive"), "{}", answer.head);
    }
    connection.send("GET /livez HTTP/1.0\r\n\r\n").await;
    assert_eq!(connection.answer().await.status, 200);
    connection.closed().await;
}

on_each_ledger!(what_has_no_length_ends_with_the_connection, a_kept_connection_serves_the_next_request,);
