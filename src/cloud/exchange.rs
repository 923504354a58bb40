//! One HTTP exchange and what its end proves. Only a failed connection attempt proves that nothing was sent.

use std::time::Duration;

use bytes::Bytes;
use reqwest::Url;
use reqwest::header::HeaderMap;
use secrecy::zeroize::Zeroizing;
use tokio::time::{Instant, timeout_at};

use crate::causes::{chain, connection_fault};
use crate::domain::connection_fault::ConnectionFault;
use crate::failpoint;

use super::hidden::Hidden;

/// Size limit of an answer; a page of 50 tunnels has about 100 KB.
const MAX_ANSWER: usize = 4 * 1024 * 1024;
const TOO_LARGE: &str = "the answer is larger than 4 MiB";
/// Longest idle time of a reused connection. The cloud may be closing an older one, and a change that is sent into a closing
/// connection has an unknown outcome.
const IDLE: Duration = Duration::from_secs(10);

/// A signed call.
pub(super) struct Signed {
    pub headers: HeaderMap,
    pub body: Hidden,
}

/// Why an exchange got no answer of the cloud.
pub(super) struct Cause {
    /// `None` if an answer arrived, but not one of the cloud's.
    pub fault: Option<ConnectionFault>,
    /// The error with its causes, for the log.
    pub error: String,
}

impl Cause {
    /// Without the URL: the log line names the account.
    fn of(error: reqwest::Error) -> Self {
        let error = error.without_url();
        Self { fault: Some(connection_fault(&error)), error: chain(&error) }
    }
}

/// How an exchange ended.
pub(super) enum Exchange {
    /// Nothing was sent.
    Unreachable(Cause),
    /// The call was (or may have been) sent; the answer was incomplete.
    Lost(Cause),
    /// The call was (or may have been) sent; the time limit passed.
    TimedOut,
    /// A complete answer.
    Answered { status: u16, body: Zeroizing<Vec<u8>> },
}

/// Why no HTTP client could be created.
#[derive(Debug, thiserror::Error)]
pub enum NoClient {
    #[error("no HTTP client could be set up")]
    Client(#[from] reqwest::Error),
    #[error("the cloud's address can't be read")]
    Address,
}

/// Parses the address.
pub(super) fn address(url: &str) -> Result<Url, NoClient> {
    Url::parse(url).map_err(|_| NoClient::Address)
}

/// A client that sends nothing twice: no redirects, no retries of its own, HTTP/1.1 only.
pub(super) fn http_client(connect_timeout: Duration, loopback: bool) -> Result<reqwest::Client, NoClient> {
    // Only the first call in the process has an effect; every call installs the same provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .http1_only()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(connect_timeout)
        .pool_idle_timeout(IDLE)
        .tcp_nodelay(true)
        .user_agent(concat!("tunnelgate/", env!("CARGO_PKG_VERSION")));
    if loopback {
        // Calls between two processes of one machine use no proxy.
        builder = builder.no_proxy();
    }
    Ok(builder.build()?)
}

/// Posts a signed call and reads the answer, until the deadline.
pub(super) async fn post(client: &reqwest::Client, url: &Url, signed: Signed, deadline: Instant) -> Exchange {
    // The body is not copied: the only buffer with the secrets is wiped when it is dropped.
    let body = Bytes::from_owner(signed.body.into_bytes());
    let request = client.post(url.clone()).headers(signed.headers).body(body);
    let exchange = async {
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) if error.is_connect() => return Exchange::Unreachable(Cause::of(error)),
            Err(error) if error.is_timeout() => return Exchange::TimedOut,
            Err(error) => return Exchange::Lost(Cause::of(error)),
        };
        failpoint::at!("exchange.answer-unread");
        let status = response.status().as_u16();
        let mut body = Zeroizing::new(Vec::new());
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() <= MAX_ANSWER => body.extend_from_slice(&chunk),
                Ok(None) => return Exchange::Answered { status, body },
                Ok(Some(_)) => return Exchange::Lost(Cause { fault: None, error: TOO_LARGE.into() }),
                Err(error) => return Exchange::Lost(Cause::of(error)),
            }
        }
    };
    timeout_at(deadline, exchange).await.unwrap_or(Exchange::TimedOut)
}
