//! `GET /audit-events` and `/audit-events/{seq}`.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::domain::principal::Scope;
use crate::service::export::EventView;
use crate::service::ledger::Order;

use super::export::{self, Form};
use super::filter::filter;
use crate::http::auth::rights;
use crate::http::input::query::Query;
use crate::http::page::Page;
use crate::http::problem::Problem;
use crate::http::state::HttpState;

pub async fn list(state: web::Data<HttpState>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let (_, vpcs) = rights::reader(&state, &request, Scope::AuditRead).await?;
    let form = Form::wanted(&request);
    let mut query = Query::parse(request.query_string());
    let filter = filter(&mut query);
    if let Form::Export(format) = form {
        query.finish()?;
        return export::export(state, vpcs, filter, format).await;
    }
    let (limit, after) = (query.limit(), query.cursor::<i64>());
    query.finish()?;
    let events =
        state
            .ask(|service| async move {
                service.events(&vpcs, &filter, Order::NewestFirst, after, limit + 1).await
            })
            .await?;
    Ok(Page::of(events, limit, |last| last.row.seq).respond(&request, EventView::from))
}

pub async fn one(
    state: web::Data<HttpState>,
    request: HttpRequest,
    seq: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let (_, vpcs) = rights::reader(&state, &request, Scope::AuditRead).await?;
    Query::parse(request.query_string()).finish()?;
    let seq: i64 = seq.parse().map_err(|_| Problem::not_found())?;
    let event = state.ask(|service| async move { service.event(seq, &vpcs).await }).await?;
    let event = event.ok_or_else(Problem::not_found)?;
    Ok(HttpResponse::Ok().json(EventView::from(&event)))
}
