//! Dead peer detection (API 3.0).

use std::ops::RangeInclusive;

use super::overlay::overlay;
use super::wire_words::wire_words;

/// The shortest and longest timeout that a patch may ask for, in seconds. The cloud documents no limits (its default is
/// 30) and has the last word.
pub const TIMEOUT_SECONDS: RangeInclusive<u64> = 1..=86_400;

wire_words! {
    /// What the gateway does when the peer is dead (`DpdAction`).
    pub enum DpdAction {
        /// Ends the tunnel's session.
        Clear = "clear" (v3 "clear"),
        /// Negotiates again.
        Restart = "restart" (v3 "restart"),
    }
}

/// Dead peer detection, in our words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DpdSettings {
    pub enabled: Option<bool>,
    /// Seconds, in digits.
    pub timeout_seconds: Option<String>,
    pub action: Option<String>,
}

impl DpdSettings {
    /// These settings with those of `over` in their place.
    #[must_use]
    pub fn overlaid(mut self, over: &Self) -> Self {
        overlay!(self, over: enabled, timeout_seconds, action);
        self
    }
}
