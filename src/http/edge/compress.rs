//! Packing answers with gzip, for callers who ask for it.

use actix_http::encoding::Encoder;
use actix_web::Error;
use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    self, AcceptEncoding, ContentEncoding, Encoding, Header, HeaderMap, HeaderValue,
};
use actix_web::middleware::Next;

/// Shorter answers would hardly get shorter, in bytes.
const WORTH_IT: u64 = 1024;

/// The types that get shorter by it.
const PACKED: &[&str] = &[
    "application/json",
    "application/problem+json",
    "application/x-ndjson",
    "application/openmetrics-text",
    "application/javascript",
    "text/csv",
    "text/css",
    "text/html",
    "text/javascript",
    "text/plain",
    "image/svg+xml",
];

/// Around every request: packs the answer if the caller takes gzip and the answer gets shorter by it. A stream is packed as
/// it goes. Server-sent events are not: each has to arrive at once.
pub async fn compressed(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let wanted = wants_gzip(&request);
    let response = next.call(request).await?;
    let is_worth_it = is_packed(response.headers(), response.response().body().size());
    let encoding = if wanted && is_worth_it { ContentEncoding::Gzip } else { ContentEncoding::Identity };
    let mut response = response.map_body(|head, body| Encoder::response(encoding, head, body));
    if is_worth_it {
        // A cache has to know that it could have been otherwise.
        vary_by_encoding(response.headers_mut());
    }
    Ok(response)
}

/// Says so in one line with what is there already: the CORS middleware keeps only the first.
fn vary_by_encoding(headers: &mut HeaderMap) {
    const NAME: &str = "accept-encoding";
    let lines = headers.get_all(header::VARY).filter_map(|value| value.to_str().ok());
    let names = lines.flat_map(|line| line.split(',')).map(str::trim);
    let mut names: Vec<&str> = names.filter(|name| !name.eq_ignore_ascii_case(NAME)).collect();
    names.push(NAME);
    if let Ok(value) = HeaderValue::from_str(&names.join(", ")) {
        headers.insert(header::VARY, value);
    }
}

fn wants_gzip(request: &ServiceRequest) -> bool {
    let supported = [Encoding::gzip(), Encoding::identity()];
    AcceptEncoding::parse(request)
        .is_ok_and(|accepted| accepted.negotiate(supported.iter()) == Some(Encoding::gzip()))
}

fn is_packed(headers: &HeaderMap, size: BodySize) -> bool {
    let is_long = match size {
        BodySize::None => false,
        BodySize::Sized(bytes) => bytes >= WORTH_IT,
        BodySize::Stream => true,
    };
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    // A strong ETag stands for the very bytes, and `If-Match` compares it: they stay as they are.
    let is_exact = kind == "application/json"
        && headers.get(header::ETAG).is_some_and(|tag| tag.as_bytes().starts_with(b"\""));
    is_long && PACKED.contains(&kind) && !is_exact
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderName;

    use super::*;

    #[test]
    fn only_what_gets_shorter_is_packed() {
        let of = |kind: &str, tag: Option<&str>, size| {
            let mut headers = HeaderMap::new();
            let value = |text: &str| HeaderValue::from_str(text).expect("a value");
            headers.insert(header::CONTENT_TYPE, value(kind));
            if let Some(tag) = tag {
                headers.insert(HeaderName::from_static("etag"), value(tag));
            }
            is_packed(&headers, size)
        };
        assert!(of("application/json", None, BodySize::Sized(WORTH_IT)));
        assert!(of("text/csv; charset=utf-8; header=present", None, BodySize::Stream));
        assert!(!of("application/json", None, BodySize::Sized(WORTH_IT - 1)));
        assert!(!of("application/json", Some("\"tag\""), BodySize::Sized(WORTH_IT)));
        assert!(of("text/javascript", Some("\"tag\""), BodySize::Sized(WORTH_IT)));
        assert!(!of("text/event-stream", None, BodySize::Stream));
        assert!(!of("image/png", None, BodySize::Sized(WORTH_IT)));
    }
}
