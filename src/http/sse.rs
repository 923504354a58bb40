//! What all streams of server-sent events have in common.

use std::fmt::Display;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderName};
use actix_web::web::Bytes;
use futures_util::Stream;
use serde::Serialize;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::call::Call;
use super::problem::Problem;

/// The media type of server-sent events.
pub const MEDIA_TYPE: &str = "text/event-stream";
/// The maximum duration of a stream; then the client reconnects, perhaps to another replica.
const MAX_DURATION: Duration = Duration::from_secs(300);
/// The reconnect delay of clients in milliseconds, and its random part, which spreads reconnects.
const RETRY_MILLIS: u64 = 1000;
const RETRY_SPREAD_MILLIS: u64 = 2000;
/// The header in which a reconnecting client sends the id of its last message.
pub const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// A comment, which keeps the connection alive.
pub const COMMENT: &str = ":\n\n";

/// nginx buffers answers unless this header is `no`.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// How long a stream lasts, and what keeps it alive.
pub struct Lasting {
    /// The first line: when a client reconnects.
    pub retry: String,
    pub until: Instant,
    pub heartbeats: Interval,
}

impl Lasting {
    /// A stream ends at the latest when its caller's token expires.
    pub fn of(call: &Call) -> Self {
        let now = call.state.clock.now();
        let limit = call.principal.expires_at.map_or(MAX_DURATION, |end| end.since(now).min(MAX_DURATION));
        let retry = RETRY_MILLIS + call.state.chance.word() % RETRY_SPREAD_MILLIS;
        let heartbeat = call.state.edge.heartbeat;
        let mut heartbeats = interval_at(Instant::now() + heartbeat, heartbeat);
        heartbeats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { retry: format!("retry: {retry}\n\n"), until: Instant::now() + limit, heartbeats }
    }
}

/// One message.
pub fn message(id: &impl Display, event: &str, data: &impl Serialize) -> String {
    // Views always serialize, and to a single line.
    line(id, event, &serde_json::to_string(data).unwrap_or_default())
}

/// One message whose data is JSON on a single line.
pub fn line(id: &impl Display, event: &str, data: &str) -> String {
    format!("id: {id}\nevent: {event}\ndata: {data}\n\n")
}

/// The answer that streams these messages.
pub fn answer(messages: impl Stream<Item = Result<Bytes, Problem>> + 'static) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(MEDIA_TYPE)
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((X_ACCEL_BUFFERING, "no"))
        .streaming(messages)
}
