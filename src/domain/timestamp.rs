//! Moments in UTC, in microseconds, which both databases store without rounding.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

/// RFC 3339 in UTC with exactly six decimals, the form that the audit log hashes.
const SIX_DECIMALS: &[BorrowedFormatItem<'static>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");

/// A moment, in microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The moment this many microseconds after the Unix epoch.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the Unix epoch.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, the parameter `Timestamp` of the cloud's API.
    #[must_use]
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// The moment `duration` later; the last representable moment instead of an overflow.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// The moment `duration` earlier; the first representable moment instead of an overflow.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)))
    }

    /// The time from `earlier` to this moment; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or_default())
    }

    /// Parses RFC 3339 with any offset. Drops digits below the microsecond.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        OffsetDateTime::parse(text, &Rfc3339).ok().and_then(Self::from_offset)
    }

    /// Appends the text of [`Display`](fmt::Display), at a fraction of its cost.
    pub fn write_to(self, out: &mut Vec<u8>) {
        let (days, in_day) = (self.0.div_euclid(DAY), self.0.rem_euclid(DAY));
        let (year, month, day) = date(days);
        if !(0..=9999).contains(&year) {
            out.extend_from_slice(self.to_string().as_bytes());
            return;
        }
        let seconds = in_day / 1_000_000;
        let parts = [
            (year, 4, b'-'),
            (month, 2, b'-'),
            (day, 2, b'T'),
            (seconds / 3600, 2, b':'),
            (seconds / 60 % 60, 2, b':'),
            (seconds % 60, 2, b'.'),
            (in_day % 1_000_000, 6, b'Z'),
        ];
        for (number, width, after) in parts {
            let mut scale = 10_i64.pow(width - 1);
            while scale > 0 {
                // A digit.
                out.push(b'0' + u8::try_from(number / scale % 10).unwrap_or_default());
                scale /= 10;
            }
            out.push(after);
        }
    }

    /// Converts the `time` crate's type; `None` if microseconds in 64 bits cannot hold the moment.
    #[must_use]
    pub fn from_offset(moment: OffsetDateTime) -> Option<Self> {
        i64::try_from(moment.unix_timestamp_nanos().div_euclid(1000)).ok().map(Self)
    }

    /// Converts to the `time` crate's type, which the database drivers use.
    #[must_use]
    pub fn to_offset(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1000)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// Year, month and day of a number of days since 1970-01-01, in the Gregorian calendar. An era has 400 years and begins on
/// a 1 March, so that the leap day is the last of its year.
const fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, in_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (in_era - in_era / 1460 + in_era / 36_524 - in_era / 146_096) / 365;
    let in_year = in_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * in_year + 2) / 153;
    let day = in_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year_of_era + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_offset().format(SIX_DECIMALS) {
            Ok(text) => f.write_str(&text),
            Err(_) => Err(fmt::Error),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("is not an RFC 3339 time"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_six_decimals_and_reads_them_back() {
        let moment = Timestamp::from_micros(1_465_185_829_000_042);
        assert_eq!(moment.to_string(), "2016-06-06T04:03:49.000042Z");
        assert_eq!(Timestamp::parse(&moment.to_string()), Some(moment));
    }

    #[test]
    fn writes_the_same_text_fast() {
        // Steps of 11 days and a few microseconds, over 3,000 years and their leap days.
        for step in -50_000..50_000_i64 {
            let moment = Timestamp::from_micros(step * 950_400_123_457);
            let mut written = Vec::new();
            moment.write_to(&mut written);
            assert_eq!(String::from_utf8(written), Ok(moment.to_string()));
        }
    }

    #[test]
    fn reads_other_offsets_and_cuts_nanoseconds() {
        let moment = Timestamp::parse("2016-06-06T12:03:49.0000429+08:00");
        assert_eq!(moment, Some(Timestamp::from_micros(1_465_185_829_000_042)));
        assert_eq!(Timestamp::parse("yesterday"), None);
    }
}
