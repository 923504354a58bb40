//! Sends a message, one POST, and says what became of it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use tokio::time::timeout;

use crate::causes::{chain, connection_fault};
use crate::domain::timestamp::Timestamp;
use crate::service::webhooks::{Filter, LIMIT, Message, Receiver, Undelivered};

use super::resolve::Resolver;
use super::settings::Settings;
use super::sign::signatures;

/// Time limit of a connection attempt.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// Longest idle time of a reused connection. Many servers close theirs after 5 seconds.
const IDLE: Duration = Duration::from_secs(4);
/// How much of a response's body is read, so that the connection can be reused.
const MAX_BODY: usize = 16 * 1024;
/// How long the read of the body may take.
const BODY_LIMIT: Duration = Duration::from_secs(1);

/// Why no HTTP client could be created.
#[derive(Debug, thiserror::Error)]
#[error("no HTTP client for the webhooks could be set up")]
pub struct NoClient(#[from] reqwest::Error);

/// A receiver that is spoken to over HTTP.
#[derive(Debug)]
pub struct HttpReceiver {
    settings: Settings,
    client: reqwest::Client,
}

impl HttpReceiver {
    /// A receiver with a client of its own, which follows no redirects. Messages to this machine use no proxy.
    ///
    /// # Errors
    /// If no HTTP client can be set up.
    pub fn new(settings: Settings) -> Result<Self, NoClient> {
        // Only the first call in the process has an effect; every call installs the same provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = reqwest::Client::builder()
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .dns_resolver(Arc::new(Resolver))
            .connect_timeout(CONNECT_LIMIT)
            .pool_idle_timeout(IDLE)
            .tcp_nodelay(true)
            .user_agent(concat!("tunnelgate/", env!("CARGO_PKG_VERSION")));
        let builder = if settings.url.is_loopback() { builder.no_proxy() } else { builder };
        Ok(Self { client: builder.build()?, settings })
    }

    async fn send(&self, message: &Message, now: Timestamp) -> Result<(), Undelivered> {
        let (id, timestamp) = (message.id.to_string(), now.as_seconds());
        let signatures = signatures(&self.settings.keys, &id, timestamp, &message.body);
        let request = self
            .client
            .post(self.settings.url.url().clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signatures)
            .body(message.body.clone());
        let Ok(answer) = timeout(LIMIT, request.send()).await else {
            let problem = format!("no answer within {} seconds", LIMIT.as_secs());
            return Err(Undelivered { outcome: "timeout", problem, retry_after: None });
        };
        let response = answer.map_err(no_answer)?;
        let status = response.status();
        let retry_after = retry_after(&response, now);
        // The answer is known: how long its body takes does not change it.
        drain(response).await;
        if status.is_success() {
            return Ok(());
        }
        let problem = format!("HTTP status {}", status.as_u16());
        Err(match status.is_redirection() {
            true => {
                let problem = format!("{problem}; redirects are not followed, set the url to its target");
                Undelivered { outcome: "redirect", problem, retry_after }
            }
            false => Undelivered { outcome: "status", problem, retry_after },
        })
    }
}

/// Without the URL, which may contain a token.
fn no_answer(error: reqwest::Error) -> Undelivered {
    // A connection that came about and broke later has no kind.
    let outcome = if error.is_connect() { connection_fault(&error).as_str() } else { "no_answer" };
    Undelivered { outcome, problem: chain(&error.without_url()), retry_after: None }
}

/// How long a busy receiver asks to be left alone: in seconds, or until a date.
fn retry_after(response: &reqwest::Response, now: Timestamp) -> Option<Duration> {
    if !matches!(response.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        return None;
    }
    let asked = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    match asked.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => {
            let until = httpdate::parse_http_date(asked).ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
            let now = u64::try_from(now.as_seconds()).ok()?;
            Some(until.saturating_sub(Duration::from_secs(now)))
        }
    }
}

/// Reads a small body. A larger or slower one costs the connection.
async fn drain(mut response: reqwest::Response) {
    let read = async {
        let mut length = 0;
        while let Ok(Some(chunk)) = response.chunk().await {
            length += chunk.len();
            if length > MAX_BODY {
                return;
            }
        }
    };
    let _ = timeout(BODY_LIMIT, read).await;
}

#[async_trait]
impl Receiver for HttpReceiver {
    fn name(&self) -> &str {
        &self.settings.name
    }

    fn filter(&self) -> &Filter {
        &self.settings.filter
    }

    async fn deliver(&self, message: &Message, now: Timestamp) -> Result<(), Undelivered> {
        self.send(message, now).await
    }
}
