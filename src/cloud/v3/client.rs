//! The client of API 3.0.

use std::sync::Arc;

use crate::cloud::call::Caller;
use crate::cloud::client::Client;
use crate::cloud::exchange::NoClient;
use crate::cloud::line::Line;
use crate::cloud::settings::Settings;
use crate::service::cloud::Cloud;

use super::api::ApiV3;

/// A client of API 3.0; nothing is sent yet.
///
/// # Errors
/// If the machine's TLS set-up is unusable.
pub(in crate::cloud) fn connect(settings: Settings, line: &Line) -> Result<Arc<dyn Cloud>, NoClient> {
    let endpoint = settings.endpoints.v3;
    let api = ApiV3 {
        credentials: settings.credentials,
        region: settings.region,
        signed_host: endpoint.signed_host.clone(),
    };
    let caller = Caller::new(api, &endpoint, settings.timeout, line)?;
    Ok(Arc::new(Client::of(&settings.account, caller)))
}
