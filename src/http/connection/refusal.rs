//! Answers for what is no request. The HTTP server answers it by itself, with a status and no body, before any of our code
//! runs; such an answer is recognised where it is written and replaced with a problem.

use std::time::{Duration, SystemTime};

use actix_web::ResponseError;
use actix_web::body::{self, MessageBody};
use actix_web::http::StatusCode;
use actix_web::http::header::HttpDate;
use tracing::info;

use crate::http::address::PUBLIC_URL;
use crate::http::problem::{MEDIA_TYPE, Problem, ProblemType};
use crate::http::request_id::CURRENT;
use crate::http::state::HttpState;

/// The longest request target that the HTTP library reads, in bytes.
const MAX_TARGET: usize = u16::MAX as usize - 1;

/// The server's own answers start with these lines, after the version.
const BARE: &[(&str, StatusCode)] = &[
    (" 400 Bad Request\r\ncontent-length: 0\r\n", StatusCode::BAD_REQUEST),
    (" 408 Request Timeout\r\ncontent-length: 0\r\n", StatusCode::REQUEST_TIMEOUT),
    (
        " 431 Request Header Fields Too Large\r\ncontent-length: 0\r\n",
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
    ),
];

/// The longest answer of the server's own, in bytes: the lines above, `connection`, `date` and an empty line.
const LONGEST: usize = 200;

/// The place and the status of the server's own answer at the end of what it writes. Our answers always have more headers.
pub fn bare(written: &[u8]) -> Option<(usize, StatusCode)> {
    let from = written.len().saturating_sub(LONGEST);
    let tail = written.get(from..)?;
    if !tail.ends_with(b"\r\n\r\n") {
        return None;
    }
    let at = tail.windows(7).rposition(|window| window == b"HTTP/1.")?;
    let text = std::str::from_utf8(tail.get(at + 8..)?).ok()?;
    BARE.iter().find_map(|(start, status)| {
        let lines = text.strip_prefix(start)?.trim_end().split("\r\n");
        let mut names = lines.filter(|line| !line.is_empty()).map(|line| line.split(':').next());
        names.all(|name| matches!(name, Some("connection" | "date"))).then_some((from + at, *status))
    })
}

/// The problem for a status of the server's own; `line` is the length of the first line that it read.
pub fn kind(status: StatusCode, line: usize) -> ProblemType {
    match status {
        StatusCode::REQUEST_TIMEOUT => ProblemType::RequestTimeout,
        _ if line > MAX_TARGET => ProblemType::UriTooLong,
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => ProblemType::HeadersTooLarge,
        _ => ProblemType::MalformedRequest,
    }
}

/// The whole answer, as bytes of HTTP/1.1 that end the connection.
pub fn answer(state: &HttpState, kind: ProblemType) -> Vec<u8> {
    let now = state.clock.now();
    let id = state.chance.id(now).to_string();
    let problem = || Problem::of(kind).error_response();
    let public = state.edge.public_url.clone();
    let response = PUBLIC_URL.sync_scope(public, || CURRENT.sync_scope(id.clone(), problem));
    let status = response.status();
    info!(request_id = %id, status = status.as_u16(), code = kind.code(), "refused what is no request");
    state.metrics.answered("other", "unknown", status.as_u16(), Duration::ZERO, None);
    let body = response.into_body();
    let body = MessageBody::try_into_bytes(body).unwrap_or_else(|_: body::BoxBody| "{}".into());
    let since_epoch = Duration::from_micros(u64::try_from(now.as_micros()).unwrap_or_default());
    let head = format!(
        "HTTP/1.1 {} {}\r\ncontent-length: {}\r\nconnection: close\r\ncontent-type: {MEDIA_TYPE}\r\nx-request-id: {id}\r\n\
         x-content-type-options: nosniff\r\ncache-control: no-store\r\ndate: {}\r\n\r\n",
        status.as_u16(),
        status.canonical_reason().unwrap_or_default(),
        body.len(),
        HttpDate::from(SystemTime::UNIX_EPOCH + since_epoch),
    );
    [head.as_bytes(), &body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &str = "date: Sat, 28 Nov 2026 08:00:00 GMT\r\n\r\n";

    #[test]
    fn only_an_answer_without_headers_of_ours_is_the_server_s_own() {
        let own = format!("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n{DATE}");
        assert_eq!(bare(own.as_bytes()), Some((0, StatusCode::BAD_REQUEST)));
        let old = format!("HTTP/1.0 431 Request Header Fields Too Large\r\ncontent-length: 0\r\n{DATE}");
        assert_eq!(bare(old.as_bytes()), Some((0, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)));
        let before = format!("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n{DATE}{{}}");
        let behind = format!("{before}{own}");
        assert_eq!(bare(behind.as_bytes()), Some((before.len(), StatusCode::BAD_REQUEST)));
        let long = "x".repeat(70_000) + &own;
        assert_eq!(bare(long.as_bytes()), Some((70_000, StatusCode::BAD_REQUEST)));

        let ours = format!("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nx-request-id: 1\r\n{DATE}");
        for other in [ours.as_str(), &before, "", "0\r\n\r\n", &own[..own.len() - 1], "\u{0}\r\n\r\n"] {
            assert_eq!(bare(other.as_bytes()), None, "{other:?}");
        }
    }

    #[test]
    fn a_long_first_line_means_a_long_target() {
        assert_eq!(kind(StatusCode::BAD_REQUEST, 40), ProblemType::MalformedRequest);
        assert_eq!(kind(StatusCode::BAD_REQUEST, 70_000), ProblemType::UriTooLong);
        assert_eq!(kind(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, 70_000), ProblemType::UriTooLong);
        assert_eq!(kind(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, 40), ProblemType::HeadersTooLarge);
        assert_eq!(kind(StatusCode::REQUEST_TIMEOUT, 70_000), ProblemType::RequestTimeout);
    }
}
