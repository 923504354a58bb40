//! The client of API 2.0.

use std::sync::Arc;
use std::time::Duration;

use crate::chance::Chance;
use crate::clock::Clock;
use crate::cloud::call::{Caller, Line};
use crate::cloud::client::Client;
use crate::cloud::credentials::Credentials;
use crate::cloud::exchange::NoClient;
use crate::metrics::Metrics;
use crate::service::cloud::Cloud;

use super::api::ApiV2;
use super::sign::SignatureMethod;
use super::wire::ParamStyle;

/// Settings of the client.
#[derive(Clone)]
pub struct Settings {
    /// The URL that calls are sent to.
    pub url: String,
    /// The host that is signed.
    pub signed_host: String,
    /// The path that is signed.
    pub path: String,
    /// The URL's host is this machine.
    pub is_loopback: bool,
    pub credentials: Credentials,
    pub region: String,
    pub signature_method: SignatureMethod,
    pub param_style: ParamStyle,
    /// The time limit of one call with its retries. Waiting for a slot has a limit of its own, as long as this one.
    pub timeout: Duration,
    /// Calls a second; 0 = no limit.
    pub calls_per_second: u32,
}

/// A client of API 2.0; nothing is sent yet.
///
/// # Errors
/// If the machine's TLS set-up is unusable.
pub fn connect(
    settings: Settings,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
    metrics: &Metrics,
) -> Result<Arc<dyn Cloud>, NoClient> {
    let line = Line {
        url: &settings.url,
        is_loopback: settings.is_loopback,
        timeout: settings.timeout,
        calls_per_second: settings.calls_per_second,
    };
    let api = ApiV2 {
        credentials: settings.credentials,
        region: settings.region,
        signature_method: settings.signature_method,
        param_style: settings.param_style,
        signed_host: settings.signed_host,
        path: settings.path,
    };
    Ok(Arc::new(Client::of(Caller::new(api, line, clock, chance, metrics)?)))
}
