//! The lengths of the intervals that counts of events are grouped by.

use std::time::Duration;

use super::words::words;

words! {
    /// The length of an interval. Intervals begin at whole multiples of their length since 1970-01-01T00:00:00Z.
    pub enum Bucket {
        Minute = "1m",
        FiveMinutes = "5m",
        QuarterHour = "15m",
        Hour = "1h",
        SixHours = "6h",
        Day = "1d",
    }
}

impl Bucket {
    /// The length, a whole number of seconds.
    #[must_use]
    pub const fn length(self) -> Duration {
        let minutes = match self {
            Self::Minute => 1,
            Self::FiveMinutes => 5,
            Self::QuarterHour => 15,
            Self::Hour => 60,
            Self::SixHours => 360,
            Self::Day => 1440,
        };
        Duration::from_secs(minutes * 60)
    }
}
