//! Limits of settings.

use std::time::Duration;

/// Longest time limit of one call to the cloud: a request leases its operation for twice this time.
const LONGEST_UPSTREAM_TIMEOUT: Duration = Duration::from_secs(60);

/// Shortest and longest interval of drift checks.
const DRIFT_INTERVALS: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(7 * 24 * 60 * 60);

/// Checks the interval of drift checks.
///
/// # Errors
/// If it is too short or too long.
pub fn drift_interval(interval: Duration) -> Result<Duration, String> {
    if DRIFT_INTERVALS.contains(&interval) { Ok(interval) } else { Err("must be 1s to 7d".to_owned()) }
}

/// Checks that a duration is not zero.
///
/// # Errors
/// If it is.
pub fn greater_than_zero(duration: Duration) -> Result<Duration, String> {
    if duration.is_zero() { Err("must be greater than zero".to_owned()) } else { Ok(duration) }
}

/// Checks the time limit of one call to the cloud.
///
/// # Errors
/// If it is zero or too long.
pub fn upstream_timeout(timeout: Duration) -> Result<Duration, String> {
    if timeout > LONGEST_UPSTREAM_TIMEOUT {
        return Err("must be at most 60s".to_owned());
    }
    greater_than_zero(timeout)
}
