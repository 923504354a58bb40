//! Whole numbers in settings.

use std::ops::RangeInclusive;

/// A parser of whole numbers of a range.
pub fn within<T: TryFrom<u64>>(
    range: RangeInclusive<u64>,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static {
    move |text| {
        let number: Option<u64> = text.parse().ok().filter(|number| range.contains(number));
        number
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| format!("must be a whole number from {} to {}", range.start(), range.end()))
    }
}

/// The largest `u32`.
pub const MAX_U32: u64 = u32::MAX as u64;

/// The largest number of an event.
pub const MAX_SEQ: u64 = i64::MAX as u64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_outside_of_its_range_is_refused_with_the_range() {
        let number = within::<u16>(1..=65_535);
        assert_eq!((number("1"), number("65535")), (Ok(1), Ok(65_535)));
        for text in ["", "0", "65536", "-1", "1.5", "x", " 1", "99999999999999999999"] {
            assert_eq!(number(text), Err("must be a whole number from 1 to 65535".into()), "{text}");
        }
    }
}
