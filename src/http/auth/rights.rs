//! What callers may do.

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderValue};

use crate::domain::ids::TunnelPath;
use crate::domain::principal::{Principal, Scope, VpcScope};

use super::token::principal;
use crate::http::observe::origin;
use crate::http::problem::{Problem, ProblemType};
use crate::http::state::HttpState;

/// `for_what` ends the sentence: "the scope … is missing".
fn forbidden(state: &HttpState, scope: Scope, for_what: &str) -> Problem {
    state.figures.refused("forbidden");
    let space = if for_what.is_empty() { "" } else { " " };
    let detail = format!("the scope {scope}{space}{for_what} is missing");
    let challenge = format!("Bearer realm=\"tunnelgate\", error=\"insufficient_scope\", scope=\"{scope}\"");
    let problem = Problem::new(ProblemType::Forbidden, detail);
    match HeaderValue::from_str(&challenge) {
        Ok(challenge) => problem.with_header(header::WWW_AUTHENTICATE, challenge),
        Err(_) => problem,
    }
}

/// A caller who has a scope, with the VPCs that it holds for.
pub async fn reader(
    state: &HttpState,
    request: &HttpRequest,
    scope: Scope,
) -> Result<(Principal, VpcScope), Problem> {
    let principal = principal(state, request).await?;
    match principal.vpcs(scope) {
        Some(vpcs) => Ok((principal, vpcs)),
        None => Err(forbidden(state, scope, "")),
    }
}

/// A caller who has a scope for every VPC there is.
pub async fn reader_of_all(
    state: &HttpState,
    request: &HttpRequest,
    scope: Scope,
) -> Result<Principal, Problem> {
    match reader(state, request, scope).await? {
        (principal, VpcScope::All) => Ok(principal),
        (_, VpcScope::Matching(_)) => Err(forbidden(state, scope, "for all VPCs")),
    }
}

/// Any caller: before it is known what exactly is asked for.
pub async fn anybody(state: &HttpState, request: &HttpRequest) -> Result<Principal, Problem> {
    principal(state, request).await
}

/// True if the caller may change tunnels of this VPC.
pub fn may_change(principal: &Principal, vpc: &str) -> bool {
    principal.vpcs(Scope::TunnelsWrite).is_some_and(|vpcs| vpcs.allows(vpc))
}

/// Makes sure that the caller may change this tunnel. A refusal is an event of the audit log; if that can't be written
/// the answer is 503, so that nobody can probe rights unseen.
pub async fn writer_of(
    state: &HttpState,
    request: &HttpRequest,
    principal: &Principal,
    path: &TunnelPath,
) -> Result<(), Problem> {
    let vpc = path.vpc_id.as_str();
    if may_change(principal, vpc) {
        return Ok(());
    }
    let for_what = format!("for VPC {vpc}");
    let (principal, path, origin) = (principal.clone(), path.clone(), origin(request));
    state.ask(|service| async move { service.record_denied(&principal, &path, origin).await }).await?;
    Err(forbidden(state, Scope::TunnelsWrite, &for_what))
}
