//! Content negotiation by `Accept` (RFC 9110, section 12.5.1).

use std::cmp::Reverse;

use actix_web::HttpRequest;
use actix_web::http::header;

/// One range of the header, such as `text/*;q=0.8`.
struct Range<'a> {
    kind: &'a str,
    /// In thousandths; 0 excludes.
    weight: u16,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| {
            let (name, value) = part.split_once('=')?;
            name.trim().eq_ignore_ascii_case("q").then(|| value.trim())
        });
        Self { kind, weight: weight.and_then(thousandths).unwrap_or(1000) }
    }

    /// How specifically the range matches a media type; `None` if it does not match.
    fn closeness(&self, media_type: &str) -> Option<u8> {
        let family = media_type.split('/').next().unwrap_or_default();
        let of_family = self.kind.strip_suffix("/*");
        if self.kind.eq_ignore_ascii_case(media_type) {
            Some(2)
        } else if of_family.is_some_and(|named| named.eq_ignore_ascii_case(family)) {
            Some(1)
        } else {
            (self.kind == "*/*").then_some(0)
        }
    }
}

/// A weight in thousandths; `None` if the text is not a weight, which counts as no weight.
fn thousandths(text: &str) -> Option<u16> {
    let weight: f32 = text.parse().ok()?;
    // The value is from 0 to 1000.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the value is in range")]
    (0.0..=1.0).contains(&weight).then(|| (weight * 1000.0).round() as u16)
}

/// The form that the caller prefers: the highest weight wins, then the first in the header. `usual` if the header is missing
/// or matches no form.
pub fn preferred<T: Copy>(request: &HttpRequest, forms: &[(&str, T)], usual: T) -> T {
    let values = request.headers().get_all(header::ACCEPT).filter_map(|value| value.to_str().ok());
    let ranges: Vec<Range> =
        values.flat_map(|value| value.split(',')).map(|text| Range::parse(text.trim())).collect();
    let wanted = forms.iter().enumerate().filter_map(|(place, (media_type, form))| {
        let named = ranges.iter().enumerate();
        let named = named.filter_map(|(at, range)| Some((range.closeness(media_type)?, at, range.weight)));
        // The most specific range decides.
        let (_, at, weight) = named.max_by_key(|(closeness, at, _)| (*closeness, Reverse(*at)))?;
        (weight > 0).then_some(((Reverse(weight), at, place), *form))
    });
    wanted.min_by_key(|(rank, _)| *rank).map_or(usual, |(_, form)| form)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn of(accept: &str) -> &'static str {
        let request = TestRequest::default().insert_header(("accept", accept)).to_http_request();
        preferred(
            &request,
            &[("application/json", "json"), ("text/csv", "csv"), ("text/html", "html")],
            "json",
        )
    }

    #[test]
    fn the_highest_weight_wins_and_zero_excludes() {
        assert_eq!(of("text/csv;q=0.5, text/html;q=0.8, application/json;q=0.1"), "html");
        assert_eq!(of("text/html;q=0, text/csv;q=0.001"), "csv");
        assert_eq!(of("text/html;q=0"), "json");
        assert_eq!(of("application/json;q=0, */*"), "csv");
        assert_eq!(of("text/*, text/csv;q=0"), "html");
        assert_eq!(of("text/html; charset=utf-8; Q=0.9, text/csv"), "csv");
    }

    #[test]
    fn of_equals_the_one_that_is_named_first_wins() {
        assert_eq!(of("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"), "html");
        assert_eq!(of("text/csv, */*"), "csv");
        assert_eq!(of("TEXT/CSV, text/html"), "csv");
        assert_eq!(of("*/*"), "json");
        assert_eq!(of("*/*, text/csv"), "json");
    }

    #[test]
    fn what_names_none_of_them_leaves_the_usual_one() {
        for accept in ["image/png", "", ",;", "text", "application/problem+json"] {
            assert_eq!(of(accept), "json", "{accept}");
        }
        assert_eq!(preferred(&TestRequest::default().to_http_request(), &[("text/csv", 1)], 0), 0);
    }

    #[test]
    fn a_weight_that_is_none_does_not_count() {
        assert_eq!(of("text/csv;q=2, application/json;q=0.9"), "csv");
        assert_eq!(of("text/csv;q=x, application/json;q=0.9"), "csv");
        assert_eq!(of("text/csv;q=NaN, application/json;q=0.9"), "csv");
    }
}
