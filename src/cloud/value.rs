//! Values of the cloud's answers: the documents and their examples differ in how they write the same value.

use serde_json::Value;

use super::mask::tidy;

/// A text or a number, as text in a form that can be stored; `None` for other values.
pub(super) fn text(value: &Value) -> Option<String> {
    uncut(value).map(|text| tidy(&text))
}

/// A text or a number as it was received, as text. It may contain a secret.
pub(super) fn uncut(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        // Written with a fraction or without one, it is the same number.
        Value::Number(number) => Some(match number.as_f64() {
            Some(whole) if number.is_f64() && whole.fract() == 0.0 && whole.abs() < MAX_EXACT => {
                format!("{whole:.0}")
            }
            _ => number.to_string(),
        }),
        _ => None,
    }
}

/// From here on a number with a fraction does not have every whole value.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// The digits of a whole number that is written with a fraction; any other text as it is.
pub(super) fn whole(text: String) -> String {
    match text.split_once('.') {
        Some((digits, fraction))
            if [digits, fraction].iter().all(|part| part.bytes().all(|b| b.is_ascii_digit()))
                && !digits.is_empty()
                && fraction.bytes().all(|b| b == b'0') =>
        {
            digits.to_owned()
        }
        _ => text,
    }
}

/// A record, or the only item of a list: the documents say list where the examples show a record.
pub(super) fn record(value: &Value) -> &Value {
    match value {
        Value::Array(items) => match items.as_slice() {
            [only] => only,
            _ => &Value::Null,
        },
        value => value,
    }
}

/// The ranges of a list; `None` if one of them can't be read: the rest would pass for the whole.
pub(super) fn ranges(items: &[Value]) -> Option<Vec<String>> {
    items.iter().map(range).collect()
}

/// A range: a text that is not empty.
pub(super) fn range(value: &Value) -> Option<String> {
    value.as_str().filter(|range| !range.is_empty()).map(tidy)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_whole_number_has_no_fraction() {
        for (number, expected) in [
            (json!(86400), "86400"),
            (json!(86400.0), "86400"),
            (json!(-3047.0), "-3047"),
            (json!(0.5), "0.5"),
            (json!(9_007_199_254_740_993_u64), "9007199254740993"),
            (json!(1e300), "1e+300"),
        ] {
            assert_eq!(text(&number).as_deref(), Some(expected));
        }
        for (written, expected) in [
            ("86400.0", "86400"),
            ("86400.00", "86400"),
            ("86400.5", "86400.5"),
            ("10.0.0.0", "10.0.0.0"),
            (".0", ".0"),
            ("a.0", "a.0"),
        ] {
            assert_eq!(whole(written.into()), expected);
        }
    }

    #[test]
    fn only_the_only_item_of_a_list_is_its_record() {
        let one = json!({"a": 1});
        assert_eq!(record(&one), &one);
        assert_eq!(record(&json!([{"a": 1}])), &one);
        for list in [json!([]), json!([{"a": 1}, {"a": 1}])] {
            assert_eq!(record(&list), &Value::Null);
        }
    }
}
