//! Authentication by bearer token.

use std::net::IpAddr;

use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpMessage, HttpRequest};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::domain::event::ActorKind;
use crate::domain::principal::Principal;
use crate::service::identity::InvalidToken;
use crate::service::sign_in::{SignInError, is_jwt};

use super::cache::Cached;
use crate::http::edge::limit::RateLimitStatus;
use crate::http::edge::source::client_network;
use crate::http::problem::{Problem, ProblemType};
use crate::http::state::HttpState;

/// 429 with `Retry-After` and the `RateLimit` headers.
fn too_many(state: &HttpState, request: &HttpRequest, status: RateLimitStatus, kind: ProblemType) -> Problem {
    state.metrics.refused(kind.code());
    request.extensions_mut().insert(status);
    Problem::of(kind).with_retry_after(status.retry_after)
}

/// Counts a request against its principal's rate limit. A request counts once, even if its caller is authenticated again.
fn count(state: &HttpState, request: &HttpRequest, principal: &Principal) -> Result<(), Problem> {
    let Some(limiter) = &state.limits.principals else { return Ok(()) };
    if request.extensions().contains::<RateLimitStatus>() {
        return Ok(());
    }
    let status = limiter.take(principal.id.clone(), state.clock.now());
    if status.is_refused() {
        return Err(too_many(state, request, status, ProblemType::RateLimited));
    }
    request.extensions_mut().insert(status);
    Ok(())
}

/// The principal of a token. While an address has too many failed sign-ins, only tokens that were valid before are looked up
/// for it: a caller behind the same proxy can't lock the other callers out.
async fn look_up(
    state: &HttpState,
    request: &HttpRequest,
    source: Option<IpAddr>,
    token: SecretString,
) -> Result<Principal, Problem> {
    let digest: [u8; 32] = Sha256::digest(token.expose_secret().as_bytes()).into();
    // Before the look-up: settings that change meanwhile make the entry stale.
    let version = state.service.identity_version();
    let is_jwt = is_jwt(&token);
    let was_valid = match state.tokens.get(&digest, is_jwt, version) {
        Cached::Fresh(principal) => return Ok(principal),
        Cached::Stale => true,
        Cached::Missing => false,
    };
    let address = source.map(client_network);
    // The limit saves the ledger from look-ups of unknown keys. A JWT needs none, and one job with an old token must not lock
    // out the new tokens of all callers behind its address.
    let sign_ins = state.limits.sign_ins.as_ref().filter(|_| !is_jwt).zip(address);
    if let Some((limiter, address)) = sign_ins
        && !was_valid
    {
        let status = limiter.peek(&address, state.clock.now());
        if status.is_refused() {
            return Err(too_many(state, request, status, ProblemType::SignInLimited));
        }
    }
    let service = state.service.clone();
    let error = match state.run(async move { service.principal_of_token(&token).await }).await? {
        Ok(principal) => {
            state.tokens.put(digest, is_jwt, version, principal.clone(), state.clock.now());
            return Ok(principal);
        }
        Err(error) => error,
    };
    let why = match error {
        SignInError::Unknown => Unauthenticated::UnknownToken,
        SignInError::Invalid(reason) => Unauthenticated::InvalidToken(reason),
        SignInError::IssuerUnavailable { retry_after } => {
            state.metrics.refused(ProblemType::IssuerUnavailable.code());
            let seconds = u32::try_from(retry_after.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
            return Err(Problem::of(ProblemType::IssuerUnavailable).with_retry_after(seconds));
        }
        SignInError::Ledger(error) => return Err(error.into()),
    };
    state.tokens.remove(&digest, is_jwt);
    if let Some((limiter, address)) = sign_ins {
        limiter.take(address, state.clock.now());
    }
    Err(unauthorized(state, why))
}

/// The reason of a 401.
#[derive(Clone, Copy)]
enum Unauthenticated {
    NoToken,
    /// `Authorization` has another scheme.
    OtherScheme,
    /// Neither a valid API key nor a JWT.
    UnknownToken,
    /// A JWT that is refused.
    InvalidToken(InvalidToken),
}

const INVALID_TOKEN: &str = "Bearer realm=\"tunnelgate\", error=\"invalid_token\"";

fn unauthorized(state: &HttpState, why: Unauthenticated) -> Problem {
    let (reason, challenge, detail) = match why {
        Unauthenticated::NoToken => (
            "no_token",
            HeaderValue::from_static("Bearer realm=\"tunnelgate\""),
            "send a token: Authorization: Bearer tg_…",
        ),
        // Without `error`, because RFC 6750 reserves it for requests with a bearer token.
        Unauthenticated::OtherScheme => (
            "no_token",
            HeaderValue::from_static("Bearer realm=\"tunnelgate\""),
            "Authorization contains no bearer token: send Authorization: Bearer tg_…",
        ),
        Unauthenticated::UnknownToken => (
            "invalid_token",
            HeaderValue::from_static(INVALID_TOKEN),
            "the token is unknown, has expired, or was revoked",
        ),
        Unauthenticated::InvalidToken(reason) => {
            let description = reason.description();
            let challenge = format!("{INVALID_TOKEN}, error_description=\"{description}\"");
            let challenge = HeaderValue::try_from(challenge);
            let plain = |_| HeaderValue::from_static(INVALID_TOKEN);
            ("invalid_token", challenge.unwrap_or_else(plain), description)
        }
    };
    state.metrics.refused(reason);
    Problem::new(ProblemType::Unauthorized, detail).with_header(header::WWW_AUTHENTICATE, challenge)
}

/// The token in a value of `Authorization`. `None` with another scheme.
pub fn bearer(value: &HeaderValue) -> Option<SecretString> {
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| SecretString::from(token.trim()))
}

/// Authenticates the caller by the bearer token, and counts the request against the principal's rate limit. `source` is
/// the address that failed sign-ins count for.
///
/// # Errors
/// 401 without a valid token, 429 over a limit, 503 if the ledger can't be read or the token's issuer not be reached.
pub async fn principal(
    state: &HttpState,
    request: &HttpRequest,
    source: Option<IpAddr>,
) -> Result<Principal, Problem> {
    let Some(value) = request.headers().get(header::AUTHORIZATION) else {
        return Err(unauthorized(state, Unauthenticated::NoToken));
    };
    let Some(token) = bearer(value) else {
        return Err(unauthorized(state, Unauthenticated::OtherScheme));
    };
    let principal = look_up(state, request, source, token).await?;
    let now = state.clock.now();
    if principal.expires_at.is_some_and(|end| end <= now) {
        // The cache may be older than the end.
        let why = match principal.actor.kind {
            ActorKind::Oidc => Unauthenticated::InvalidToken(InvalidToken::Expired),
            ActorKind::ApiKey | ActorKind::System => Unauthenticated::UnknownToken,
        };
        return Err(unauthorized(state, why));
    }
    count(state, request, &principal)?;
    Ok(principal)
}
