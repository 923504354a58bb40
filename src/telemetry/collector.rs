//! The HTTP client of the collector.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use http::{Request, Response};
use opentelemetry_http::{Bytes, HttpClient, HttpError, ResponseBodyTooLarge};
use tokio::runtime::Handle;

use crate::causes::{chain, connection_fault};
use crate::config::otel::Tracing;
use crate::domain::connection_fault::ConnectionFault;

/// A collector answers with a few bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// No HTTP client could be set up.
#[derive(Debug, thiserror::Error)]
#[error("can't set up the HTTP client for the collector of traces")]
pub struct NoCollector(#[from] reqwest::Error);

/// Sends exports on the service's runtime: the exporter's own thread has none.
#[derive(Debug, Clone)]
pub(super) struct Collector {
    client: reqwest::Client,
    runtime: Handle,
    /// Why the last export got no answer.
    cause: Arc<Mutex<Option<(ConnectionFault, String)>>>,
}

impl Collector {
    pub(super) fn new(settings: &Tracing, runtime: Handle) -> Result<Self, NoCollector> {
        // Only the first call in the process has an effect; every call installs the same provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .timeout(settings.timeout)
            .user_agent(concat!("tunnelgate/", env!("CARGO_PKG_VERSION")));
        if settings.is_loopback {
            // Calls between two processes of one machine use no proxy.
            builder = builder.no_proxy();
        }
        Ok(Self { client: builder.build()?, runtime, cause: Arc::default() })
    }

    /// Why the last export got no answer.
    pub(super) fn cause(&self) -> Option<(ConnectionFault, String)> {
        self.cause.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn forget_cause(&self) {
        *self.cause.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let sent = self.runtime.spawn(async move { send(&client, request).await }).await?;
        if let Err(error) = &sent {
            let cause = (connection_fault(&**error), chain(&**error));
            *self.cause.lock().unwrap_or_else(PoisonError::into_inner) = Some(cause);
        }
        sent
    }
}

async fn send(client: &reqwest::Client, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let mut answer = client.execute(request.try_into()?).await.map_err(reqwest::Error::without_url)?;
    let (status, headers) = (answer.status(), std::mem::take(answer.headers_mut()));
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(reqwest::Error::without_url)? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(ResponseBodyTooLarge::new().into());
        }
        body.extend_from_slice(&chunk);
    }
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}
