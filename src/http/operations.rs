//! `GET /operations` and `GET /operations/{id}`.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::changes::Changes;
use crate::domain::ids::TunnelPath;
use crate::domain::operation::{Operation, OperationError, OperationId, Status};
use crate::domain::principal::Scope;
use crate::domain::timestamp::Timestamp;
use crate::domain::verification::Verification;
use crate::service::ledger::OperationFilter;

use super::problem::Problem;
use super::query::{Query, cursor};
use super::tunnels::applied;
use super::{HttpState, auth, headers};

/// Which tunnel it is about.
#[derive(Serialize, ToSchema)]
#[schema(as = TunnelPath)]
pub(super) struct PathView<'a> {
    #[schema(example = "vpc-03vihbk9")]
    vpc_id: &'a str,
    #[schema(example = "vpngw-kfldykuz")]
    gateway_id: &'a str,
    #[schema(example = "vpnx-ol6bcqp0")]
    tunnel_id: &'a str,
}

/// One accepted patch on its way from request to a final status.
#[derive(Serialize, ToSchema)]
#[schema(as = Operation)]
pub(super) struct OperationView<'a> {
    #[schema(value_type = Uuid)]
    id: OperationId,
    status: Status,
    tunnel: PathView<'a>,
    /// The cloud's own asynchronous job, once there is one.
    #[schema(example = "12614")]
    task_id: Option<&'a str>,
    /// What was asked for; a secret stands as its keyed fingerprint.
    #[schema(value_type = Object)]
    changes: &'a Changes,
    /// The API key's name.
    #[schema(example = "netops-ci")]
    requested_by: &'a str,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// `null` while it is under way.
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Timestamp>,
    /// Why it did not succeed, or why nobody knows yet.
    error: Option<&'a OperationError>,
    /// What reading the tunnel back showed, once it has succeeded.
    verification: Option<&'a Verification>,
}

impl<'a> From<&'a TunnelPath> for PathView<'a> {
    fn from(path: &'a TunnelPath) -> Self {
        Self {
            vpc_id: path.vpc_id.as_str(),
            gateway_id: path.gateway_id.as_str(),
            tunnel_id: path.tunnel_id.as_str(),
        }
    }
}

impl<'a> From<&'a Operation> for OperationView<'a> {
    fn from(operation: &'a Operation) -> Self {
        Self {
            id: operation.id,
            status: operation.status(),
            tunnel: PathView::from(&operation.tunnel),
            task_id: operation.state.task_id(),
            changes: &operation.changes,
            requested_by: &operation.requested_by.name,
            created_at: operation.created_at,
            updated_at: operation.updated_at,
            finished_at: operation.finished_at,
            error: operation.state.error(),
            verification: operation.state.verification(),
        }
    }
}

/// One page of a list.
#[derive(Serialize)]
pub(super) struct Page<T> {
    items: Vec<T>,
    next_cursor: Option<String>,
}

impl<T: Serialize> Page<T> {
    /// A list that has one page.
    pub(super) fn only(items: Vec<T>) -> Self {
        Self { items, next_cursor: None }
    }

    /// The answer with a page; `next` is where it ended, if there is more.
    pub(super) fn respond(items: Vec<T>, next: Option<String>, request: &HttpRequest) -> HttpResponse {
        let mut response = HttpResponse::Ok();
        if let Some(cursor) = &next {
            let others = form_urlencoded::parse(request.query_string().as_bytes())
                .filter(|(name, _)| name != "cursor");
            let query = form_urlencoded::Serializer::new(String::new())
                .extend_pairs(others)
                .append_pair("cursor", cursor)
                .finish();
            response.insert_header((header::LINK, format!("<{}?{query}>; rel=\"next\"", request.path())));
        }
        response.json(Self { items, next_cursor: next })
    }
}

pub(super) async fn list(state: web::Data<HttpState>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let (_, vpcs) = auth::reader(&state, &request, Scope::TunnelsRead).await?;
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
    let service = state.service.clone();
    // One more than asked for tells whether there is a next page.
    let found = async move { service.operations(&vpcs, &filter, after, limit + 1).await };
    let mut operations = state.run(found).await??;
    let has_more = operations.len() > limit as usize;
    operations.truncate(limit as usize);
    let next = operations.last().filter(|_| has_more).map(|last| cursor(&last.id));
    Ok(Page::respond(operations.iter().map(OperationView::from).collect(), next, &request))
}

pub(super) async fn one(
    state: web::Data<HttpState>,
    request: HttpRequest,
    id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let (_, vpcs) = auth::reader(&state, &request, Scope::TunnelsRead).await?;
    Query::parse(request.query_string()).finish()?;
    let id: OperationId = id.parse().map_err(|_| Problem::not_found())?;
    let wait = headers::wait(&request);
    let found = match wait {
        Some(limit) => state.wait(id, vpcs, limit).await??,
        None => {
            let service = state.service.clone();
            state.run(async move { service.operation(id, &vpcs).await }).await??
        }
    };
    let operation = found.ok_or_else(Problem::not_found)?;
    let mut response = HttpResponse::Ok().json(OperationView::from(&operation));
    if let Some(wait) = wait {
        applied(&mut response, wait);
    }
    Ok(response)
}
