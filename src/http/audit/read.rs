//! `GET /audit-events` and `/audit-events/{seq}`.

use actix_web::{HttpResponse, web};

use crate::domain::principal::Scope;
use crate::service::cells::Cells;
use crate::service::export::{EventView, Format};
use crate::service::ledger::Order;

use super::export::{self, Form};
use super::filter::filter;
use crate::http::call::Call;
use crate::http::input::query::Query;
use crate::http::missing;
use crate::http::page::Page;
use crate::http::problem::Problem;

pub async fn list(call: Call) -> Result<HttpResponse, Problem> {
    let vpcs = call.vpcs(Scope::AuditRead)?;
    let form = Form::wanted(&call.request);
    let mut query = call.query();
    let filter = filter(&mut query);
    if let Form::Export(format) = form {
        let format = match format {
            Format::Csv(_) => {
                Format::Csv(Cells { raw: query.flag("raw"), byte_order_mark: query.flag("bom") })
            }
            Format::Ndjson => {
                refuse_cells(&mut query);
                format
            }
        };
        query.finish()?;
        return export::export(call.state, vpcs, filter, format).await;
    }
    refuse_cells(&mut query);
    let (limit, after) = (query.limit(), query.cursor::<i64>());
    query.finish()?;
    let events =
        call.state
            .ask(|service| async move {
                service.events(&vpcs, &filter, Order::NewestFirst, after, limit + 1).await
            })
            .await?;
    Ok(Page::of(events, limit, |last| last.row.seq).respond(&call.request, EventView::from))
}

/// Refuses the parameters of CSV in a request for another form.
fn refuse_cells(query: &mut Query) {
    for name in ["raw", "bom"] {
        if query.has(name) {
            query.text(name);
            query.fault(name, "not_allowed", "only CSV has it: send Accept: text/csv");
        }
    }
}

pub async fn one(call: Call, seq: web::Path<String>) -> Result<HttpResponse, Problem> {
    let vpcs = call.vpcs(Scope::AuditRead)?;
    call.query().finish()?;
    let seq: i64 = seq.parse().map_err(|_| Problem::not_found())?;
    let event = call.state.ask(|service| async move { service.event(seq, &vpcs).await }).await?;
    let Some(event) = event else { return Err(missing::no_event(&call.state, seq).await) };
    Ok(HttpResponse::Ok().json(EventView::from(&event)))
}
