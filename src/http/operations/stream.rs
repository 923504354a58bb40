//! `GET /operations/{id}/stream`: an operation's steps as server-sent events, those that were and those that come.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{self, HeaderName};
use actix_web::web::Bytes;
use actix_web::{HttpResponse, ResponseError, web};
use futures_util::stream;
use serde::Serialize;
use serde_json::Value;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until};
use utoipa::ToSchema;

use crate::domain::event::{Event, EventKind, Upstream};
use crate::domain::ids::VpcId;
use crate::domain::operation::{OperationId, Status, UpstreamError};
use crate::domain::principal::Scope;
use crate::domain::timestamp::Timestamp;
use crate::domain::verification::Verification;
use crate::service::watch::{Sight, Watcher};
use crate::shutdown::Shutdown;

use super::last_event_id::{self, END, Place};
use super::view::OperationView;
use crate::http::call::Call;
use crate::http::metrics::UnderWay;
use crate::http::problem::Problem;

/// The media type of server-sent events.
pub const MEDIA_TYPE: &str = "text/event-stream";
/// The longest life of a stream: after that the client comes again, perhaps to another replica.
const LONGEST: Duration = Duration::from_secs(300);
/// How soon a client comes again, in milliseconds, and what chance adds, so that not all come at once.
const RETRY_MILLIS: u64 = 1000;
const RETRY_SPREAD_MILLIS: u64 = 2000;

/// nginx, for one, keeps an answer back to fill its buffer, unless this says no.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// One step of an operation: the event, and the status after it.
#[derive(Serialize, ToSchema)]
#[schema(as = OperationStep)]
pub struct StepView {
    /// The step's position in the audit log; also the message's `id`.
    #[schema(example = 2)]
    seq: i64,
    event: EventKind,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The operation's status after this step.
    status: Status,
    /// The id of the cloud's task, in the step `submitted`.
    #[schema(example = "12614", required)]
    task_id: Option<String>,
    /// The cloud's error code and message, in a step of a failure.
    #[schema(required)]
    upstream: Option<UpstreamError>,
    /// The result of reading the tunnel back, in the step that records it.
    #[schema(required)]
    verification: Option<Verification>,
}

impl StepView {
    /// `None` for an event of a kind that this version does not know.
    fn of(event: &Event) -> Option<Self> {
        let row = &event.row;
        let kind = EventKind::from_word(&row.event)?;
        let status = kind.status_after()?;
        // Only what the operation itself shows: not everybody who may read it may read the audit log.
        let said: Upstream =
            row.upstream.clone().and_then(|said| serde_json::from_value(said).ok()).unwrap_or_default();
        let has_words =
            !matches!(status, Status::Pending | Status::Running | Status::Succeeded | Status::Diverged);
        let words = UpstreamError { code: said.code, code_desc: said.code_desc, message: said.message };
        Some(Self {
            seq: row.seq,
            event: kind,
            at: row.occurred_at,
            status,
            task_id: said.task_id.filter(|_| kind == EventKind::Submitted),
            upstream: Some(words).filter(|words| has_words && *words != UpstreamError::default()),
            verification: row.outcome.as_ref().and_then(verification),
        })
    }
}

/// What reading the tunnel back showed, as an event's outcome has it.
fn verification(outcome: &Value) -> Option<Verification> {
    serde_json::from_value(outcome.get("verification")?.clone()).ok()?
}

/// Who follows a stream: looked up again at each heartbeat, because a key can be revoked meanwhile.
struct Caller {
    call: Call,
    vpc: VpcId,
}

impl Caller {
    /// A ledger that can't be asked has revoked nothing: then the stream goes on, and the next heartbeat asks again.
    async fn may_still_read(&mut self) -> bool {
        let authenticated = self.call.authenticate_again().await;
        match authenticated.and_then(|()| self.call.vpcs(Scope::TunnelsRead)) {
            Ok(vpcs) => vpcs.allows(self.vpc.as_str()),
            Err(problem) => problem.status_code().is_server_error(),
        }
    }
}

/// A stream under way. Its steps cost no look into the database: it is told by the watcher.
struct Telling {
    watcher: Watcher,
    shutdown: Shutdown,
    caller: Caller,
    beat: Interval,
    /// Not told yet.
    sight: Option<Arc<Sight>>,
    /// The newest step that was told.
    told: i64,
    text: String,
    until: Instant,
    has_ended: bool,
    _waiting: UnderWay,
}

impl Telling {
    /// What is sent next; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        while !self.has_ended {
            if let Some(sight) = self.sight.take() {
                self.tell(&sight);
            }
            if !self.text.is_empty() {
                return Some(Bytes::from(std::mem::take(&mut self.text)));
            }
            tokio::select! {
                biased;
                () = self.shutdown.requested() => return None,
                () = sleep_until(self.until) => return None,
                // Before any news: a client that read nothing for long may be nobody by now.
                _ = self.beat.tick() => {
                    if !self.caller.may_still_read().await {
                        return None;
                    }
                    self.text.push_str(":\n\n");
                }
                sight = self.watcher.changed() => self.sight = Some(sight),
            }
        }
        (!self.text.is_empty()).then(|| Bytes::from(std::mem::take(&mut self.text)))
    }

    fn tell(&mut self, sight: &Sight) {
        for event in sight.events.iter().filter(|event| event.row.seq > self.told) {
            if let Some(step) = StepView::of(event) {
                self.text.push_str(&message(&step.seq, step.event.as_str(), &step));
            }
        }
        self.told = sight.events.last().map_or(self.told, |event| event.row.seq.max(self.told));
        if sight.operation.status().is_final() {
            self.text.push_str(&message(&END, END, &OperationView::from(&sight.operation)));
            self.has_ended = true;
        }
    }
}

fn message(id: &impl std::fmt::Display, event: &str, data: &impl Serialize) -> String {
    // Views always have a JSON form, and it is one line.
    let data = serde_json::to_string(data).unwrap_or_default();
    format!("id: {id}\nevent: {event}\ndata: {data}\n\n")
}

pub async fn stream(call: Call, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let vpcs = call.vpcs(Scope::TunnelsRead)?;
    let place = last_event_id::last_seen(&call)?;
    let id: OperationId = id.parse().map_err(|_| Problem::not_found())?;
    let watcher = call.state.service.watch(id);
    let sight = call.state.ask(|service| async move { service.sight(id, &vpcs).await }).await?;
    let sight = sight.ok_or_else(Problem::not_found)?;
    if place == Place::End && sight.operation.status().is_final() {
        // Tells a browser's EventSource, which connects again by itself, to leave it at that.
        return Ok(HttpResponse::NoContent().finish());
    }
    let now = call.state.clock.now();
    let limit = call.principal.expires_at.map_or(LONGEST, |end| end.since(now).min(LONGEST));
    let retry = RETRY_MILLIS + call.state.chance.word() % RETRY_SPREAD_MILLIS;
    let heartbeat = call.state.edge.heartbeat;
    let mut beat = interval_at(Instant::now() + heartbeat, heartbeat);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let telling = Telling {
        watcher,
        shutdown: call.state.shutdown.clone(),
        _waiting: call.state.figures.waits("stream"),
        caller: Caller { call, vpc: sight.operation.tunnel.vpc_id.clone() },
        beat,
        told: place.among(&sight.events),
        sight: Some(Arc::new(sight)),
        text: format!("retry: {retry}\n\n"),
        until: Instant::now() + limit,
        has_ended: false,
    };
    let messages = stream::unfold(telling, |mut telling| async move {
        telling.next().await.map(|text| (Ok::<_, Problem>(text), telling))
    });
    Ok(HttpResponse::Ok()
        .content_type(MEDIA_TYPE)
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((X_ACCEL_BUFFERING, "no"))
        .streaming(messages))
}
