//! `PATCH /vpcs/{vpc_id}/gateways/{gateway_id}/tunnels/{tunnel_id}`.

use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpResponse, web};

use crate::domain::api::Api;
use crate::domain::etag::Precondition;
use crate::domain::ids::{TunnelPath, VpcId};
use crate::domain::operation::{Operation, State};
use crate::domain::patch::{Patch, Requirements};
use crate::domain::principal::VpcScope;
use crate::domain::text::is_plain;
use crate::service::modify::{Modified, Modify, ModifyError, Retry};

use super::dry_run;
use super::path::Path;
use crate::http::address::address;
use crate::http::call::Call;
use crate::http::input::headers::{self, Wait};
use crate::http::input::query::Query;
use crate::http::input::{body, conditional};
use crate::http::operations::view::OperationView;
use crate::http::problem::{Problem, ProblemType};
use crate::http::state::HttpState;

/// Marks the repeated answer of an `Idempotency-Key`.
const IDEMPOTENT_REPLAYED: header::HeaderName = header::HeaderName::from_static("idempotent-replayed");

/// What every version of the API requires.
const UNKNOWN: Requirements = Requirements { api: Api::V3, groups_go_together: false };

pub async fn patch(
    call: Call,
    path: web::Path<Path>,
    mut payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let mut faults = Vec::new();
    let tunnel = path.parse(&mut faults);
    let options = Options::of(&call, call.query());
    match &tunnel {
        Some(tunnel) => require_change(&call, tunnel, &options).await?,
        // A 403 writes an event, which needs a valid path; an invalid path is a 422 instead.
        None if !call.may_change(&path.vpc_id) => {
            return Err(Problem::of(ProblemType::InvalidPatch).with_errors(faults));
        }
        None => {}
    }
    let Options { is_dry_run, if_match, idempotency_key, reason } = options?;
    let document = body::patch(&call.request, &mut payload).await?;
    // In an invalid path the VPC's id may be valid all the same.
    let vpc = path.vpc_id.parse::<VpcId>().ok();
    let cloud = vpc.map(|vpc| call.state.service.cloud_of(&vpc)).transpose();
    let requirements = match &cloud {
        Ok(Some(cloud)) => cloud.requirements(),
        Ok(None) | Err(_) => UNKNOWN,
    };
    let mut patch = Patch::parse(&document, requirements).map_err(|more| faults.extend(more)).ok();
    if tunnel.is_none() {
        // No tunnel could excuse them.
        faults.extend(patch.iter_mut().flat_map(|patch| patch.outside.drain(..)));
    }
    let is_refused = cloud.is_err() || !faults.is_empty();
    // A retry has the answer of its first request, whichever account and API serve the VPC today.
    let retried = (is_refused && !is_dry_run).then(|| Patch::parse(&document, UNKNOWN).ok()).flatten();
    body::wipe(document);
    if let (Some(path), Some(patch), Some(key)) = (&tunnel, retried, &idempotency_key) {
        let retry = Retry {
            principal_id: call.principal.id.clone(),
            path: path.clone(),
            patch,
            idempotency_key: key.clone(),
            if_match: if_match.clone(),
            reason: reason.clone(),
            rollback: None,
        };
        if let Some(modified) = earlier(&call, retry).await? {
            return respond(&call.state, modified, call.wait).await;
        }
    }
    let cloud = cloud.map_err(ModifyError::from)?;
    let (Some(tunnel), Some(cloud), Some(patch), true) = (tunnel, cloud, patch, faults.is_empty()) else {
        return Err(Problem::of(ProblemType::InvalidPatch).with_errors(faults));
    };
    if is_dry_run {
        call.require_read(&tunnel)?;
    }
    let Call { state, principal, origin, wait, .. } = call;
    let modify = Modify {
        principal,
        cloud,
        path: tunnel,
        patch,
        origin,
        idempotency_key,
        if_match,
        reason,
        rollback: None,
    };
    if is_dry_run {
        return dry_run::answer(&state, modify).await;
    }
    let modified = state.ask(|service| async move { service.modify(modify).await }).await?;
    respond(&state, modified, wait).await
}

/// The answer to a retry of a request that can't be carried out today.
pub(in crate::http) async fn earlier(call: &Call, retry: Retry) -> Result<Option<Modified>, Problem> {
    call.state.ask(|service| async move { service.earlier(&retry).await }).await
}

/// Answers with the operation, or with the reason for its rejection. Waits for its end up to `wait`.
pub(in crate::http) async fn respond(
    state: &HttpState,
    modified: Modified,
    wait: Option<Wait>,
) -> Result<HttpResponse, Problem> {
    let (operation, is_repeated) = match modified {
        Modified::Accepted(operation) | Modified::Rejected(operation) => (operation, false),
        Modified::Repeated(operation) => (operation, true),
    };
    let operation = match wait {
        Some(wait) if !operation.status().is_final() => {
            let waited = state.wait(operation.id, VpcScope::All, wait.until).await;
            // The change is in progress even if the ledger fails now.
            waited.ok().flatten().unwrap_or(operation)
        }
        _ => operation,
    };
    let replayed = (IDEMPOTENT_REPLAYED, header::HeaderValue::from_static("true"));
    if let State::Rejected { error } = &operation.state {
        return Err(if is_repeated {
            Problem::of_repeated(operation.id, error).with_header(replayed.0, replayed.1)
        } else {
            Problem::of_rejected(operation.id, error)
        });
    }
    let mut response = of_operation(&operation, state.service.usual_wait());
    if is_repeated {
        response.headers_mut().insert(replayed.0, replayed.1);
    }
    if let Some(wait) = wait {
        headers::applied(&mut response, wait);
    }
    Ok(response)
}

/// 200 for an operation that has ended, else 202 with the usual time until its end.
fn of_operation(operation: &Operation, usual_wait: Duration) -> HttpResponse {
    let location = (header::LOCATION, address(&format!("/operations/{}", operation.id)));
    let view = OperationView::from(operation);
    if operation.status().is_final() {
        HttpResponse::Ok().insert_header(location).json(view)
    } else {
        HttpResponse::Accepted()
            .insert_header(location)
            .insert_header((header::RETRY_AFTER, usual_wait.as_secs_f64().ceil().max(1.0).to_string()))
            .json(view)
    }
}

/// The options of a change in its query and headers.
pub(in crate::http) struct Options {
    /// Only show the change.
    pub(in crate::http) is_dry_run: bool,
    pub(in crate::http) if_match: Option<Precondition>,
    pub(in crate::http) idempotency_key: Option<String>,
    pub(in crate::http) reason: Option<String>,
}

/// Checks that the caller may change this tunnel. A refusal is an event of the audit log, unless the call is a dry run.
///
/// # Errors
/// 403 if not; 503 if the event can't be written.
pub(in crate::http) async fn require_change(
    call: &Call,
    tunnel: &TunnelPath,
    options: &Result<Options, Problem>,
) -> Result<(), Problem> {
    match options {
        Ok(Options { is_dry_run: true, .. }) => call.require_trial(tunnel),
        _ => call.require_change(tunnel).await,
    }
}

/// The longest `reason`, in characters.
pub const MAX_REASON: usize = 500;

/// A reason that can be kept.
fn reason(text: &str) -> Option<String> {
    let is_valid = (1..=MAX_REASON).contains(&text.chars().count()) && is_plain(text);
    is_valid.then(|| text.to_owned())
}

impl Options {
    /// Reads both before the body, and reports their faults together. `query` is the call's, without the parameters that
    /// only this call has.
    pub(in crate::http) fn of(call: &Call, mut query: Query) -> Result<Self, Problem> {
        let is_dry_run = query.flag("dry_run");
        let reason = query.value(
            "reason",
            || format!("must be text of 1 to {MAX_REASON} characters, without those that control lines or direction"),
            reason,
        );
        let if_match = query.header(conditional::if_match(&call.request)).flatten();
        let idempotency_key = query.header(headers::idempotency_key(&call.request)).flatten();
        query.finish()?;
        Ok(Self { is_dry_run, if_match, idempotency_key, reason })
    }
}
