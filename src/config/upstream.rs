//! The version of the cloud's API, as settings name it, and what a setting of one version may not be in the other.

use clap::ValueEnum;

use crate::domain::api::Api;

use super::text;

/// The version of the cloud's API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Upstream {
    /// API 2.0
    V2,
    /// API 3.0
    V3,
}

impl Upstream {
    /// The version.
    #[must_use]
    pub const fn api(self) -> Api {
        match self {
            Self::V2 => Api::V2,
            Self::V3 => Api::V3,
        }
    }
}

/// Parses a version.
///
/// # Errors
/// If the text names no version.
pub fn parse(text: &str) -> Result<Api, String> {
    let version = Upstream::from_str(text, false).map_err(|_| "must be one of v2, v3".to_owned())?;
    Ok(version.api())
}

/// Checks the name of a region: API 3.0 takes long names only, API 2.0 also `gz`.
///
/// # Errors
/// If the API does not have regions of this form.
pub fn region(api: Api, text: &str) -> Result<String, String> {
    text::region(text)?;
    let is_part =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let is_long = text.contains('-') && text.split('-').all(is_part);
    if api == Api::V2 || is_long {
        return Ok(text.to_owned());
    }
    Err("must be the long name of a region with API 3.0, for example ap-guangzhou".to_owned())
}
