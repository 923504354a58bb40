//! `GET /audit-events` as a stream of all that match.

use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::stream;

use crate::domain::event::Event;
use crate::domain::principal::VpcScope;
use crate::service::ledger::{EventFilter, Order};

use super::view;
use crate::http::input::accept;
use crate::http::problem::Problem;
use crate::http::state::HttpState;

/// Events that a stream reads at a time; no connection is held between two reads.
const BLOCK: u32 = 500;

/// How a list is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Form {
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
    pub fn wanted(request: &HttpRequest) -> Self {
        let forms = [Self::Page, Self::Ndjson, Self::Csv].map(|form| (form.essence(), form));
        accept::preferred(request, &forms, Self::Page)
    }

    fn line(self, event: &Event) -> Vec<u8> {
        match self {
            Self::Csv => view::csv(event),
            Self::Page | Self::Ndjson => view::ndjson(event),
        }
    }
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
        let (vpcs, filter, after) = (self.vpcs.clone(), self.filter.clone(), self.after);
        let events =
            self.state
                .ask(|service| async move {
                    service.events(&vpcs, &filter, Order::OldestFirst, after, BLOCK).await
                })
                .await?;
        let mut lines = self.header.take().unwrap_or_default();
        for event in events.iter().filter(|event| event.row.seq <= self.last) {
            lines.extend(self.form.line(event));
        }
        self.after = events.last().map(|event| event.row.seq).or(Some(self.last));
        Ok((!lines.is_empty()).then(|| Bytes::from(lines)))
    }
}

pub async fn stream_all(
    state: web::Data<HttpState>,
    vpcs: VpcScope,
    filter: EventFilter,
    form: Form,
) -> Result<HttpResponse, Problem> {
    let checkpoint = state.ask(|service| async move { service.checkpoint().await }).await?;
    let header = (form == Form::Csv).then(view::csv_header);
    let last = checkpoint.map_or(0, |newest| newest.seq);
    let walk = Walk { state, vpcs, filter, form, after: None, last, header };
    let lines = stream::try_unfold(walk, |mut walk| async move {
        // A failure in the middle breaks the transfer off: nobody takes a part for the whole.
        Ok::<_, Problem>(walk.block().await?.map(|lines| (lines, walk)))
    });
    Ok(HttpResponse::Ok().content_type(form.media_type()).streaming(lines))
}
