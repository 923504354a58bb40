//! JSON bodies, parsed strictly.

use std::fmt;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::web::Payload;
use futures_util::StreamExt;
use secrecy::zeroize::{Zeroize, Zeroizing};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use tokio::time::{Instant, timeout_at};

use crate::http::problem::{Problem, ProblemType};

/// The largest body, in bytes.
pub const MAX_BODY: usize = 64 * 1024;
/// The nesting that serde_json reads.
const MAX_DEPTH: usize = 127;
/// The time limit for receiving a body.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The media types of patches; the first is preferred.
pub const PATCH_TYPES: &[&str] = &["application/merge-patch+json", "application/json"];
const JSON_TYPE: &str = "application/json";
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

/// Reads the body of a patch.
///
/// # Errors
/// 415, 413 or 400.
pub async fn patch(request: &HttpRequest, payload: &mut Payload) -> Result<Value, Problem> {
    if !has_type(request, PATCH_TYPES) {
        let detail = format!("send one of {}, in UTF-8", PATCH_TYPES.join(", "));
        let accepted = HeaderValue::from_static("application/merge-patch+json, application/json");
        return Err(
            Problem::new(ProblemType::UnsupportedMediaType, detail).with_header(ACCEPT_PATCH, accepted)
        );
    }
    is_plain(request)?;
    json(&read(request, payload).await?)
}

/// Reads a body of JSON; an absent body counts as `{}`.
///
/// # Errors
/// 415, 413 or 400.
pub async fn optional(request: &HttpRequest, payload: &mut Payload) -> Result<Value, Problem> {
    let body = read(request, payload).await?;
    if body.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    is_plain(request)?;
    if !has_type(request, &[JSON_TYPE]) {
        return Err(Problem::new(ProblemType::UnsupportedMediaType, format!("send {JSON_TYPE}, in UTF-8")));
    }
    json(&body)
}

/// The bytes of a body, which may contain a pre-shared key: the buffer is wiped when dropped.
async fn read(request: &HttpRequest, payload: &mut Payload) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let too_large = || {
        let detail = format!("a body may have up to {MAX_BODY} bytes");
        Problem::new(ProblemType::BodyTooLarge, detail)
    };
    // Allocated once to leave no copies.
    let mut body = Zeroizing::new(Vec::with_capacity(announced(request).unwrap_or(MAX_BODY)));
    let until = Instant::now() + TIMEOUT;
    let too_slow = |_| {
        let detail = format!("the body did not arrive within {} s", TIMEOUT.as_secs());
        Problem::new(ProblemType::IncompleteBody, detail)
    };
    while let Some(chunk) = timeout_at(until, payload.next()).await.map_err(too_slow)? {
        let chunk = chunk.map_err(|_| Problem::of(ProblemType::IncompleteBody))?;
        if body.len() + chunk.len() > MAX_BODY {
            return Err(too_large());
        }
        if body.capacity() - body.len() < chunk.len() {
            // The body is longer than announced: the old buffer is wiped when replaced.
            let mut larger = Zeroizing::new(Vec::with_capacity(MAX_BODY));
            larger.extend_from_slice(&body);
            body = larger;
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn json(body: &[u8]) -> Result<Value, Problem> {
    if body.is_empty() {
        return Err(Problem::new(ProblemType::InvalidJson, "the body is empty"));
    }
    // serde_json's messages name positions, not content.
    let Strict(value) = serde_json::from_slice(body).map_err(|error| {
        let mut detail = format!("the body is not valid JSON: {error}");
        if detail.contains("recursion limit exceeded") {
            detail += &format!("; {MAX_DEPTH} levels are allowed");
        }
        Problem::new(ProblemType::InvalidJson, detail)
    })?;
    Ok(value)
}

/// Wipes the texts of a body: one of them may be a pre-shared key.
pub fn wipe(mut document: Value) {
    fn texts(value: &mut Value) {
        match value {
            Value::String(text) => text.zeroize(),
            Value::Array(items) => items.iter_mut().for_each(texts),
            Value::Object(members) => members.values_mut().for_each(texts),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    texts(&mut document);
}

/// `Content-Length`, if it is within the limit.
fn announced(request: &HttpRequest) -> Option<usize> {
    let length = request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()?;
    (length <= MAX_BODY).then_some(length)
}

/// Refuses a compressed body.
fn is_plain(request: &HttpRequest) -> Result<(), Problem> {
    match request.headers().get(header::CONTENT_ENCODING) {
        Some(encoding) if !encoding.as_bytes().eq_ignore_ascii_case(b"identity") => {
            let detail = "send the body uncompressed, without Content-Encoding";
            let accepted = HeaderValue::from_static("identity");
            let problem = Problem::new(ProblemType::UnsupportedMediaType, detail);
            Err(problem.with_header(header::ACCEPT_ENCODING, accepted))
        }
        _ => Ok(()),
    }
}

fn has_type(request: &HttpRequest, types: &[&str]) -> bool {
    let value = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let mut parts = value.unwrap_or_default().split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    types.iter().any(|known| essence.eq_ignore_ascii_case(known))
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, value)) if name.eq_ignore_ascii_case("charset") => {
                // `utf8` is not a registered name, but clients send it.
                ["utf-8", "utf8"].iter().any(|name| value.trim_matches('"').eq_ignore_ascii_case(name))
            }
            _ => true,
        })
}

/// JSON without duplicate members: parsers disagree on which duplicate counts.
pub struct Strict(pub Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Strict)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let Strict(value) = members.next_value()?;
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("an object contains a member twice"));
            }
        }
        Ok(object.into())
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn strict(text: &str) -> Result<Value, String> {
        serde_json::from_str::<Strict>(text).map(|strict| strict.0).map_err(|error| error.to_string())
    }

    #[test]
    fn a_member_that_stands_twice_is_refused_at_any_depth() {
        assert!(strict(r#"{"a":1,"b":{"c":[{"d":1,"d":2}]}}"#).is_err_and(|error| error.contains("twice")));
        assert_eq!(
            strict(r#"{"a":[1,-2,0.5,null,true,"x"]}"#),
            Ok(serde_json::json!({"a": [1, -2, 0.5, null, true, "x"]}))
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_end_is_cut_off_after_its_limit() -> Result<(), actix_web::Error> {
        let request =
            TestRequest::default().insert_header(("content-type", PATCH_TYPES[0])).to_http_request();
        let mut nothing: actix_web::dev::Payload =
            actix_web::dev::Payload::Stream { payload: Box::pin(futures_util::stream::pending()) };
        let mut payload = <Payload as actix_web::FromRequest>::from_request(&request, &mut nothing).await?;
        let started = Instant::now();
        let problem = patch(&request, &mut payload).await.err().map(|problem| problem.to_string());
        assert_eq!(problem.as_deref(), Some("400 incomplete_body"));
        assert_eq!(started.elapsed(), TIMEOUT);
        Ok(())
    }

    #[test]
    fn an_error_names_the_place_and_not_the_content() {
        let error = strict(r#"{"pre_shared_key":"canary" "#).expect_err("not JSON");
        assert!(error.contains("line 1") && !error.contains("canary"), "{error}");
    }

    #[test]
    fn both_media_types_are_taken_in_utf_8_only() {
        let is_taken = |value: &str| {
            let request = TestRequest::default().insert_header(("content-type", value)).to_http_request();
            has_type(&request, PATCH_TYPES)
        };
        assert!(is_taken("application/merge-patch+json"));
        assert!(is_taken("Application/JSON; charset=\"UTF-8\""));
        assert!(is_taken("application/json; charset=utf8"));
        assert!(!is_taken("application/json; charset=latin1"));
        assert!(!is_taken("text/plain"));
        assert!(!has_type(&TestRequest::default().to_http_request(), PATCH_TYPES));
    }

    #[test]
    fn limits_in_the_words_are_those_of_the_code() {
        assert!(ProblemType::BodyTooLarge.describe().detail.contains(&MAX_BODY.to_string()));
    }
}
