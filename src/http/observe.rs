//! The middleware around every request: its id, its span and log line, and its metrics.

use std::time::Instant;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, web};
use tracing::{Instrument, debug, info, info_span};

use crate::trace::{self, Parent};

use super::address::PUBLIC_URL;
use super::call;
use super::edge::limit::RateLimitStatus;
use super::request_id::{CURRENT, RequestId, TraceId, X_REQUEST_ID, valid_id};
use super::state::HttpState;

/// Replaces methods that HTTP does not define.
const OTHER: &str = "other";

/// Middleware around every request.
pub async fn observed(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let Some(state) = request.app_data::<web::Data<HttpState>>().cloned() else {
        return next.call(request).await;
    };
    let taken = request.headers().get(&X_REQUEST_ID).and_then(valid_id);
    let id = taken.unwrap_or_else(|| state.chance.id(state.clock.now()).to_string());
    request.extensions_mut().insert(RequestId(id.clone()));
    let method = known(request.method().as_str());
    let route = request.match_pattern().unwrap_or_else(|| "unknown".to_owned());
    let is_quiet = matches!(route.as_str(), "/livez" | "/readyz" | "/metrics");
    let span = info_span!("request", request_id = %id, method, route);
    let traced = if is_quiet { trace::Span::NONE } else { traced(&request, method, &route, &id) };
    request.extensions_mut().insert(TraceId(traced.trace_id()));
    let source = call::source(&state, request.request()).map(tracing::field::display);
    let started = Instant::now();
    let under_way = state.metrics.begin();
    let public = state.edge.public_url.clone();
    let answer = next.call(request).instrument(span.clone());
    let work = PUBLIC_URL.scope(public, CURRENT.scope(id.clone(), answer));
    let answered = traced.around(work).await;
    drop(under_way);
    let mut response = answered?;
    let (status, took) = (response.status().as_u16(), started.elapsed());
    let latency_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let log = async {
        if is_quiet {
            debug!(status, latency_ms, source_ip = source, "answered");
        } else {
            info!(status, latency_ms, source_ip = source, "answered");
        }
    };
    traced.around(log.instrument(span)).await;
    traced.set("http.response.status_code", i64::from(status));
    if status >= 500 {
        traced.fail(status.to_string());
    }
    state.metrics.answered(method, &route, status, took, traced.sampled_trace_id());
    drop(traced);
    let rate_limit = response.request().extensions().get::<RateLimitStatus>().copied();
    if state.shutdown.is_requested() {
        // The caller's next request must reach another process.
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    let headers = response.headers_mut();
    for (name, value) in rate_limit.iter().flat_map(RateLimitStatus::headers) {
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

/// The caller's span, if it sent one valid `traceparent`.
fn parent(headers: &HeaderMap) -> Option<Parent> {
    let mut parents = headers.get_all("traceparent");
    let (first, None) = (parents.next()?, parents.next()) else { return None };
    let state = headers.get("tracestate").and_then(|state| state.to_str().ok());
    Parent::read(first.to_str().ok()?, state)
}

/// The span of a request. Without its query, which may contain a reason.
fn traced(request: &ServiceRequest, method: &str, route: &str, id: &str) -> trace::Span {
    let parent = parent(request.headers());
    if !trace::is_on() {
        return trace::Span::of_caller(parent);
    }
    let (name, method) = if method == OTHER { ("HTTP", "_OTHER") } else { (method, method) };
    let span = trace::Span::request(format!("{name} {route}"), parent);
    span.set("http.request.method", method.to_owned());
    span.set("http.route", route.to_owned());
    span.set("url.path", request.path().to_owned());
    span.set("url.scheme", request.connection_info().scheme().to_owned());
    span.set("tunnelgate.request_id", id.to_owned());
    span
}

/// The method for logs and metrics, which must stay bounded: callers can send arbitrary and long ones.
fn known(method: &str) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    KNOWN.into_iter().find(|known| *known == method).unwrap_or(OTHER)
}
