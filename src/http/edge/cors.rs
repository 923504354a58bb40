//! Pages of other hosts (CORS): off unless their origins are named.

use std::fmt;

use actix_cors::Cors;
use actix_web::http::{Method, Uri};

/// How long a browser may remember what is allowed, in seconds.
const REMEMBERED: usize = 600;

/// What a page may send.
const SENT: &[&str] = &[
    "accept",
    "authorization",
    "content-type",
    "idempotency-key",
    "if-match",
    "if-none-match",
    "last-event-id",
    "prefer",
    "traceparent",
    "x-request-id",
];

/// What a page may read of an answer, besides what every page may.
const READ: &[&str] = &[
    "accept-patch",
    "etag",
    "idempotent-replayed",
    "link",
    "location",
    "preference-applied",
    "ratelimit",
    "ratelimit-policy",
    "retry-after",
    "www-authenticate",
    "x-request-id",
];

/// Where pages come from: `https://console.example.com`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebOrigin(String);

/// Why a text is no origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be scheme and host, such as https://console.example.com; * is not allowed")]
pub struct InvalidOrigin;

impl std::str::FromStr for WebOrigin {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let uri: Uri = text.parse().map_err(|_| InvalidOrigin)?;
        let (scheme, host) = (uri.scheme_str().ok_or(InvalidOrigin)?, uri.authority().ok_or(InvalidOrigin)?);
        let host = host.as_str().to_ascii_lowercase();
        // The text itself, so that a path, a query or a user name is noticed.
        let origin = format!("{scheme}://{host}");
        if !matches!(scheme, "http" | "https")
            || host.contains(['@', '*'])
            || origin != text.to_ascii_lowercase()
        {
            return Err(InvalidOrigin);
        }
        Ok(Self(origin))
    }
}

impl fmt::Display for WebOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Lets pages of these origins call. Never with cookies: callers have tokens.
pub(super) fn middleware(origins: &[WebOrigin]) -> Cors {
    let cors = Cors::default()
        .allowed_methods([Method::GET, Method::PATCH, Method::POST])
        .allowed_headers(SENT.iter().copied())
        .expose_headers(READ.iter().copied())
        .max_age(REMEMBERED);
    origins.iter().fold(cors, |cors, origin| cors.allowed_origin(&origin.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_scheme_and_a_host_are_an_origin() {
        let origin = |text: &str| text.parse::<WebOrigin>().map(|origin| origin.to_string());
        assert_eq!(origin("https://console.example.com"), Ok("https://console.example.com".into()));
        assert_eq!(origin("https://Console.example.com:8443"), Ok("https://console.example.com:8443".into()));
        assert_eq!(origin("http://127.0.0.1:3000"), Ok("http://127.0.0.1:3000".into()));
        for text in [
            "*",
            "null",
            "",
            "console.example.com",
            "https://",
            "https://*.example.com",
            "https://console.example.com/",
            "https://console.example.com/path",
            "https://console.example.com?x",
            "https://user@console.example.com",
            "ftp://console.example.com",
        ] {
            assert_eq!(origin(text), Err(InvalidOrigin), "{text}");
        }
    }
}
