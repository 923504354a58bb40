//! Properties of the readers of requests, for the fuzzer (`tests/fuzz`) and its corpus.

#![allow(clippy::expect_used, clippy::panic, reason = "a property that does not hold stops the fuzzer")]

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::test::TestRequest;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use uuid::Uuid;

use crate::trace::Parent;

use super::auth::token;
use super::connection::fuzz as connection;
use super::edge::{Edge, ForwardedHeader};
use super::input::body::Strict;
use super::input::query::{Query, cursor};
use super::input::{accept, conditional, headers};
use super::operations::last_event_id::LastEventId;
use super::request_id;

/// The bytes as the value of each header that the gateway reads.
pub fn header_values(bytes: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(bytes) else { return };
    let with = |name: &'static str| -> HttpRequest {
        TestRequest::default().insert_header((HeaderName::from_static(name), value.clone())).to_http_request()
    };
    let longest = Duration::from_secs(55);
    if let Some(wait) = headers::Wait::of(&with("prefer"), longest) {
        assert!(wait.granted <= longest);
    }
    if let Ok(Some(key)) = headers::idempotency_key(&with("idempotency-key")) {
        assert!((1..=headers::MAX_IDEMPOTENCY_KEY).contains(&key.len()));
        let quoted = format!("\"{}\"", key.replace('\\', "\\\\").replace('"', "\\\""));
        let request = TestRequest::default().insert_header(("idempotency-key", quoted)).to_http_request();
        assert_eq!(headers::idempotency_key(&request).ok().flatten().as_ref(), Some(&key), "quoted");
    }
    let _ = conditional::if_match(&with("if-match"));
    let _ = conditional::if_none_match(&with("if-none-match"));
    let form = accept::preferred(&with("accept"), &[("application/json", 1), ("text/csv", 2)], 0);
    assert!(form <= 2);
    if let Some(id) = request_id::valid_id(&value) {
        assert!(id.bytes().all(|byte| byte.is_ascii_graphic()) && id.len() <= request_id::MAX_REQUEST_ID);
    }
    if let Ok(text) = value.to_str() {
        let _ = Parent::read(text, Some(text));
    }
    if let Some(place) = value.to_str().ok().and_then(LastEventId::parse) {
        assert!(!matches!(place, LastEventId::Step(seq) if seq < 0));
    }
    forwarded(value);
}

/// The client of a request is never a trusted proxy, unless every address is one.
fn forwarded(value: HeaderValue) {
    let proxy = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
    for (kind, name) in
        [(ForwardedHeader::XForwardedFor, "x-forwarded-for"), (ForwardedHeader::Forwarded, "forwarded")]
    {
        let proxies = vec!["10.0.0.0/8".parse().expect("a network")];
        let edge = Edge { trusted_proxies: proxies, forwarded_header: kind, ..Edge::default() };
        let mut headers = HeaderMap::new();
        headers.insert(HeaderName::from_static(name), value.clone());
        assert_eq!(edge.source(proxy, &headers), edge.source(proxy, &headers).to_canonical());
        let stranger = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7));
        assert_eq!(edge.source(stranger, &headers), stranger, "a stranger names nobody else");
    }
}

/// The bytes as a value of `Authorization`. A token is the rest of the value and in no text for people, and the scheme may have
/// any letter case.
pub fn authorizations(bytes: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(bytes) else { return };
    let Some(token) = token::bearer(&value) else {
        let scheme = bytes.first_chunk::<7>().is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer "));
        assert!(!scheme || value.to_str().is_err(), "a bearer token is refused");
        return;
    };
    let text = token.expose_secret();
    assert_eq!(bytes.get(7..).map(<[u8]>::trim_ascii), Some(text.as_bytes()));
    assert_eq!(
        format!("{token:?}"),
        format!("{:?}", SecretString::from("another")),
        "the same for every token"
    );
    let again = HeaderValue::from_str(&format!("bEARER  {text} ")).expect("a value");
    assert_eq!(token::bearer(&again).expect("a token").expose_secret(), text);
}

/// The bytes as a query, and as a cursor. A cursor that is accepted is one that the gateway made.
pub fn queries(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut query = Query::parse(text);
    let _ = (query.flag("dry_run"), query.limit(), query.moment("created_after"), query.text("vpc_id"));
    let _ = query.finish();
    let encoded: String = form_urlencoded::byte_serialize(bytes).collect();
    let encoded = format!("cursor={encoded}");
    if let Some(place) = Query::parse(&encoded).cursor::<i64>() {
        assert_eq!(cursor(&place), text);
    }
    if let Some(place) = Query::parse(&encoded).cursor::<Uuid>() {
        assert_eq!(cursor(&place), text);
    }
    if let Some(place) = Query::parse(&encoded).cursor::<String>() {
        assert_eq!(cursor(&place), text);
    }
}

/// The strict reader of bodies accepts nothing that a usual reader refuses, and reads the same.
pub fn bodies(bytes: &[u8]) {
    if let Ok(Strict(strict)) = serde_json::from_slice(bytes) {
        assert_eq!(serde_json::from_slice::<Value>(bytes).ok(), Some(strict));
    }
}

/// The bytes as frames of HTTP/2, and as what the server writes.
pub fn connections(bytes: &[u8]) {
    connection::frames(bytes);
    connection::answers(bytes);
}
