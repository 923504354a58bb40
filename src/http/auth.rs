//! Who calls, and what they may do.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpMessage, HttpRequest};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::domain::ids::TunnelPath;
use crate::domain::principal::{Principal, Scope, VpcScope};

use super::HttpState;
use super::edge::Edge;
use super::edge::limit::{Limiter, Standing};
use super::edge::source::neighbourhood;
use super::problem::{Problem, ProblemType};
use super::request::{origin, source};

/// How long a look-up is believed: a revoked key works that much longer.
const BELIEVED: Duration = Duration::from_secs(5);
/// Keys that are remembered at the most.
const REMEMBERED: usize = 4096;

/// Principals by the SHA-256 of their tokens.
#[derive(Default)]
pub(super) struct Known(Mutex<HashMap<[u8; 32], (Instant, Principal)>>);

/// What is remembered of a token.
enum Memory {
    /// Good, and looked up lately.
    Fresh(Principal),
    /// It was good once; whether it still is has to be looked up.
    Once,
    Nothing,
}

impl Known {
    fn get(&self, token: &[u8; 32]) -> Memory {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get(token) {
            Some((since, principal)) if since.elapsed() < BELIEVED => Memory::Fresh(principal.clone()),
            Some(_) => Memory::Once,
            None => Memory::Nothing,
        }
    }

    fn forget(&self, token: &[u8; 32]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(token);
    }

    fn put(&self, token: [u8; 32], principal: Principal) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(token, (Instant::now(), principal));
    }
}

/// How often one may call, in this process.
pub(super) struct Limits {
    principals: Option<Limiter<String>>,
    /// Failed sign-ins by address.
    sign_ins: Option<Limiter<IpAddr>>,
}

impl Limits {
    pub(super) fn new(edge: &Edge) -> Self {
        Self {
            principals: edge.rate_limit.map(|quota| Limiter::new("default", quota)),
            sign_ins: edge.sign_in_limit.map(|quota| Limiter::new("sign-in", quota)),
        }
    }
}

/// 429: too often. The headers say when again.
fn too_often(state: &HttpState, request: &HttpRequest, standing: Standing, kind: ProblemType) -> Problem {
    state.figures.refused(kind.code());
    request.extensions_mut().insert(standing);
    Problem::of(kind).with_retry_after(standing.retry_after)
}

/// Counts a request of a principal, once however often it is asked who calls.
fn count(state: &HttpState, request: &HttpRequest, principal: &Principal) -> Result<(), Problem> {
    let Some(limiter) = &state.limits.principals else { return Ok(()) };
    if request.extensions().contains::<Standing>() {
        return Ok(());
    }
    let standing = limiter.take(principal.id.clone(), state.clock.now());
    if standing.is_refused() {
        return Err(too_often(state, request, standing, ProblemType::RateLimited));
    }
    request.extensions_mut().insert(standing);
    Ok(())
}

/// Who a token stands for. A token that never was good is not even looked up while its address has failed too often;
/// one that was good is, so that nobody behind the same proxy locks the others out.
async fn recognised(
    state: &HttpState,
    request: &HttpRequest,
    token: SecretString,
) -> Result<Option<Principal>, Problem> {
    let digest: [u8; 32] = Sha256::digest(token.expose_secret().as_bytes()).into();
    let was_good = match state.known.get(&digest) {
        Memory::Fresh(principal) => return Ok(Some(principal)),
        Memory::Once => true,
        Memory::Nothing => false,
    };
    let address = source(request).map(neighbourhood);
    let sign_ins = state.limits.sign_ins.as_ref().zip(address);
    if let Some((limiter, address)) = sign_ins
        && !was_good
    {
        let standing = limiter.look(&address, state.clock.now());
        if standing.is_refused() {
            return Err(too_often(state, request, standing, ProblemType::SignInLimited));
        }
    }
    let service = state.service.clone();
    let found = state.run(async move { service.principal_of_token(&token).await }).await??;
    match &found {
        Some(principal) => state.known.put(digest, principal.clone()),
        None => {
            state.known.forget(&digest);
            if let Some((limiter, address)) = sign_ins {
                limiter.take(address, state.clock.now());
            }
        }
    }
    Ok(found)
}

/// Why a caller is not recognised.
#[derive(Clone, Copy)]
enum Stranger {
    NoToken,
    /// `Authorization` holds something else.
    NoBearer,
    InvalidToken,
}

fn unauthorized(state: &HttpState, why: Stranger) -> Problem {
    let (reason, challenge, detail) = match why {
        Stranger::NoToken => {
            ("no_token", "Bearer realm=\"tunnelgate\"", "give a token: Authorization: Bearer tg_…")
        }
        // No word of an error: RFC 6750 wants none where there was no bearer token.
        Stranger::NoBearer => (
            "no_token",
            "Bearer realm=\"tunnelgate\"",
            "Authorization holds no bearer token: send Authorization: Bearer tg_…",
        ),
        Stranger::InvalidToken => (
            "invalid_token",
            "Bearer realm=\"tunnelgate\", error=\"invalid_token\"",
            "the token is unknown, has expired, or was revoked",
        ),
    };
    state.figures.refused(reason);
    Problem::new(ProblemType::Unauthorized, detail)
        .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
}

/// Who the bearer token stands for.
async fn principal(state: &HttpState, request: &HttpRequest) -> Result<Principal, Problem> {
    let Some(value) = request.headers().get(header::AUTHORIZATION) else {
        return Err(unauthorized(state, Stranger::NoToken));
    };
    let token = value.to_str().ok().and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| SecretString::from(token.trim()))
    });
    let Some(token) = token else {
        return Err(unauthorized(state, Stranger::NoBearer));
    };
    let found = recognised(state, request, token).await?;
    let now = state.clock.now();
    let principal = found
        .filter(|principal| principal.expires_at.is_none_or(|end| now < end))
        .ok_or_else(|| unauthorized(state, Stranger::InvalidToken))?;
    count(state, request, &principal)?;
    Ok(principal)
}

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
pub(super) async fn reader(
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
pub(super) async fn reader_of_all(
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
pub(super) async fn anybody(state: &HttpState, request: &HttpRequest) -> Result<Principal, Problem> {
    principal(state, request).await
}

/// True if the caller may change tunnels of this VPC.
pub(super) fn may_change(principal: &Principal, vpc: &str) -> bool {
    principal.vpcs(Scope::TunnelsWrite).is_some_and(|vpcs| vpcs.allows(vpc))
}

/// Makes sure that the caller may change this tunnel. A refusal is an event of the audit log; if that can't be written
/// the answer is 503, so that nobody can probe rights unseen.
pub(super) async fn writer_of(
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
    let (service, principal) = (state.service.clone(), principal.clone());
    let (path, origin) = (path.clone(), origin(request));
    state.run(async move { service.record_denied(&principal, &path, origin).await }).await??;
    Err(forbidden(state, Scope::TunnelsWrite, &for_what))
}
