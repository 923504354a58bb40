//! CORS: cross-origin pages may call only if the settings name their origins.

use std::fmt;

use actix_cors::{Cors, CorsError};
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, Uri};
use actix_web::middleware::Next;
use actix_web::{Error, ResponseError};

use crate::http::problem::{Problem, ProblemType};

/// How long a browser may cache a preflight's answer, in seconds.
const PREFLIGHT_MAX_AGE: usize = 600;

/// Request headers that a page may send.
const ALLOWED_HEADERS: &[&str] = &[
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

/// Response headers that a page may read, beyond the safelisted ones.
const EXPOSED_HEADERS: &[&str] = &[
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

/// A web origin, such as `https://console.example.com`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebOrigin(String);

/// The text is not a web origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be scheme and host, such as https://console.example.com; * is not allowed")]
pub struct InvalidOrigin;

impl std::str::FromStr for WebOrigin {
    type Err = InvalidOrigin;

    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let uri: Uri = text.parse().map_err(|_| InvalidOrigin)?;
        let (scheme, host) = (uri.scheme_str().ok_or(InvalidOrigin)?, uri.authority().ok_or(InvalidOrigin)?);
        let host = host.as_str().to_ascii_lowercase();
        // Compared with the text, so that a path, a query or a user name is refused.
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

/// Allows pages of these origins, without cookies: callers send tokens.
pub(super) fn middleware(origins: &[WebOrigin]) -> Cors {
    let cors = Cors::default()
        .allowed_methods([Method::GET, Method::HEAD, Method::PATCH, Method::POST])
        .allowed_headers(ALLOWED_HEADERS.iter().copied())
        .expose_headers(EXPOSED_HEADERS.iter().copied())
        .max_age(PREFLIGHT_MAX_AGE);
    origins.iter().fold(cors, |cors, origin| cors.allowed_origin(&origin.0))
}

/// The `Vary` of an answer to a preflight.
const PREFLIGHT_VARY: HeaderValue =
    HeaderValue::from_static("origin, access-control-request-method, access-control-request-headers");

/// Middleware around the CORS middleware: turns its refusals into problems.
pub async fn explained(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let response = next.call(request).await?;
    let Some(refusal) = response.response().error().and_then(Error::as_error::<CorsError>) else {
        return Ok(response.map_into_left_body());
    };
    let detail = match refusal {
        CorsError::OriginNotAllowed => "pages of this origin may not call the gateway".to_owned(),
        CorsError::MethodNotAllowed => "pages may use GET, HEAD, PATCH and POST".to_owned(),
        CorsError::HeadersNotAllowed => {
            format!("pages may send these headers: {}", ALLOWED_HEADERS.join(", "))
        }
        other => other.to_string(),
    };
    let problem = Problem::new(ProblemType::CorsRefused, detail).with_header(header::VARY, PREFLIGHT_VARY);
    Ok(response.into_response(problem.error_response()).map_into_right_body())
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
