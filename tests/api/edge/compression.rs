//! Compressed answers.

use std::io::Read;

use super::gateway_with;
use crate::harness::{Harness, path, ranges};
use crate::support::consumer::plain_client;

/// Whether the body was compressed, its `Vary`, and the decompressed body.
async fn fetched(harness: &Harness, path: &str, headers: &[(&str, &str)]) -> (bool, Option<String>, String) {
    let mut request =
        plain_client().get(format!("{}{path}", harness.consumer.base)).bearer_auth(&harness.consumer.token);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.expect("an answer");
    let is_packed = response.headers().get("content-encoding").is_some_and(|value| value == "gzip");
    assert_eq!(response.headers().contains_key("content-encoding"), is_packed);
    let vary = response.headers().get("vary").map(|value| value.to_str().expect("text").to_lowercase());
    let bytes = response.bytes().await.expect("a body");
    let mut text = String::new();
    if is_packed {
        flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text).expect("gzip");
    } else {
        text = String::from_utf8(bytes.to_vec()).expect("text");
    }
    (is_packed, vary, text)
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_packed_when_asked_for() {
    let harness = gateway_with(|_| {}).await;
    for tunnel in ["vpnx-branch01", "vpnx-ol6bcqp0"] {
        harness.consumer.patch(&path(tunnel), &ranges(), &[("prefer", "wait=30")]).await;
    }
    let gzip = ("accept-encoding", "gzip, deflate, br");
    for (path, accept) in [
        ("/openapi.json", "*/*"),
        ("/audit-events", "application/json"),
        ("/audit-events", "application/x-ndjson"),
        ("/audit-events", "text/csv"),
    ] {
        let (is_packed, vary, plain) = fetched(&harness, path, &[("accept", accept)]).await;
        assert!(!is_packed && !plain.is_empty(), "{path} {accept}");
        assert!(vary.is_some_and(|vary| vary.contains("accept-encoding")), "{path} {accept}");
        let (is_packed, vary, unpacked) = fetched(&harness, path, &[("accept", accept), gzip]).await;
        assert!(is_packed, "{path} {accept}");
        assert!(vary.is_some_and(|vary| vary.contains("accept-encoding")), "{path} {accept}");
        assert!(unpacked == plain, "{path} {accept}");
    }
    for refused in ["gzip;q=0", "br", "identity", "gzip;q=0.1, identity"] {
        let (is_packed, ..) = fetched(&harness, "/openapi.json", &[("accept-encoding", refused)]).await;
        assert!(!is_packed, "{refused}");
    }
    let (is_packed, _, text) = fetched(&harness, "/livez", &[gzip]).await;
    assert!(!is_packed, "too short to compress: {text}");
}
