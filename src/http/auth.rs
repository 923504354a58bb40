//! Who calls, and what they may do.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::domain::ids::TunnelPath;
use crate::domain::principal::{Principal, Scope, VpcScope};

use super::HttpState;
use super::problem::{Problem, ProblemType};
use super::request::origin;

/// How long a look-up is believed: a revoked key works that much longer.
const BELIEVED: Duration = Duration::from_secs(5);
/// Keys that are remembered at the most.
const REMEMBERED: usize = 4096;

/// Principals by the SHA-256 of their tokens.
#[derive(Default)]
pub(super) struct Known(Mutex<HashMap<[u8; 32], (Instant, Principal)>>);

impl Known {
    fn get(&self, token: &[u8; 32]) -> Option<Principal> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, principal) = known.get(token)?;
        (since.elapsed() < BELIEVED).then(|| principal.clone())
    }

    fn put(&self, token: [u8; 32], principal: Principal) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(token, (Instant::now(), principal));
    }
}

fn unauthorized(state: &HttpState, reason: &'static str) -> Problem {
    state.figures.refused(reason);
    let (challenge, detail) = match reason {
        "no_token" => ("Bearer realm=\"tunnelgate\"", "give a token: Authorization: Bearer tg_…"),
        _ => (
            "Bearer realm=\"tunnelgate\", error=\"invalid_token\"",
            "the token is unknown, has expired, or was revoked",
        ),
    };
    Problem::new(ProblemType::Unauthorized, detail)
        .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
}

/// Who the bearer token stands for.
async fn principal(state: &HttpState, request: &HttpRequest) -> Result<Principal, Problem> {
    let Some(value) = request.headers().get(header::AUTHORIZATION) else {
        return Err(unauthorized(state, "no_token"));
    };
    let token = value.to_str().ok().and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| SecretString::from(token.trim()))
    });
    let Some(token) = token else {
        return Err(unauthorized(state, "invalid_token"));
    };
    let digest: [u8; 32] = Sha256::digest(token.expose_secret().as_bytes()).into();
    let known = state.known.get(&digest);
    let found = match known {
        Some(principal) => Some(principal),
        None => {
            let service = state.service.clone();
            let found = state.run(async move { service.principal_of_token(&token).await }).await??;
            if let Some(principal) = &found {
                state.known.put(digest, principal.clone());
            }
            found
        }
    };
    let now = state.clock.now();
    found
        .filter(|principal| principal.expires_at.is_none_or(|end| now < end))
        .ok_or_else(|| unauthorized(state, "invalid_token"))
}

fn forbidden(state: &HttpState, scope: Scope, vpc: Option<&str>) -> Problem {
    state.figures.refused("forbidden");
    let detail = match vpc {
        Some(vpc) => format!("the scope {scope} for VPC {vpc} is missing"),
        None => format!("the scope {scope} is missing"),
    };
    let challenge = format!("Bearer realm=\"tunnelgate\", error=\"insufficient_scope\", scope=\"{scope}\"");
    let problem = Problem::new(ProblemType::Forbidden, detail);
    match HeaderValue::from_str(&challenge) {
        Ok(challenge) => problem.with_header(header::WWW_AUTHENTICATE, challenge),
        Err(_) => problem,
    }
}

/// A caller who has a scope, with the VPCs that it holds for.
pub(super) async fn reader(
    state: &HttpState,
    request: &HttpRequest,
    scope: Scope,
) -> Result<(Principal, VpcScope), Problem> {
    let principal = principal(state, request).await?;
    match principal.vpcs(scope) {
        Some(vpcs) => Ok((principal, vpcs)),
        None => Err(forbidden(state, scope, None)),
    }
}

/// Any caller: before it is known what exactly is asked for.
pub(super) async fn anybody(state: &HttpState, request: &HttpRequest) -> Result<Principal, Problem> {
    principal(state, request).await
}

/// Makes sure that the caller may change tunnels of this VPC. A refusal is an event of the audit log; if that can't be
/// written the answer is 503, so that nobody can probe rights unseen.
pub(super) async fn writer_of(
    state: &HttpState,
    request: &HttpRequest,
    principal: &Principal,
    vpc: &str,
    path: Option<&TunnelPath>,
) -> Result<(), Problem> {
    let scope = Scope::TunnelsWrite;
    if principal.vpcs(scope).is_some_and(|vpcs| vpcs.allows(vpc)) {
        return Ok(());
    }
    if let Some(path) = path {
        let (service, principal) = (state.service.clone(), principal.clone());
        let (path, origin) = (path.clone(), origin(request));
        state.run(async move { service.record_denied(&principal, &path, origin).await }).await??;
    }
    Err(forbidden(state, scope, Some(vpc)))
}
