//! Compression of answers with gzip.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use actix_http::encoding::Encoder;
use actix_web::Error;
use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{
    self, AcceptEncoding, ContentEncoding, Encoding, Header, HeaderMap, HeaderValue,
};
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use pin_project_lite::pin_project;

use super::pieces::Pieces;

/// The smallest answer that is compressed, in bytes.
const MIN_BYTES: u64 = 1024;

/// The most answers that are compressed at the same time: each holds some 300 kB until its caller has taken it. More are sent
/// uncompressed.
const MAX_COMPRESSIONS: usize = 256;
static COMPRESSIONS: AtomicUsize = AtomicUsize::new(0);

/// One of the compressions, until it is dropped.
struct Compression;

impl Compression {
    fn begin() -> Option<Self> {
        let taken = COMPRESSIONS.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |open| {
            (open < MAX_COMPRESSIONS).then_some(open + 1)
        });
        taken.is_ok().then_some(Self)
    }
}

impl Drop for Compression {
    fn drop(&mut self) {
        COMPRESSIONS.fetch_sub(1, Ordering::Relaxed);
    }
}

pin_project! {
    /// A body that counts as a compression until it is dropped.
    struct Compressed<B> {
        #[pin]
        body: B,
        _compression: Option<Compression>,
    }
}

impl<B: MessageBody> MessageBody for Compressed<B> {
    type Error = B::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, B::Error>>> {
        self.project().body.poll_next(cx)
    }
}

/// The media types that are compressed.
const COMPRESSIBLE: &[&str] = &[
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

/// Middleware: compresses the answer if the caller accepts gzip and the answer is compressible. Streams are compressed chunk
/// by chunk, except server-sent events, which must arrive without delay.
pub async fn compressed(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let wanted = wants_gzip(&request);
    let response = next.call(request).await?;
    let is_worth_it = is_compressible(response.headers(), response.response().body().size());
    let compression = if wanted && is_worth_it { Compression::begin() } else { None };
    let encoding = if compression.is_some() { ContentEncoding::Gzip } else { ContentEncoding::Identity };
    let mut response = response.map_body(|head, body| {
        let body = Encoder::response(encoding, head, Pieces::of(body));
        Compressed { body, _compression: compression }
    });
    if is_worth_it {
        // Caches must store both encodings separately.
        vary_by_encoding(response.headers_mut());
    }
    Ok(response)
}

/// Adds to the existing `Vary` in one line, because the CORS middleware keeps only the first line.
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

fn is_compressible(headers: &HeaderMap, size: BodySize) -> bool {
    let is_long = match size {
        BodySize::None => false,
        BodySize::Sized(bytes) => bytes >= MIN_BYTES,
        BodySize::Stream => true,
    };
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    // A strong ETag identifies the exact bytes, so compression must not change them.
    let is_exact = kind == "application/json"
        && headers.get(header::ETAG).is_some_and(|tag| tag.as_bytes().starts_with(b"\""));
    is_long && COMPRESSIBLE.contains(&kind) && !is_exact
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderName;

    use super::*;

    #[test]
    fn only_what_gets_shorter_is_compressible() {
        let of = |kind: &str, tag: Option<&str>, size| {
            let mut headers = HeaderMap::new();
            let value = |text: &str| HeaderValue::from_str(text).expect("a value");
            headers.insert(header::CONTENT_TYPE, value(kind));
            if let Some(tag) = tag {
                headers.insert(HeaderName::from_static("etag"), value(tag));
            }
            is_compressible(&headers, size)
        };
        assert!(of("application/json", None, BodySize::Sized(MIN_BYTES)));
        assert!(of("text/csv; charset=utf-8; header=present", None, BodySize::Stream));
        assert!(!of("application/json", None, BodySize::Sized(MIN_BYTES - 1)));
        assert!(!of("application/json", Some("\"tag\""), BodySize::Sized(MIN_BYTES)));
        assert!(of("text/javascript", Some("\"tag\""), BodySize::Sized(MIN_BYTES)));
        assert!(!of("text/event-stream", None, BodySize::Stream));
        assert!(!of("image/png", None, BodySize::Sized(MIN_BYTES)));
    }
}
