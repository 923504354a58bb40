//! `GET /operations` and `GET /operations/{id}`.

use actix_web::{HttpResponse, web};

use crate::domain::operation::{OperationId, Status};
use crate::domain::principal::Scope;
use crate::service::ledger::OperationFilter;

use super::view::OperationView;
use crate::http::call::Call;
use crate::http::input::headers;
use crate::http::missing;
use crate::http::page::Page;
use crate::http::problem::Problem;

pub async fn list(call: Call) -> Result<HttpResponse, Problem> {
    let vpcs = call.vpcs(Scope::TunnelsRead)?;
    let mut query = call.query();
    let filter = OperationFilter {
        vpc_id: query.text("vpc_id"),
        tunnel_id: query.text("tunnel_id"),
        status: query.value(
            "status",
            || format!("must be one of {}", Status::WORDS.join(", ")),
            Status::from_word,
        ),
        requested_by: query.text("requested_by"),
        account: query.text("account"),
        created_after: query.moment("created_after"),
        created_before: query.moment("created_before"),
        request_id: query.text("request_id"),
    };
    if filter.request_id.is_some() && filter.tunnel_id.is_none() {
        query.fault("request_id", "incomplete", "needs tunnel_id too");
    }
    let (limit, after) = (query.limit(), query.cursor::<OperationId>());
    query.finish()?;
    let operations = call
        .state
        .ask(|service| async move { service.operations(&vpcs, &filter, after, limit + 1).await })
        .await?;
    Ok(Page::of(operations, limit, |last| last.id).respond(&call.request, OperationView::from))
}

pub async fn one(call: Call, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let vpcs = call.vpcs(Scope::TunnelsRead)?;
    call.query().finish()?;
    let id: OperationId = id.parse().map_err(|_| Problem::not_found())?;
    let found = match call.wait {
        Some(wait) => call.state.wait(id, vpcs, wait.until).await?,
        None => call.state.ask(|service| async move { service.operation(id, &vpcs).await }).await?,
    };
    let Some(operation) = found else { return Err(missing::no_operation(&call.state, id).await) };
    let mut response = HttpResponse::Ok().json(OperationView::from(&operation));
    if let Some(wait) = call.wait {
        headers::applied(&mut response, wait);
    }
    Ok(response)
}
