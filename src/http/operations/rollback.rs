//! `POST /operations/{id}/rollback`.

pub mod document;

use actix_web::{HttpResponse, web};

use crate::domain::operation::{Operation, OperationId};
use crate::domain::patch::Patch;
use crate::domain::principal::VpcScope;
use crate::domain::rollback;
use crate::domain::secret::PreSharedKey;
use crate::service::modify::{Modify, ModifyError, Retry, Rollback};

use crate::http::call::Call;
use crate::http::input::body;
use crate::http::missing;
use crate::http::problem::{Problem, ProblemType};
use crate::http::tunnels::change::{Options, earlier, require_change, respond};
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
    let carried_out =
        call.state.service.cloud_of(&of.tunnel.vpc_id).map_err(ModifyError::from).and_then(|cloud| {
            let patch = rollback::patch(&of, cloud.requirements().api);
            Ok((cloud, patch.map_err(|reasons| ModifyError::NotReversible { of: of.id, reasons })?))
        });
    if let (Err(_), Some(idempotency_key), false) = (&carried_out, &idempotency_key, is_dry_run) {
        // A retry has the answer of its first request, whichever account and API serve the VPC today.
        let retry = Retry {
            principal_id: call.principal.id.clone(),
            path: of.tunnel.clone(),
            patch: Patch { pre_shared_key: key.clone(), ..Patch::default() },
            idempotency_key: idempotency_key.clone(),
            if_match: if_match.clone(),
            reason: reason.clone(),
            rollback: Some((of.id, is_forced)),
        };
        if let Some(modified) = earlier(&call, retry).await? {
            return respond(&call.state, modified, call.wait).await;
        }
    }
    let (cloud, mut patch) = carried_out?;
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
    match found.filter(is_visible) {
        Some(operation) => Ok(operation),
        None => Err(missing::no_operation(&call.state, id).await),
    }
}
