//! `POST /operations/{id}/rollback`.

pub mod document;

use actix_web::{HttpResponse, web};

use crate::domain::operation::{Operation, OperationId};
use crate::domain::principal::VpcScope;
use crate::domain::rollback;
use crate::domain::secret::PreSharedKey;
use crate::service::modify::{Modify, ModifyError, Rollback};

use crate::http::call::Call;
use crate::http::input::body;
use crate::http::problem::{Problem, ProblemType};
use crate::http::tunnels::change::{Options, require_change, respond};
use crate::http::tunnels::dry_run;

pub async fn rollback(
    call: Call,
    id: web::Path<String>,
    mut payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let of = operation(&call, &id).await?;
    let mut query = call.query();
    let is_forced = query.flag("force");
    let options = Options::of(&call, query);
    require_change(&call, &of.tunnel, &options).await?;
    let Options { is_dry_run, if_match, idempotency_key, reason } = options?;
    if is_dry_run {
        call.require_read(&of.tunnel)?;
    }
    let document = body::optional(&call.request, &mut payload).await?;
    let key = rollback::key(&document);
    body::wipe(document);
    let key = key.map_err(|faults| Problem::of(ProblemType::InvalidPatch).with_errors(faults))?;
    let cloud = call.state.service.cloud_of(&of.tunnel.vpc_id).map_err(ModifyError::from)?;
    let mut patch = rollback::patch(&of, cloud.requirements().api)
        .map_err(|reasons| ModifyError::NotReversible { of: of.id, reasons })?;
    // A dry run neither shows nor checks the key, so that it can come before the caller looks the key up.
    let any_key =
        (is_dry_run && of.changes.key_fingerprint().is_some()).then(|| PreSharedKey::from_cloud("any"));
    patch.pre_shared_key = key.or(any_key);
    let Call { state, principal, origin, wait, .. } = call;
    let modify = Modify {
        principal,
        cloud,
        path: of.tunnel.clone(),
        patch,
        origin,
        idempotency_key,
        if_match,
        reason,
        rollback: Some(Rollback { of, is_forced }),
    };
    if is_dry_run {
        return dry_run::answer(&state, modify).await;
    }
    let modified = state.ask(|service| async move { service.modify(modify).await }).await?;
    respond(&state, modified, wait).await
}

/// The operation, if the caller may read or change its VPC.
async fn operation(call: &Call, id: &str) -> Result<Operation, Problem> {
    let id: OperationId = id.parse().map_err(|_| Problem::not_found())?;
    let found = call.state.ask(|service| async move { service.operation(id, &VpcScope::All).await }).await?;
    let is_visible = |operation: &Operation| {
        let vpc = operation.tunnel.vpc_id.as_str();
        call.may_read(vpc) || call.may_change(vpc)
    };
    found.filter(is_visible).ok_or_else(Problem::not_found)
}
