//! `GET /audit-events`, `/audit-events/{seq}` and `/audit-events/checkpoint`.

use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::stream;
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::event::{Event, EventKind};
use crate::domain::fingerprint::hex;
use crate::domain::operation::Status;
use crate::domain::principal::{Scope, VpcScope};
use crate::domain::timestamp::Timestamp;
use crate::service::ledger::{self, EventFilter, Order};

use super::event_view::{self, EventView};
use super::operations::Page;
use super::problem::Problem;
use super::query::{Query, cursor};
use super::{HttpState, accept, auth};

/// Events that a stream reads at a time; no connection is held between two reads.
const BLOCK: u32 = 500;

/// An event's place in the chain.
#[derive(Serialize, ToSchema)]
pub(super) struct Checkpoint {
    #[schema(example = 4)]
    seq: i64,
    /// Its hash, in hex.
    hash: String,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

impl From<ledger::Checkpoint> for Checkpoint {
    fn from(place: ledger::Checkpoint) -> Self {
        Self { seq: place.seq, hash: hex(&place.hash), at: place.at }
    }
}

/// How a list is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Page,
    Ndjson,
    Csv,
}

impl Form {
    /// The media type without its parameters.
    const fn essence(self) -> &'static str {
        match self {
            Self::Page => "application/json",
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv",
        }
    }

    const fn media_type(self) -> &'static str {
        match self {
            Self::Page | Self::Ndjson => self.essence(),
            Self::Csv => "text/csv; charset=utf-8; header=present",
        }
    }

    /// The form that `Accept` prefers.
    fn wanted(request: &HttpRequest) -> Self {
        let forms = [Self::Page, Self::Ndjson, Self::Csv].map(|form| (form.essence(), form));
        accept::preferred(request, &forms, Self::Page)
    }

    fn line(self, event: &Event) -> Vec<u8> {
        match self {
            Self::Csv => event_view::csv(event),
            Self::Page | Self::Ndjson => event_view::ndjson(event),
        }
    }
}

/// Which events are asked for.
pub(super) fn filter(query: &mut Query) -> EventFilter {
    EventFilter {
        operation_id: query.value(
            "operation_id",
            || "must be an operation's id".into(),
            |text| text.parse().ok(),
        ),
        event: query.value(
            "event",
            || format!("must be one of {}", EventKind::WORDS.join(", ")),
            EventKind::from_word,
        ),
        vpc_id: query.text("vpc_id"),
        tunnel_id: query.text("tunnel_id"),
        status: query.value(
            "status",
            || format!("must be one of {}", Status::WORDS.join(", ")),
            Status::from_word,
        ),
        requested_by: query.text("requested_by"),
        created_after: query.moment("created_after"),
        created_before: query.moment("created_before"),
    }
}

pub(super) async fn list(state: web::Data<HttpState>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let (_, vpcs) = auth::reader(&state, &request, Scope::AuditRead).await?;
    let form = Form::wanted(&request);
    let mut query = Query::parse(request.query_string());
    let filter = filter(&mut query);
    if form != Form::Page {
        query.finish()?;
        return stream_all(state, vpcs, filter, form).await;
    }
    let (limit, after) = (query.limit(), query.cursor::<i64>());
    query.finish()?;
    let service = state.service.clone();
    let found = async move { service.events(&vpcs, &filter, Order::NewestFirst, after, limit + 1).await };
    let mut events = state.run(found).await??;
    let has_more = events.len() > limit as usize;
    events.truncate(limit as usize);
    let next = events.last().filter(|_| has_more).map(|last| cursor(&last.row.seq));
    Ok(Page::respond(events.iter().map(EventView::from).collect(), next, &request))
}

/// Where a stream stands.
struct Walk {
    state: web::Data<HttpState>,
    vpcs: VpcScope,
    filter: EventFilter,
    form: Form,
    after: Option<i64>,
    /// The newest event when the stream began: it has an end even while the log grows.
    last: i64,
    header: Option<Vec<u8>>,
}

impl Walk {
    /// The next block's lines; `None` at the end.
    async fn block(&mut self) -> Result<Option<Bytes>, Problem> {
        let (service, vpcs, filter) = (self.state.service.clone(), self.vpcs.clone(), self.filter.clone());
        let after = self.after;
        let read = async move { service.events(&vpcs, &filter, Order::OldestFirst, after, BLOCK).await };
        let events = self.state.run(read).await??;
        let mut lines = self.header.take().unwrap_or_default();
        for event in events.iter().filter(|event| event.row.seq <= self.last) {
            lines.extend(self.form.line(event));
        }
        self.after = events.last().map(|event| event.row.seq).or(Some(self.last));
        Ok((!lines.is_empty()).then(|| Bytes::from(lines)))
    }
}

async fn stream_all(
    state: web::Data<HttpState>,
    vpcs: VpcScope,
    filter: EventFilter,
    form: Form,
) -> Result<HttpResponse, Problem> {
    let service = state.service.clone();
    let checkpoint = state.run(async move { service.checkpoint().await }).await??;
    let header = (form == Form::Csv).then(event_view::csv_header);
    let last = checkpoint.map_or(0, |newest| newest.seq);
    let walk = Walk { state, vpcs, filter, form, after: None, last, header };
    let lines = stream::try_unfold(walk, |mut walk| async move {
        // A failure in the middle breaks the transfer off: nobody takes a part for the whole.
        Ok::<_, Problem>(walk.block().await?.map(|lines| (lines, walk)))
    });
    Ok(HttpResponse::Ok().content_type(form.media_type()).streaming(lines))
}

pub(super) async fn one(
    state: web::Data<HttpState>,
    request: HttpRequest,
    seq: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let (_, vpcs) = auth::reader(&state, &request, Scope::AuditRead).await?;
    Query::parse(request.query_string()).finish()?;
    let seq: i64 = seq.parse().map_err(|_| Problem::not_found())?;
    let service = state.service.clone();
    let event = state.run(async move { service.event(seq, &vpcs).await }).await??;
    let event = event.ok_or_else(Problem::not_found)?;
    Ok(HttpResponse::Ok().json(EventView::from(&event)))
}

pub(super) async fn checkpoint(
    state: web::Data<HttpState>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    // It tells what happens in every VPC.
    auth::reader_of_all(&state, &request, Scope::AuditRead).await?;
    Query::parse(request.query_string()).finish()?;
    let service = state.service.clone();
    let newest =
        state.run(async move { service.checkpoint().await }).await??.ok_or_else(Problem::not_found)?;
    Ok(HttpResponse::Ok().json(Checkpoint::from(newest)))
}
