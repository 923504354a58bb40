//! Durations as people write them: `500ms`, `10s`, `30m`, `12h`, `90d`.

use std::time::Duration;

/// Reads a duration.
///
/// # Errors
/// With what is wrong, for people.
pub fn parse(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let millis_a_unit: u64 = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err("must be a number and a unit: 500ms, 10s, 30m, 12h, 90d".into()),
    };
    let number: u64 = number.parse().map_err(|_| "must begin with a number: 500ms, 10s, 30m, 12h, 90d")?;
    let millis = number.checked_mul(millis_a_unit).ok_or("is too long")?;
    // A hundred years: what is longer is a slip, and could overflow a date.
    if millis > 100 * 365 * 86_400_000 {
        return Err("is too long".into());
    }
    Ok(Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read() {
        let cases =
            [("500ms", 500), ("10s", 10_000), ("30m", 1_800_000), ("2h", 7_200_000), ("90d", 7_776_000_000)];
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
