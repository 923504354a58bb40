//! Fetches an issuer's discovery document and its keys.

use std::time::Duration;

use reqwest::Url;
use reqwest::header::ACCEPT;
use serde_json::Value;
use tokio::time::timeout;

use crate::causes::{chain, connection_fault};
use crate::service::identity::SignInEndpoints;

use super::key_set::KeySet;
use super::url::IssuerUrl;

/// Time limit of one document, from the connection to its last byte.
const LIMIT: Duration = Duration::from_secs(5);
/// Time limit of a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);
/// The largest document, in bytes.
const MAX_BODY: usize = 256 * 1024;
/// How much of a wrong issuer is logged, in characters.
const MAX_SHOWN: usize = 200;

/// Why no HTTP client could be created.
#[derive(Debug, thiserror::Error)]
#[error("no HTTP client for the issuers could be set up")]
pub struct NoClient(#[from] reqwest::Error);

/// Why an issuer's keys could not be fetched.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("no connection or no complete answer from {place}: {causes}")]
    Unreachable { place: String, causes: String, fault: &'static str },
    #[error("no complete answer from {0} within 5 seconds")]
    TimedOut(String),
    #[error("{place} answered with HTTP status {status}")]
    Status { place: String, status: u16 },
    #[error("{0} redirects, and redirects are not followed; set the issuer to its final address")]
    Redirect(String),
    #[error("{0} is longer than 256 kB")]
    TooLarge(String),
    #[error("{place}: {problem}")]
    Unreadable { place: String, problem: &'static str },
    #[error(
        "the discovery document names another issuer, {0:?}; the setting must be equal to it, slashes included"
    )]
    OtherIssuer(String),
    #[error("the discovery document has no jwks_uri with https")]
    UnsafeKeys,
}

impl FetchError {
    /// The result as a label of a metric.
    pub(super) const fn result(&self) -> &'static str {
        match self {
            Self::Unreachable { fault, .. } => fault,
            Self::TimedOut(_) => "timeout",
            Self::Status { .. } => "status",
            Self::Redirect(_) => "redirect",
            Self::TooLarge(_) => "too_large",
            Self::Unreadable { .. } => "unreadable",
            Self::OtherIssuer(_) => "other_issuer",
            Self::UnsafeKeys => "unsafe_keys",
        }
    }
}

/// What an issuer publishes.
pub(super) struct Published {
    pub(super) keys: KeySet,
    pub(super) endpoints: SignInEndpoints,
}

/// A client that follows no redirects. Calls to this machine use no proxy.
pub(super) fn client(is_loopback: bool) -> Result<reqwest::Client, NoClient> {
    // Only the first call in the process has an effect; every call installs the same provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(CONNECT_LIMIT)
        .user_agent(concat!("tunnelgate/", env!("CARGO_PKG_VERSION")));
    let builder = if is_loopback { builder.no_proxy() } else { builder };
    Ok(builder.build()?)
}

/// Fetches the discovery document, then the keys that it names.
pub(super) async fn published(client: &reqwest::Client, issuer: &IssuerUrl) -> Result<Published, FetchError> {
    let place = issuer.discovery();
    let Ok(url) = place.parse() else {
        return Err(FetchError::Unreadable { place, problem: "not a URL" });
    };
    let document = document(client, url).await?;
    let text = |member: &str| document.get(member).and_then(Value::as_str);
    if text("issuer") != Some(issuer.as_str()) {
        let found = text("issuer").unwrap_or_default().chars().take(MAX_SHOWN).collect();
        return Err(FetchError::OtherIssuer(found));
    }
    let keys = text("jwks_uri").and_then(|keys| issuer.endpoint(keys)).ok_or(FetchError::UnsafeKeys)?;
    let endpoint =
        |member: &str| text(member).filter(|url| issuer.endpoint(url).is_some()).map(str::to_owned);
    let endpoints = SignInEndpoints {
        authorization: endpoint("authorization_endpoint"),
        token: endpoint("token_endpoint"),
        end_session: endpoint("end_session_endpoint"),
        names_issuer: document.get("authorization_response_iss_parameter_supported")
            == Some(&Value::Bool(true)),
    };
    let place = keys.to_string();
    let keys = KeySet::parse(&self::document(client, keys).await?);
    let keys = keys.ok_or(FetchError::Unreadable { place, problem: "not a JWKS: it has no list of keys" })?;
    Ok(Published { keys, endpoints })
}

/// Fetches one JSON document.
async fn document(client: &reqwest::Client, url: Url) -> Result<Value, FetchError> {
    let place = url.to_string();
    let body = match timeout(LIMIT, body(client, url)).await {
        Ok(body) => body?,
        Err(_) => return Err(FetchError::TimedOut(place)),
    };
    serde_json::from_slice(&body)
        .map_err(|_| FetchError::Unreadable { place, problem: "the answer is not JSON" })
}

async fn body(client: &reqwest::Client, url: Url) -> Result<Vec<u8>, FetchError> {
    let place = url.to_string();
    let unreachable = |error: reqwest::Error| {
        // A connection that came about and broke later has no kind.
        let fault = if error.is_connect() { connection_fault(&error).as_str() } else { "no_answer" };
        FetchError::Unreachable { place: place.clone(), causes: chain(&error.without_url()), fault }
    };
    let mut response =
        client.get(url).header(ACCEPT, "application/json").send().await.map_err(unreachable)?;
    let status = response.status();
    if status.is_redirection() {
        return Err(FetchError::Redirect(place));
    }
    if !status.is_success() {
        return Err(FetchError::Status { place, status: status.as_u16() });
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(FetchError::TooLarge(place));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
