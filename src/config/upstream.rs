//! The version of the cloud's API, as settings name it.

use clap::ValueEnum;

use crate::cloud::ApiVersion;

/// The version of the cloud's API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Upstream {
    V2,
    V3,
}

impl Upstream {
    /// The version, if this program speaks it.
    ///
    /// # Errors
    /// For API 3.0.
    pub fn api(self) -> Result<ApiVersion, &'static str> {
        match self {
            Self::V2 => Ok(ApiVersion::V2),
            Self::V3 => Err("this version does not support API 3.0; use v2"),
        }
    }
}

/// Parses a version.
///
/// # Errors
/// If the text names no version that this program speaks.
pub fn parse(text: &str) -> Result<ApiVersion, String> {
    match text {
        "v2" => Upstream::V2.api().map_err(str::to_owned),
        "v3" => Upstream::V3.api().map_err(str::to_owned),
        _ => Err("must be one of v2, v3".to_owned()),
    }
}
