//! The health check of a tunnel (API 3.0).

use std::ops::RangeInclusive;

use super::overlay::overlay;

/// The shortest and longest interval between probes, in milliseconds.
pub const INTERVAL_MS: RangeInclusive<u64> = 1000..=5000;
/// The shortest and longest time that a probe may take, in milliseconds.
pub const TIMEOUT_MS: RangeInclusive<u64> = 10..=5000;
/// The smallest and largest number of failed probes after which routes switch.
pub const FAILURE_THRESHOLD: RangeInclusive<u64> = 3..=8;

/// The health check, in our words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HealthCheckSettings {
    pub enabled: Option<bool>,
    pub local_ip: Option<String>,
    pub remote_ip: Option<String>,
    /// Milliseconds, in digits.
    pub interval_ms: Option<String>,
    /// Milliseconds, in digits.
    pub timeout_ms: Option<String>,
    /// A number, in digits.
    pub failure_threshold: Option<String>,
}

impl HealthCheckSettings {
    /// These settings with those of `over` in their place.
    #[must_use]
    pub fn overlaid(mut self, over: &Self) -> Self {
        overlay!(self, over: enabled, local_ip, remote_ip, interval_ms, timeout_ms, failure_threshold);
        self
    }

    /// The settings that API 3.0 keeps in one record (`HealthCheckConfig`), with their names.
    #[must_use]
    pub fn record(&self) -> [(&'static str, &Option<String>); 3] {
        [
            ("interval_ms", &self.interval_ms),
            ("timeout_ms", &self.timeout_ms),
            ("failure_threshold", &self.failure_threshold),
        ]
    }
}
