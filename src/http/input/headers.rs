//! `Prefer` and `Idempotency-Key`.

use std::time::Duration;

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use tokio::time::Instant;

use crate::domain::fault::Fault;

/// The longest `Idempotency-Key`, in characters.
pub const MAX_IDEMPOTENCY_KEY: usize = 255;
/// The header with the granted preference.
pub const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// How long a caller waits for the end of an operation.
#[derive(Debug, Clone, Copy)]
pub struct Wait {
    pub granted: Duration,
    /// Counted from the arrival of the request (RFC 7240, section 4.3), as a proxy's time-out is.
    pub until: Instant,
}

impl Wait {
    /// The wait of a request that arrives now; `None` if it asks for none.
    pub fn of(request: &HttpRequest, longest: Duration) -> Option<Self> {
        wait(request, longest).map(|granted| Self { granted, until: Instant::now() + granted })
    }
}

/// The wait in `Prefer` (RFC 7240), up to the longest one; an invalid preference is ignored.
fn wait(request: &HttpRequest, longest: Duration) -> Option<Duration> {
    let values = request.headers().get_all("prefer").filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split([',', ';'])).find_map(|preference| {
        let (name, value) = preference.split_once('=')?;
        let seconds: u64 = value.trim().trim_matches('"').parse().ok()?;
        name.trim().eq_ignore_ascii_case("wait").then(|| Duration::from_secs(seconds).min(longest))
    })
}

/// Adds the granted wait to an answer.
pub fn applied(response: &mut HttpResponse, wait: Wait) {
    if let Ok(value) = HeaderValue::from_str(&format!("wait={}", wait.granted.as_secs())) {
        response.headers_mut().insert(PREFERENCE_APPLIED, value);
    }
}

/// The `Idempotency-Key`: bare, or as a quoted string (the IETF draft's form).
pub fn idempotency_key(request: &HttpRequest) -> Result<Option<String>, Fault> {
    let mut values = request.headers().get_all("idempotency-key");
    let Some(value) = values.next() else { return Ok(None) };
    let fault = || {
        let detail =
            format!("must be one key of 1 to {MAX_IDEMPOTENCY_KEY} visible ASCII characters, bare or quoted");
        Fault::new("header:Idempotency-Key", "invalid", detail)
    };
    if values.next().is_some() {
        return Err(fault());
    }
    let text = value.to_str().map_err(|_| fault())?.trim();
    let key = match text.strip_prefix('"') {
        Some(quoted) => unquoted(quoted).ok_or_else(fault)?,
        None => text.to_owned(),
    };
    let is_visible = |b: u8| (b'!'..=b'~').contains(&b);
    if key.is_empty() || key.len() > MAX_IDEMPOTENCY_KEY || !key.bytes().all(is_visible) {
        return Err(fault());
    }
    Ok(Some(key))
}

/// The rest of a quoted string (RFC 9651): only `"` and `\` may be escaped.
fn unquoted(rest: &str) -> Option<String> {
    let mut key = String::with_capacity(rest.len());
    let mut chars = rest.chars();
    loop {
        match chars.next()? {
            '"' => return chars.as_str().is_empty().then_some(key),
            '\\' => match chars.next()? {
                escaped @ ('"' | '\\') => key.push(escaped),
                _ => return None,
            },
            plain => key.push(plain),
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;
    use crate::http::edge::LONGEST_WAIT;

    #[test]
    fn a_wait_is_read_among_other_preferences_and_capped() {
        let of = |value: &str| {
            wait(&TestRequest::default().insert_header(("prefer", value)).to_http_request(), LONGEST_WAIT)
        };
        assert_eq!(of("wait=10"), Some(Duration::from_secs(10)));
        assert_eq!(of("respond-async, Wait=\"5\""), Some(Duration::from_secs(5)));
        assert_eq!(of("wait=3600"), Some(LONGEST_WAIT));
        for nonsense in ["wait", "wait=", "wait=-1", "waits=3", "wait=1.5"] {
            assert_eq!(of(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn a_key_is_the_same_bare_and_quoted() {
        let of = |value: &str| {
            let request = TestRequest::default().insert_header(("idempotency-key", value)).to_http_request();
            idempotency_key(&request).ok().flatten()
        };
        assert_eq!(of("8e03978e-40d5"), Some("8e03978e-40d5".into()));
        assert_eq!(of("\"8e03978e-40d5\""), Some("8e03978e-40d5".into()));
        assert_eq!(of(r#""a\"b""#), Some("a\"b".into()));
        let long = "a".repeat(MAX_IDEMPOTENCY_KEY + 1);
        for refused in ["", "\"\"", "\"open", "two words", "\"a\"b", &long] {
            assert_eq!(of(refused), None, "{refused}");
        }
    }
}
