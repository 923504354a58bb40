//! `GET /audit-events` as a stream of all matching events.

use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::stream;

use crate::domain::principal::VpcScope;
use crate::service::cells::Cells;
use crate::service::export::Format;
use crate::service::ledger::{EventFilter, LedgerError};

use crate::http::input::accept;
use crate::http::problem::Problem;
use crate::http::state::HttpState;

/// The form of the answer.
#[derive(Clone, Copy)]
pub enum Form {
    Page,
    Export(Format),
}

impl Form {
    /// The form that `Accept` prefers.
    pub fn wanted(request: &HttpRequest) -> Self {
        let forms = [
            ("application/json", Self::Page),
            ("application/x-ndjson", Self::Export(Format::Ndjson)),
            ("text/csv", Self::Export(Format::Csv(Cells::default()))),
        ];
        accept::preferred(request, &forms, Self::Page)
    }
}

/// The `seq` of the first event in the ledger, where older events are archived.
const LOG_BEGINS: &str = "log-begins";

const fn media_type(format: Format) -> &'static str {
    match format {
        Format::Ndjson => "application/x-ndjson",
        Format::Csv(_) => "text/csv; charset=utf-8; header=present",
    }
}

/// Streams the events that match, block by block.
pub async fn export(
    state: web::Data<HttpState>,
    vpcs: VpcScope,
    filter: EventFilter,
    format: Format,
) -> Result<HttpResponse, Problem> {
    let archived = state.ask(|service| async move { service.newest_archived().await }).await?;
    let export = state.ask(|service| async move { service.export(vpcs, filter, format).await }).await?;
    let blocks = stream::try_unfold((state, export), |(state, mut export)| async move {
        let read = |_| async move { Ok::<_, LedgerError>((export.next().await?, export)) };
        // An error in the middle aborts the transfer, so that no client takes a part for the whole.
        let (block, export) = state.ask(read).await?;
        Ok::<_, Problem>(block.map(|bytes| (Bytes::from(bytes), (state, export))))
    });
    let mut response = HttpResponse::Ok();
    response.content_type(media_type(format));
    if let Some(archived) = archived {
        response.insert_header((LOG_BEGINS, archived.last_seq.saturating_add(1)));
    }
    Ok(response.streaming(blocks))
}
