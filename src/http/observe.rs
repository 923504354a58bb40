//! What every request has: an id, an origin, a span in the logs, a line at its end, and its figures.

use std::net::IpAddr;
use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::http::header::{self, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, web};
use tracing::{Instrument, debug, info, info_span};

use crate::domain::event::Origin;

use super::edge::limit::Standing;
use super::request_id::{CURRENT, RequestId, X_REQUEST_ID, sane_id};
use super::state::HttpState;

/// What is kept of a user agent, in characters.
const MAX_USER_AGENT: usize = 256;

/// The trace id of a W3C `traceparent`.
fn trace_id(value: &HeaderValue) -> Option<String> {
    let mut parts = value.to_str().ok()?.split('-');
    let (version, trace) = (parts.next()?, parts.next()?);
    let is_hex = |text: &str, length| {
        text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let is_valid =
        is_hex(version, 2) && version != "ff" && is_hex(trace, 32) && trace.bytes().any(|b| b != b'0');
    is_valid.then(|| trace.to_owned())
}

/// Where a request comes from, as the audit log keeps it.
pub fn origin(request: &HttpRequest) -> Origin {
    let headers = request.headers();
    let user_agent = headers.get(header::USER_AGENT).map(|value| {
        let text = String::from_utf8_lossy(value.as_bytes());
        text.chars().filter(|c| !c.is_control()).take(MAX_USER_AGENT).collect()
    });
    let id = request.extensions().get::<RequestId>().map(|id| id.0.clone());
    Origin {
        source_ip: source(request),
        user_agent,
        request_id: id,
        trace_id: headers.get("traceparent").and_then(trace_id),
    }
}

/// The address that a request comes from: the peer's, or what a trusted proxy says.
pub fn source(request: &HttpRequest) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip();
    let state = request.app_data::<web::Data<HttpState>>();
    Some(state.map_or(peer.to_canonical(), |state| state.edge.source(peer, request.headers())))
}

/// Around every request.
pub async fn observed(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let Some(state) = request.app_data::<web::Data<HttpState>>().cloned() else {
        return next.call(request).await;
    };
    let taken = request.headers().get(&X_REQUEST_ID).and_then(sane_id);
    let id = taken.unwrap_or_else(|| state.chance.id(state.clock.now()).to_string());
    request.extensions_mut().insert(RequestId(id.clone()));
    let method = request.method().as_str().to_owned();
    let route = request.match_pattern().unwrap_or_else(|| "unknown".to_owned());
    let is_quiet = matches!(route.as_str(), "/livez" | "/readyz" | "/metrics");
    let span = info_span!("request", request_id = %id, method, route);
    let started = Instant::now();
    let under_way = state.figures.begin();
    let answered = CURRENT.scope(id.clone(), next.call(request).instrument(span.clone())).await;
    drop(under_way);
    let mut response = answered?;
    let (status, took) = (response.status().as_u16(), started.elapsed());
    let latency_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    span.in_scope(|| {
        if is_quiet {
            debug!(status, latency_ms, "answered");
        } else {
            info!(status, latency_ms, "answered");
        }
    });
    state.figures.answered(&method, &route, status, took);
    let standing = response.request().extensions().get::<Standing>().copied();
    if state.shutdown.is_requested() {
        // The caller's next request goes to somebody who stays.
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    let headers = response.headers_mut();
    for (name, value) in standing.iter().flat_map(Standing::headers) {
        headers.insert(name, value);
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(X_REQUEST_ID, value);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> HeaderValue {
        HeaderValue::from_str(text).expect("a header value")
    }

    #[test]
    fn the_trace_id_is_read_from_a_valid_traceparent_only() {
        let valid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(trace_id(&value(valid)), Some("0af7651916cd43dd8448eb211c80319c".into()));
        for text in [
            "00-0-0-0",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b-01",
        ] {
            assert_eq!(trace_id(&value(text)), None, "{text}");
        }
    }
}
