//! HTTP calls to the gateway. A call is repeated, with the same idempotency key, after answers that ask for it and after lost
//! connections, up to a time limit.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
};
use reqwest::{Method, Response};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout};
use tracing::warn;

use crate::causes::chain;
use crate::chance::Chance;

use super::base::Base;
use super::caller::Caller;
use super::problem::{CallError, Problem};

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
/// The path of the call that tells who the token belongs to.
const PRINCIPAL: [&str; 1] = ["principal"];

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
    /// The call has an idempotency key, which belongs to the caller: another caller's token does not send it.
    pub(super) is_callers: bool,
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
            is_callers: false,
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
        /// No repetition changes it.
        is_final: bool,
    },
}

/// The caller whose changes are sent, with the token that was found to be the caller's last.
struct Known {
    caller: Caller,
    token: Option<SecretString>,
}

/// A client of one gateway.
pub struct Client {
    http: reqwest::Client,
    base: Base,
    token: Token,
    /// How long a call is repeated.
    retry_for: Duration,
    chance: Arc<dyn Chance>,
    known: Mutex<Option<Known>>,
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
        Ok(Self { http: builder.build()?, base, token, retry_for, chance, known: Mutex::new(None) })
    }

    #[must_use]
    pub const fn base(&self) -> &Base {
        &self.base
    }

    /// Asks who the token belongs to. From then on this client sends changes with tokens of this caller only.
    ///
    /// # Errors
    /// If the gateway does not say so.
    pub async fn caller(&self) -> Result<Caller, CallError> {
        let answer = self.call(&Call::get(&PRINCIPAL), false).await?;
        let caller: Caller = read_caller(answer.body).map_err(CallError::NotSent)?;
        *self.known.lock().await = Some(Known { caller: caller.clone(), token: None });
        Ok(caller)
    }

    /// Makes a call. `is_repeated`: an earlier process may have made the same call.
    pub(super) async fn call(&self, call: &Call<'_>, is_repeated: bool) -> Result<Answer, CallError> {
        let begun = Instant::now();
        // A call may wait long before its first attempt fails.
        let mut first_failure = None;
        let mut is_in_doubt = is_repeated;
        let mut wait = FIRST_WAIT;
        loop {
            let token = (self.token)();
            let (last, asked, is_final) = match self.attempt(call, &token).await {
                Attempt::Success(answer) => return Ok(answer),
                Attempt::Refused(problem) => return Err(CallError::Refused(problem)),
                Attempt::NotNow { problem, retry_after } => {
                    if is_in_doubt {
                        (CallError::Doubt(problem.to_string()), retry_after, false)
                    } else {
                        let is_final = matches!(problem.status, 401 | 403) && !self.has_other_token(&token);
                        (CallError::Refused(problem), retry_after, is_final)
                    }
                }
                Attempt::Doubt { cause, retry_after } => {
                    is_in_doubt = true;
                    (CallError::Doubt(cause), retry_after, false)
                }
                Attempt::NotSent { cause, is_final } => {
                    let last = if is_in_doubt { CallError::Doubt(cause) } else { CallError::NotSent(cause) };
                    (last, None, is_final)
                }
            };
            // Up to a half more, so that many callers do not come back together.
            let jittered = wait.mul_f64(1.0 + self.chance.fraction() / 2.0);
            let pause = asked.map_or(jittered, |asked| asked.max(jittered));
            let failing = first_failure.get_or_insert_with(Instant::now).elapsed();
            let is_over = |elapsed: Duration, limit| elapsed.saturating_add(pause) > limit;
            if is_final || is_over(failing, self.retry_for) || is_over(begun.elapsed(), call.repeat_for) {
                return Err(last);
            }
            let call = call.path.join("/");
            warn!(call, error = %last, "trying again in {:.1} s", pause.as_secs_f64());
            sleep(pause).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// True if the token was replaced since it was read.
    fn has_other_token(&self, token: &Result<SecretString, String>) -> bool {
        matches!((token, (self.token)()), (Ok(old), Ok(new)) if old.expose_secret() != new.expose_secret())
    }

    async fn attempt(&self, call: &Call<'_>, token: &Result<SecretString, String>) -> Attempt {
        let token = match token {
            Ok(token) => token,
            Err(cause) => return Attempt::NotSent { cause: cause.clone(), is_final: false },
        };
        if call.is_callers
            && let Err(unsent) = self.check_caller(token).await
        {
            return unsent;
        }
        self.exchange(call, token).await
    }

    /// Asks the gateway, once for each token, whether it belongs to the caller whose changes are sent. If not, nothing may
    /// be sent: the gateway does not know the idempotency keys of one caller when another one repeats them.
    async fn check_caller(&self, token: &SecretString) -> Result<(), Attempt> {
        let mut known = self.known.lock().await;
        let Some(Known { caller, token: checked }) = &mut *known else { return Ok(()) };
        let is_checked =
            checked.as_ref().is_some_and(|checked| checked.expose_secret() == token.expose_secret());
        if is_checked {
            return Ok(());
        }
        let unsent = |cause, is_final| Err(Attempt::NotSent { cause, is_final });
        match self.exchange(&Call::get(&PRINCIPAL), token).await {
            Attempt::Success(answer) => match read_caller(answer.body) {
                Ok(other) if caller.is(&other) => {
                    *checked = Some(token.clone());
                    Ok(())
                }
                Ok(other) => unsent(format!("the token belongs to {other} now, not to {caller}"), true),
                Err(cause) => unsent(cause, false),
            },
            Attempt::Refused(problem) => Err(Attempt::NotNow { problem, retry_after: None }),
            Attempt::Doubt { cause, .. } => unsent(cause, false),
            other @ (Attempt::NotNow { .. } | Attempt::NotSent { .. }) => Err(other),
        }
    }

    /// Sends a request, and judges its answer.
    async fn exchange(&self, call: &Call<'_>, token: &SecretString) -> Attempt {
        let Ok(mut authorization) =
            HeaderValue::from_str(&Zeroizing::new(format!("Bearer {}", token.expose_secret())))
        else {
            let cause = "the token has characters that no header may have".into();
            return Attempt::NotSent { cause, is_final: false };
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
                    Attempt::NotSent { cause, is_final: false }
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

/// The caller in an answer of `GET /principal`.
fn read_caller(body: Value) -> Result<Caller, String> {
    serde_json::from_value(body).map_err(|error| format!("the answer is not one of a gateway: {error}"))
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
