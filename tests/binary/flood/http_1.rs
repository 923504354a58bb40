//! HTTP/1.1.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::{Target, head, rest};

const TUNNEL: &str = "/vpcs/vpc-03vihbk9/gateways/vpngw-kfldykuz/tunnels/vpnx-branch01";

impl Target {
    /// The head of a PATCH.
    fn patch(&self, headers: &str) -> String {
        format!(
            "PATCH {TUNNEL} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n{headers}\r\n",
            self.consumer.token
        )
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_and_bodies_that_come_byte_by_byte_hold_up_nobody() {
    let target = Target::new().await;
    let slow_head = b"GET /operations HTTP/1.1\r\nhost: x\r\nx-slow: ";
    let body = target.patch("content-length: 60000\r\n");
    let expecting = target.patch("content-length: 60000\r\nexpect: 100-continue\r\n");
    let second = format!("GET /livez HTTP/1.1\r\nhost: x\r\n\r\n{}", String::from_utf8_lossy(slow_head));
    target
        .stays_flat(8, async |target| {
            let mut slow = Vec::new();
            for bytes in [&slow_head[..], body.as_bytes(), expecting.as_bytes(), second.as_bytes()] {
                slow.extend(target.connections(150, bytes).await);
            }
            for _ in 0..5 {
                for connection in &mut slow {
                    connection.write_all(b"a").await.expect("sent");
                }
                target.others_are_served().await;
            }
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_that_never_read_hold_up_nobody() {
    let target = Target::new().await;
    let document = "GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(16);
    let packed = "GET /openapi.json HTTP/1.1\r\nhost: x\r\naccept-encoding: gzip\r\n\r\n".repeat(16);
    let before = target.gateway.memory();
    let mut deaf = Vec::new();
    for requests in [&document, &packed] {
        for _ in 0..200 {
            let mut connection = target.connect().await;
            // The gateway stops to read requests whose answers nobody takes.
            let sending = connection.write_all(requests.as_bytes());
            let _ = timeout(Duration::from_millis(10), sending).await;
            deaf.push(connection);
        }
        target.others_are_served().await;
    }
    // 128 kB for each of them, and 256 compressions. Whole, the document would take 500 kB of each.
    let after = target.gateway.memory();
    let allowed = before + (400 * 128 + 256 * 448) * 1024;
    assert!(after < allowed, "{} MiB before, {} MiB after", before >> 20, after >> 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_and_bodies_without_an_end_take_no_memory() {
    let target = Target::new().await;
    let line = format!("x-long: {}\r\n", "a".repeat(8000)).repeat(128);
    let chunk = format!("fffff\r\n{}\r\n", "[".repeat(0xf_ffff));
    let gzip = target.patch("content-encoding: gzip\r\ntransfer-encoding: chunked\r\n");
    let chunked = target.patch("transfer-encoding: chunked\r\n");
    target
        .stays_flat(16, async |target| {
            for (first, more, expected) in [
                ("GET / HTTP/1.1\r\nhost: x\r\n", &line, "431"),
                (chunked.as_str(), &chunk, "413"),
                (gzip.as_str(), &chunk, "415"),
            ] {
                let mut connection = target.connect().await;
                let _ = connection.write_all(first.as_bytes()).await;
                for _ in 0..24 {
                    if connection.write_all(more.as_bytes()).await.is_err() {
                        break;
                    }
                }
                // A reset is an answer, too: the gateway does not read for ever what it has refused.
                let answer = head(&mut connection).await;
                assert!(answer.is_empty() || answer.contains(expected), "{expected}: {answer}");
            }
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_connections_than_the_limit_wait_for_a_place() {
    let target = Target::new().await;
    let held = target.connections(2000, b"").await;
    target.others_are_served().await;
    drop(held);

    let narrow = target.narrow(20).await;
    let held = narrow.connections(60, b"").await;
    let mut waiting = narrow.connect().await;
    waiting.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.expect("sent");
    let mut byte = [0];
    let early = timeout(Duration::from_millis(300), waiting.read(&mut byte)).await;
    assert!(early.is_err(), "served before its turn");
    drop(held);
    assert!(rest(&mut waiting).await.contains("200 OK"));
}
