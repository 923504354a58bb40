//! Who calls: the bearer token of a request.

use std::net::IpAddr;

use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpMessage, HttpRequest};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::domain::principal::Principal;

use super::cache::Memory;
use crate::http::edge::limit::Standing;
use crate::http::edge::source::neighbourhood;
use crate::http::problem::{Problem, ProblemType};
use crate::http::state::HttpState;

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
    source: Option<IpAddr>,
    token: SecretString,
) -> Result<Option<Principal>, Problem> {
    let digest: [u8; 32] = Sha256::digest(token.expose_secret().as_bytes()).into();
    let was_good = match state.known.get(&digest) {
        Memory::Fresh(principal) => return Ok(Some(principal)),
        Memory::Once => true,
        Memory::Nothing => false,
    };
    let address = source.map(neighbourhood);
    let sign_ins = state.limits.sign_ins.as_ref().zip(address);
    if let Some((limiter, address)) = sign_ins
        && !was_good
    {
        let standing = limiter.look(&address, state.clock.now());
        if standing.is_refused() {
            return Err(too_often(state, request, standing, ProblemType::SignInLimited));
        }
    }
    let found = state.ask(|service| async move { service.principal_of_token(&token).await }).await?;
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
            ("no_token", "Bearer realm=\"tunnelgate\"", "send a token: Authorization: Bearer tg_…")
        }
        // No word of an error: RFC 6750 wants none where there was no bearer token.
        Stranger::NoBearer => (
            "no_token",
            "Bearer realm=\"tunnelgate\"",
            "Authorization contains no bearer token: send Authorization: Bearer tg_…",
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

/// Authenticates the caller by the bearer token, and counts the request against the principal's rate limit. `source` is
/// the address that failed sign-ins count for.
///
/// # Errors
/// 401 without a valid token, 429 over a limit, 503 if the ledger can't be read.
pub async fn principal(
    state: &HttpState,
    request: &HttpRequest,
    source: Option<IpAddr>,
) -> Result<Principal, Problem> {
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
    let found = recognised(state, request, source, token).await?;
    let now = state.clock.now();
    let principal = found
        .filter(|principal| principal.expires_at.is_none_or(|end| now < end))
        .ok_or_else(|| unauthorized(state, Stranger::InvalidToken))?;
    count(state, request, &principal)?;
    Ok(principal)
}
