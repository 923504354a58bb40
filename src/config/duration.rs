//! Durations in settings: `500ms`, `10s`, `30m`, `12h`, `90d`, `0`.

use std::time::Duration;

use super::limits;

const TOO_LONG: &str = "must be at most 36500d";

/// Parses a duration.
///
/// # Errors
/// The message for the operator if the text is not a duration, or is longer than 100 years.
pub fn parse(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let millis_a_unit: u64 = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err("must be a number and a unit, such as 500ms, 10s, 30m, 12h, 90d".into()),
    };
    let number: u64 =
        number.parse().map_err(|_| "must start with a whole number, such as 500ms, 10s, 30m, 12h, 90d")?;
    let millis = number.checked_mul(millis_a_unit).ok_or(TOO_LONG)?;
    // A longer duration is a typo, and adding it to a date could overflow.
    if millis > 100 * 365 * 86_400_000 {
        return Err(TOO_LONG.into());
    }
    Ok(Duration::from_millis(millis))
}

/// Parses a duration that is not zero.
///
/// # Errors
/// As [`parse`], and if the duration is zero.
pub fn greater_than_zero(text: &str) -> Result<Duration, String> {
    parse(text).and_then(limits::greater_than_zero)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read() {
        let cases = [
            ("500ms", 500),
            ("10s", 10_000),
            ("30m", 1_800_000),
            ("2h", 7_200_000),
            ("90d", 7_776_000_000),
            ("0", 0),
        ];
        for (text, millis) in cases {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in
            ["", "10", "s", "-1s", "1.5s", "10 s", "1w", "99999999999999999999s", "999999999d", "1s1s"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
