//! The client of an account, by the version of the API.

use std::sync::Arc;

use crate::domain::api::Api;
use crate::service::cloud::Cloud;

use super::exchange::NoClient;
use super::line::Line;
use super::settings::Settings;
use super::{v2, v3};

/// Sets a client up for the account's version of the API; nothing is sent yet.
///
/// # Errors
/// If the machine's TLS set-up is unusable.
pub fn connect(settings: Settings, line: &Line) -> Result<Arc<dyn Cloud>, NoClient> {
    match settings.api {
        Api::V2 => v2::connect(settings, line),
        Api::V3 => v3::connect(settings, line),
    }
}
