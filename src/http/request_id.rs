//! The ids of requests and of their traces.

use actix_web::http::header::{HeaderName, HeaderValue};

/// The header of request ids, in requests and answers.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest request id that a caller may send, in characters.
pub const MAX_REQUEST_ID: usize = 128;
tokio::task_local! {
    pub static CURRENT: String;
}

/// The id of the current request.
pub fn current_id() -> String {
    CURRENT.try_with(Clone::clone).unwrap_or_default()
}

/// A request's id, in its extensions.
#[derive(Clone)]
pub struct RequestId(pub String);

/// The id of a request's trace, in its extensions: the trace of the caller's `traceparent`, or with traces one that begins
/// here.
#[derive(Clone)]
pub struct TraceId(pub Option<String>);

/// The caller's id, if its characters are safe for logs, headers and the ledger.
pub fn valid_id(value: &HeaderValue) -> Option<String> {
    let text = value.to_str().ok()?;
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._:/+=-".contains(&b);
    let is_valid = (1..=MAX_REQUEST_ID).contains(&text.len()) && text.bytes().all(allowed);
    is_valid.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> HeaderValue {
        HeaderValue::from_str(text).expect("a header value")
    }

    #[test]
    fn only_a_sane_request_id_is_taken_over() {
        assert_eq!(valid_id(&value("ci/42:a.b-c_d")), Some("ci/42:a.b-c_d".into()));
        let long = "a".repeat(MAX_REQUEST_ID + 1);
        for text in ["", "two words", "a\"b", "<x>", &long] {
            assert_eq!(valid_id(&value(text)), None, "{text}");
        }
    }
}
