//! `GET /operations` and `GET /operations/{id}`.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::domain::operation::{OperationId, Status};
use crate::domain::principal::Scope;
use crate::service::ledger::OperationFilter;

use super::view::OperationView;
use crate::http::auth::rights;
use crate::http::input::headers;
use crate::http::input::query::Query;
use crate::http::page::Page;
use crate::http::problem::Problem;
use crate::http::state::HttpState;

pub async fn list(state: web::Data<HttpState>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let (_, vpcs) = rights::reader(&state, &request, Scope::TunnelsRead).await?;
    let mut query = Query::parse(request.query_string());
    let filter = OperationFilter {
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
    };
    let (limit, after) = (query.limit(), query.cursor::<OperationId>());
    query.finish()?;
    let operations = state
        .ask(|service| async move { service.operations(&vpcs, &filter, after, limit + 1).await })
        .await?;
    Ok(Page::of(operations, limit, |last| last.id).respond(&request, OperationView::from))
}

pub async fn one(
    state: web::Data<HttpState>,
    request: HttpRequest,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let (_, vpcs) = rights::reader(&state, &request, Scope::TunnelsRead).await?;
    Query::parse(request.query_string()).finish()?;
    let id: OperationId = id.parse().map_err(|_| Problem::not_found())?;
    let wait = headers::wait(&request);
    let found = match wait {
        Some(limit) => state.wait(id, vpcs, limit).await?,
        None => state.ask(|service| async move { service.operation(id, &vpcs).await }).await?,
    };
    let operation = found.ok_or_else(Problem::not_found)?;
    let mut response = HttpResponse::Ok().json(OperationView::from(&operation));
    if let Some(wait) = wait {
        headers::applied(&mut response, wait);
    }
    Ok(response)
}
