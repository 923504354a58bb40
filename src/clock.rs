//! Time as an argument: everything that needs "now" is handed a clock, so that a test can hold it still.

use crate::domain::timestamp::Timestamp;

/// Where the time of day comes from.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The present moment, UTC, to the microsecond.
    fn now(&self) -> Timestamp;
}

/// The machine's own clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    fn now(&self) -> Timestamp {
        let since_epoch =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
    }
}
