//! HEAD: the response of GET without its body.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Harness, path, ranges};
use crate::support::consumer::Answer;

async fn head(harness: &Harness, route: &str, headers: &[(&str, &str)]) -> Answer {
    harness.consumer.raw("HEAD", route, "", headers).await
}

/// A response's headers, without those that differ between two equal requests.
fn lasting(answer: &Answer) -> Vec<(String, String)> {
    let own = ["date", "x-request-id", "transfer-encoding"];
    let headers = answer.headers.iter().filter(|(name, _)| !own.contains(&name.as_str()));
    let mut headers: Vec<_> =
        headers.map(|(name, value)| (name.to_string(), value.to_str().expect("text").to_owned())).collect();
    headers.sort();
    headers
}

async fn it_has_the_headers_of_get_and_no_body(harness: Harness) {
    let operation = harness.consumer.patch(&path("vpnx-branch01"), &ranges(), &[("prefer", "wait=30")]).await;
    let operation = operation.json();
    let one = format!("/operations/{}", operation["id"].as_str().expect("an id"));
    let stream = format!("{one}/stream");
    for (route, accept) in [
        ("/", "*/*"),
        ("/docs", "*/*"),
        ("/docs/", "*/*"),
        ("/openapi.json", "*/*"),
        ("/problems", "text/html"),
        ("/livez", "*/*"),
        ("/readyz", "*/*"),
        ("/operations", "*/*"),
        (one.as_str(), "*/*"),
        (stream.as_str(), "*/*"),
        ("/audit-events", "*/*"),
        ("/audit-events", "application/x-ndjson"),
        ("/audit-events", "text/csv"),
        ("/audit-events/1", "*/*"),
        (path("vpnx-branch01").as_str(), "*/*"),
        ("/operations/nothing", "*/*"),
        ("/nowhere", "*/*"),
    ] {
        for encoding in ["identity", "gzip"] {
            let headers = [("accept", accept), ("accept-encoding", encoding), ("x-request-id", "head")];
            let (get, head) =
                (harness.consumer.get(route, &headers).await, head(&harness, route, &headers).await);
            assert_eq!((head.status, head.body.as_str()), (get.status, ""), "{route} {accept}");
            assert_eq!(lasting(&head), lasting(&get), "{route} {accept} {encoding}");
        }
    }
}

/// Reads from the connection up to and including this text.
async fn answer(connection: &mut TcpStream, end: &str) -> String {
    let mut text = Vec::new();
    while !text.ends_with(end.as_bytes()) {
        text.push(connection.read_u8().await.expect("more"));
    }
    String::from_utf8(text).expect("text")
}

async fn no_stream_begins_and_the_connection_goes_on(harness: Harness) {
    let running = harness.patch("vpnx-task-never-ends", &ranges()).await.json();
    let stream = format!("/operations/{}/stream", running["id"].as_str().expect("an id"));
    let address = harness.consumer.base.trim_start_matches("http://").to_owned();
    let mut connection = TcpStream::connect(&address).await.expect("a connection");
    // The first response has a body: leftover bytes of it would show in the next response.
    for (method, route, accept, end, has) in [
        ("GET", "/audit-events", "text/csv", "0\r\n\r\n", "requested"),
        ("HEAD", stream.as_str(), "*/*", "\r\n\r\n", "content-type: text/event-stream"),
        ("HEAD", "/audit-events", "application/x-ndjson", "\r\n\r\n", "content-type: application/x-ndjson"),
        ("HEAD", "/openapi.json", "*/*", "\r\n\r\n", "content-encoding: gzip"),
        ("HEAD", "/livez", "*/*", "\r\n\r\n", "content-length: 18"),
        ("GET", "/livez", "*/*", "\"}", "alive"),
    ] {
        let token = &harness.consumer.token;
        let ask = format!(
            "{method} {route} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\naccept: {accept}\r\n\
             accept-encoding: {}\r\n\r\n",
            if method == "HEAD" { "gzip" } else { "identity" }
        );
        connection.write_all(ask.as_bytes()).await.expect("sent");
        let answer = answer(&mut connection, end).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains(has), "{has} in {answer}");
    }
    harness.until_waiting("stream", 0).await;
}

on_each_ledger!(it_has_the_headers_of_get_and_no_body, no_stream_begins_and_the_connection_goes_on,);
