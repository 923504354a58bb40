//! Days in UTC.

use std::fmt;

use serde::{Serialize, Serializer};

use super::timestamp::Timestamp;

/// The length of `2026-03-01`.
const LENGTH: usize = 10;

/// A day in UTC, written `2026-03-01`. Days compare in the order of time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(String);

impl Day {
    /// The day of a moment.
    #[must_use]
    pub fn of(moment: Timestamp) -> Self {
        let mut text = moment.to_string();
        text.truncate(LENGTH);
        Self(text)
    }

    /// Reads the form that [`Self::as_str`] returns.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let midnight = Timestamp::parse(&format!("{text}T00:00:00Z"))?;
        (text.len() == LENGTH).then(|| Self::of(midnight))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_one_form() {
        let moment = Timestamp::parse("2026-03-01T23:59:59.999999Z").expect("a moment");
        assert_eq!(Day::of(moment).as_str(), "2026-03-01");
        assert_eq!(Day::parse("2026-03-01"), Some(Day::of(moment)));
        assert!(Day::parse("2026-03-02") > Day::parse("2026-03-01"));
        for other in ["", "2026-3-1", "2026-02-30", "2026-03-01 "] {
            assert_eq!(Day::parse(other), None, "{other}");
        }
    }
}
