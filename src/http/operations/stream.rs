//! `GET /operations/{id}/stream`: an operation's past and future steps as server-sent events.

use std::sync::Arc;

use actix_web::web::Bytes;
use actix_web::{HttpResponse, web};
use futures_util::stream;
use serde::Serialize;
use serde_json::Value;
use tokio::time::{Instant, Interval, sleep_until};
use utoipa::ToSchema;

use crate::domain::event::{Event, EventKind, Upstream};
use crate::domain::ids::VpcId;
use crate::domain::operation::{OperationId, Status, UpstreamError};
use crate::domain::principal::Scope;
use crate::domain::timestamp::Timestamp;
use crate::domain::verification::Verification;
use crate::service::watch::{Snapshot, Watcher};
use crate::shutdown::Shutdown;

use super::last_event_id::{self, END, LastEventId};
use super::view::OperationView;
use crate::http::address::{PUBLIC_URL, public_url};
use crate::http::call::Call;
use crate::http::edge::PublicUrl;
use crate::http::metrics::InFlight;
use crate::http::missing;
use crate::http::problem::Problem;
use crate::http::sse::{self, Lasting};

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
    /// `None` for an event of an unknown kind, written by a newer version.
    fn of(event: &Event) -> Option<Self> {
        let row = &event.row;
        let kind = EventKind::from_word(&row.event)?;
        let status = kind.status_after()?;
        // Only fields that the operation shows too: the caller may lack the right to read the audit log.
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

/// The caller of a stream, authenticated again at each heartbeat because its key can be revoked.
struct Caller {
    call: Call,
    vpc: VpcId,
}

impl Caller {
    /// True while the caller may read the operation. An unavailable ledger does not end the stream, an issuer that can't confirm the
    /// token does.
    async fn may_still_read(&mut self) -> bool {
        let authenticated = self.call.authenticate_again().await;
        match authenticated.and_then(|()| self.call.vpcs(Scope::TunnelsRead)) {
            Ok(vpcs) => vpcs.allows(self.vpc.as_str()),
            Err(problem) => problem.is_passing(),
        }
    }
}

/// An open stream. The watcher delivers the steps, so a stream needs no queries of its own.
struct StepStream {
    watcher: Watcher,
    shutdown: Shutdown,
    caller: Caller,
    heartbeats: Interval,
    /// The newest state, if not sent yet.
    snapshot: Option<Arc<Snapshot>>,
    /// The seq of the newest step that was sent.
    sent: i64,
    text: String,
    until: Instant,
    has_ended: bool,
    public_url: Option<PublicUrl>,
    _waiting: InFlight,
}

impl StepStream {
    /// The next bytes to send; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        while !self.has_ended {
            if let Some(snapshot) = self.snapshot.take() {
                self.add(&snapshot);
            }
            if !self.text.is_empty() {
                return Some(Bytes::from(std::mem::take(&mut self.text)));
            }
            tokio::select! {
                biased;
                () = self.shutdown.requested() => return None,
                () = sleep_until(self.until) => return None,
                // Before any news: a client that read nothing for long may have lost its rights.
                _ = self.heartbeats.tick() => {
                    if !self.caller.may_still_read().await {
                        return None;
                    }
                    self.text.push_str(sse::COMMENT);
                }
                snapshot = self.watcher.changed() => self.snapshot = Some(snapshot),
            }
        }
        (!self.text.is_empty()).then(|| Bytes::from(std::mem::take(&mut self.text)))
    }

    fn add(&mut self, snapshot: &Snapshot) {
        for event in snapshot.events.iter().filter(|event| event.row.seq > self.sent) {
            if let Some(step) = StepView::of(event) {
                self.text.push_str(&sse::message(&step.seq, step.event.as_str(), &step));
            }
        }
        self.sent = snapshot.events.last().map_or(self.sent, |event| event.row.seq.max(self.sent));
        if snapshot.operation.status().is_final() {
            let view = || OperationView::from(&snapshot.operation);
            let view = PUBLIC_URL.sync_scope(self.public_url.clone(), view);
            self.text.push_str(&sse::message(&END, END, &view));
            self.has_ended = true;
        }
    }
}

pub async fn stream(call: Call, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let vpcs = call.vpcs(Scope::TunnelsRead)?;
    let last_id = last_event_id::read(&call)?;
    let id: OperationId = id.parse().map_err(|_| Problem::not_found())?;
    let watcher = call.state.service.watch(id);
    let snapshot = call.state.ask(|service| async move { service.snapshot(id, &vpcs).await }).await?;
    let Some(snapshot) = snapshot else { return Err(missing::no_operation(&call.state, id).await) };
    if last_id == LastEventId::End && snapshot.operation.status().is_final() {
        // After a 204, EventSource does not reconnect.
        return Ok(HttpResponse::NoContent().finish());
    }
    let Lasting { retry, until, heartbeats } = Lasting::of(&call);
    let steps = StepStream {
        watcher,
        shutdown: call.state.shutdown.clone(),
        _waiting: call.state.metrics.waits("stream"),
        caller: Caller { call, vpc: snapshot.operation.tunnel.vpc_id.clone() },
        heartbeats,
        sent: last_id.among(&snapshot.events),
        snapshot: Some(Arc::new(snapshot)),
        text: retry,
        until,
        has_ended: false,
        public_url: public_url(),
    };
    let messages = stream::unfold(steps, |mut steps| async move {
        steps.next().await.map(|text| (Ok::<_, Problem>(text), steps))
    });
    Ok(sse::answer(messages))
}
