//! HTTP calls to the gateway. A call is repeated, with the same idempotency key, after answers that ask for it and after lost
//! connections, up to a time limit.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
};
use reqwest::{Method, Response, Url};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};
use tracing::warn;

use crate::causes::chain;
use crate::chance::Chance;

/// Time limit of a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// Time limit of one attempt, without the wait that it asks for. A dry run may wait for the call budget.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(45);
/// First and longest wait between two attempts.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(15);
/// The largest answer, in bytes.
const MAX_ANSWER: usize = 16 * 1024 * 1024;
/// How much of an unexpected answer is shown, in characters.
const MAX_SHOWN: usize = 300;

/// The address is not one of a gateway.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUrl {
    #[error("must be a URL such as https://net.example.com/tunnelgate")]
    NoUrl,
    #[error("must contain no user, password, query or fragment")]
    Surplus,
    #[error(
        "plain http sends the token and pre-shared keys unencrypted: use https, a loopback address, or --allow-plain-http"
    )]
    PlainHttp,
}

/// The address of a gateway, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    url: Url,
    is_loopback: bool,
}

impl Base {
    /// Parses an address.
    ///
    /// # Errors
    /// If it is not a gateway's, or would send secrets unencrypted over a network without permission.
    pub fn parse(text: &str, allow_plain_http: bool) -> Result<Self, InvalidUrl> {
        let url: Url = text.trim().parse().map_err(|_| InvalidUrl::NoUrl)?;
        let host = url.host_str().ok_or(InvalidUrl::NoUrl)?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(InvalidUrl::NoUrl);
        }
        let has_user = !url.username().is_empty() || url.password().is_some();
        if has_user || url.query().is_some() || url.fragment().is_some() {
            return Err(InvalidUrl::Surplus);
        }
        let address: Option<IpAddr> = host.trim_matches(['[', ']']).parse().ok();
        let is_loopback = host == "localhost" || address.is_some_and(|address| address.is_loopback());
        if url.scheme() == "http" && !is_loopback && !allow_plain_http {
            return Err(InvalidUrl::PlainHttp);
        }
        Ok(Self { url, is_loopback })
    }

    /// The address without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.url.as_str().trim_end_matches('/')
    }

    fn join(&self, path: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }
}

/// Reads the token. A file is read for every call, so that a new token counts at once.
pub type Token = Arc<dyn Fn() -> Result<SecretString, String> + Send + Sync>;

/// One call.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    pub(super) path: &'a [&'a str],
    pub(super) query: &'a [(&'a str, &'a str)],
    pub(super) headers: HeaderMap,
    /// JSON; it may contain a pre-shared key.
    pub(super) body: Option<Bytes>,
    /// How long the gateway may wait before it answers.
    pub(super) wait: Duration,
    /// The call is not repeated later than this, whatever the client allows.
    pub(super) repeat_for: Duration,
}

impl<'a> Call<'a> {
    pub(super) fn get(path: &'a [&'a str]) -> Self {
        Self {
            method: Method::GET,
            path,
            query: &[],
            headers: HeaderMap::new(),
            body: None,
            wait: Duration::ZERO,
            repeat_for: Duration::MAX,
        }
    }

    pub(super) fn header(&mut self, name: HeaderName, value: &str) {
        // Keys, tags and waits are visible ASCII.
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
    }
}

/// A body of JSON that is wiped when dropped.
pub(super) fn body(json: Vec<u8>) -> Bytes {
    Bytes::from_owner(Zeroizing::new(json))
}

/// A successful answer.
pub(super) struct Answer {
    pub(super) etag: Option<String>,
    pub(super) body: Value,
}

/// A refusal, as the gateway describes it (RFC 9457).
#[derive(Debug, Clone, Deserialize)]
pub struct Problem {
    pub status: u16,
    pub code: String,
    #[serde(default)]
    pub detail: String,
    #[serde(default)]
    pub errors: Vec<ProblemError>,
    pub operation_id: Option<uuid::Uuid>,
    pub upstream: Option<Value>,
}

/// One fault of a request.
#[derive(Debug, Clone, Deserialize)]
pub struct ProblemError {
    #[serde(default)]
    pub pointer: String,
    #[serde(default)]
    pub detail: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}: {}", self.status, self.code, self.detail)?;
        for error in &self.errors {
            write!(f, "; {} {}", error.pointer, error.detail)?;
        }
        if let Some(message) = self.upstream.as_ref().and_then(|upstream| upstream["message"].as_str()) {
            write!(f, "; the cloud says: {message}")?;
        }
        Ok(())
    }
}

/// Why a call had no success.
#[derive(Debug, Clone)]
pub enum CallError {
    /// The gateway refused the call, and nothing was done.
    Refused(Box<Problem>),
    /// No answer that settles the call: it may have been carried out.
    Doubt(String),
}

impl std::fmt::Display for CallError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(problem) => problem.fmt(f),
            Self::Doubt(cause) => f.write_str(cause),
        }
    }
}

/// What one attempt came to.
enum Attempt {
    Success(Answer),
    /// Nothing was done, now or by an earlier attempt under the same key.
    Refused(Box<Problem>),
    /// This attempt did nothing; an earlier one may have.
    NotNow {
        problem: Box<Problem>,
        retry_after: Option<Duration>,
    },
    /// Nothing is known of it.
    Doubt {
        cause: String,
        retry_after: Option<Duration>,
    },
    /// Nothing was sent.
    NotSent {
        cause: String,
    },
}

/// A client of one gateway.
pub struct Client {
    http: reqwest::Client,
    base: Base,
    token: Token,
    /// How long a call is repeated.
    retry_for: Duration,
    chance: Arc<dyn Chance>,
}

impl Client {
    /// A client.
    ///
    /// # Errors
    /// If the certificates of this machine can't be read.
    pub fn new(
        base: Base,
        token: Token,
        retry_for: Duration,
        chance: Arc<dyn Chance>,
    ) -> Result<Self, reqwest::Error> {
        // Only the first call in the process has an effect; every call installs the same provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT_LIMIT)
            .user_agent(concat!("tunnelgate-rollout/", env!("CARGO_PKG_VERSION")));
        let builder = if base.is_loopback { builder.no_proxy() } else { builder };
        Ok(Self { http: builder.build()?, base, token, retry_for, chance })
    }

    #[must_use]
    pub const fn base(&self) -> &Base {
        &self.base
    }

    /// Makes a call. `is_repeated`: an earlier process may have made the same call.
    pub(super) async fn call(&self, call: &Call<'_>, is_repeated: bool) -> Result<Answer, CallError> {
        let begun = Instant::now();
        let limit = self.retry_for.min(call.repeat_for);
        let mut is_in_doubt = is_repeated;
        let mut wait = FIRST_WAIT;
        loop {
            let (last, asked) = match self.attempt(call).await {
                Attempt::Success(answer) => return Ok(answer),
                Attempt::Refused(problem) => return Err(CallError::Refused(problem)),
                Attempt::NotNow { problem, retry_after } => {
                    let last = if is_in_doubt {
                        CallError::Doubt(problem.to_string())
                    } else {
                        CallError::Refused(problem)
                    };
                    (last, retry_after)
                }
                Attempt::Doubt { cause, retry_after } => {
                    is_in_doubt = true;
                    (CallError::Doubt(cause), retry_after)
                }
                Attempt::NotSent { cause } => (CallError::Doubt(cause), None),
            };
            // Up to a half more, so that many callers do not come back together.
            let jittered = wait.mul_f64(1.0 + self.chance.fraction() / 2.0);
            let pause = asked.map_or(jittered, |asked| asked.max(jittered));
            if is_final(&last) || begun.elapsed().saturating_add(pause) > limit {
                return Err(last);
            }
            warn!(error = %last, "trying again in {:.1} s", pause.as_secs_f64());
            sleep(pause).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    async fn attempt(&self, call: &Call<'_>) -> Attempt {
        let token = match (self.token)() {
            Ok(token) => token,
            Err(cause) => return Attempt::NotSent { cause },
        };
        let Ok(mut authorization) =
            HeaderValue::from_str(&Zeroizing::new(format!("Bearer {}", token.expose_secret())))
        else {
            return Attempt::NotSent { cause: "the token has characters that no header may have".into() };
        };
        authorization.set_sensitive(true);
        let mut request = self
            .http
            .request(call.method.clone(), self.base.join(call.path, call.query))
            .headers(call.headers.clone())
            .header(AUTHORIZATION, authorization)
            .header(ACCEPT, "application/json");
        if let Some(body) = &call.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        let exchange = async {
            let response = request.send().await?;
            read(response).await
        };
        match timeout(ATTEMPT_LIMIT + call.wait, exchange).await {
            Ok(Ok(read)) => read.judge(),
            Ok(Err(error)) => {
                let is_unsent = error.is_connect();
                let cause = format!("no answer of {}: {}", self.base.as_str(), chain(&error.without_url()));
                if is_unsent {
                    Attempt::NotSent { cause }
                } else {
                    Attempt::Doubt { cause, retry_after: None }
                }
            }
            Err(_) => Attempt::Doubt {
                cause: format!("no answer of {} in time", self.base.as_str()),
                retry_after: None,
            },
        }
    }
}

/// A refusal that no repetition changes.
fn is_final(error: &CallError) -> bool {
    matches!(error, CallError::Refused(problem) if matches!(problem.status, 401 | 403))
}

/// An answer as it came.
struct Read {
    status: u16,
    etag: Option<String>,
    retry_after: Option<Duration>,
    body: Result<Value, String>,
}

async fn read(mut response: Response) -> Result<Read, reqwest::Error> {
    let text = |name: HeaderName| response.headers().get(name).and_then(|value| value.to_str().ok());
    let (etag, retry_after) =
        (text(ETAG).map(str::to_owned), text(RETRY_AFTER).and_then(|text| text.parse().ok()));
    let status = response.status().as_u16();
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if bytes.len() + chunk.len() > MAX_ANSWER {
            bytes.clear();
            break;
        }
        bytes.extend_from_slice(&chunk);
    }
    let body = serde_json::from_slice(&bytes)
        .map_err(|_| String::from_utf8_lossy(&bytes).chars().take(MAX_SHOWN).collect());
    Ok(Read { status, etag, retry_after: retry_after.map(Duration::from_secs), body })
}

impl Read {
    fn judge(self) -> Attempt {
        let Self { status, etag, retry_after, body } = self;
        let body = match body {
            Ok(body) if (200..300).contains(&status) => return Attempt::Success(Answer { etag, body }),
            Ok(body) => serde_json::from_value::<Problem>(body).map_err(|error| error.to_string()),
            Err(text) => Err(text),
        };
        match body {
            Ok(problem) => {
                let problem = Box::new(problem);
                match (status, problem.code.as_str()) {
                    // The gateway looks up the key before it gives any other of these answers.
                    (_, "idempotency_key_in_flight") => {
                        Attempt::Doubt { cause: problem.to_string(), retry_after }
                    }
                    (401 | 403 | 408 | 429 | 503, _) => Attempt::NotNow { problem, retry_after },
                    (502, _) | (400..500, _) => Attempt::Refused(problem),
                    _ => Attempt::Doubt { cause: problem.to_string(), retry_after },
                }
            }
            // Not the gateway's answer: a proxy's, or a cut one.
            Err(text) => {
                let cause = format!("HTTP status {status} without a readable answer: {text}");
                Attempt::Doubt { cause, retry_after }
            }
        }
    }
}
