//! Query parameters, read strictly: an unknown parameter is a fault, so that a typo never widens a search. A [`Query`] also
//! collects the faults of headers, so that one 400 reports both.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::percent_decode_str;
use std::collections::HashMap;

use crate::domain::fault::Fault;
use crate::domain::timestamp::Timestamp;

use crate::http::problem::{Problem, ProblemType};

/// The default page size.
pub const DEFAULT_LIMIT: u32 = 50;
/// The maximum page size.
pub const MAX_LIMIT: u32 = 200;

/// The parameters of one request. Each read removes a parameter; [`Query::finish`] refuses the rest.
pub struct Query {
    parameters: HashMap<String, String>,
    /// The call's parameters, in the order of their reads.
    known: Vec<&'static str>,
    faults: Vec<Fault>,
}

impl Query {
    pub fn parse(text: &str) -> Self {
        let mut query = Self { parameters: HashMap::new(), known: Vec::new(), faults: Vec::new() };
        // `parse` skips empty parts too, and replaces what is not UTF-8.
        let parts = text.split('&').filter(|part| !part.is_empty());
        for (part, (name, value)) in parts.zip(form_urlencoded::parse(text.as_bytes())) {
            if percent_decode_str(part).decode_utf8().is_err() {
                query.fault(&name, "invalid", "must be UTF-8, percent-encoded");
                continue;
            }
            // PostgreSQL's texts can't contain one.
            if value.contains('\0') {
                query.fault(&name, "invalid", "must not contain a NUL character (%00)");
                continue;
            }
            if query.parameters.insert(name.clone().into_owned(), value.into_owned()).is_some() {
                query.fault(&name, "repeated", "occurs more than once");
            }
        }
        query
    }

    /// Adds a fault of a parameter.
    pub fn fault(&mut self, name: &str, code: &'static str, detail: impl Into<String>) {
        self.faults.push(Fault::new(format!("query:{name}"), code, detail));
    }

    /// True if the parameter is present and was not read yet.
    pub fn has(&self, name: &str) -> bool {
        self.parameters.contains_key(name)
    }

    /// A header's value; adds its fault.
    pub fn header<T>(&mut self, read: Result<T, Fault>) -> Option<T> {
        read.map_err(|fault| self.faults.push(fault)).ok()
    }

    /// A text, if present.
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        self.parameters.remove(name)
    }

    /// A parsed value, if present. `expected` describes valid values in the fault of an invalid one.
    pub fn value<T>(
        &mut self,
        name: &'static str,
        expected: impl FnOnce() -> String,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(name)?;
        let value = parse(&text);
        if value.is_none() {
            self.fault(name, "invalid", expected());
        }
        value
    }

    /// A flag; false if it is absent.
    pub fn flag(&mut self, name: &'static str) -> bool {
        let parse = |text: &str| match text {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        };
        self.value(name, || "must be true or false".into(), parse).unwrap_or(false)
    }

    /// A time.
    pub fn moment(&mut self, name: &'static str) -> Option<Timestamp> {
        let expected = || {
            "must be an RFC 3339 time such as 2026-01-31T08:00:00Z; write the + of an offset as %2B".into()
        };
        self.value(name, expected, Timestamp::parse)
    }

    /// The page size.
    pub fn limit(&mut self) -> u32 {
        let parse = |text: &str| text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
        let limit = self.value("limit", || format!("must be a whole number from 1 to {MAX_LIMIT}"), parse);
        limit.unwrap_or(DEFAULT_LIMIT)
    }

    /// The end of the previous page.
    pub fn cursor<T: std::str::FromStr + std::fmt::Display>(&mut self) -> Option<T> {
        let text = self.text("cursor")?;
        let place = read_cursor(&text).and_then(|place| place.parse().ok());
        // Parsers accept more spellings of a value than the one that the gateway writes.
        let place = place.filter(|place| cursor(place) == text);
        if place.is_none() {
            let described = ProblemType::InvalidCursor.describe();
            self.fault("cursor", described.code, described.detail);
        }
        place
    }

    /// Reports all faults; parameters that were not read are unknown.
    pub fn finish(mut self) -> Result<(), Problem> {
        let mut unknown: Vec<String> = self.parameters.keys().cloned().collect();
        unknown.sort();
        let detail = match self.known.as_slice() {
            [] => "is unknown: this call takes no query parameters".to_owned(),
            known => format!("is unknown; this call's parameters are {}", known.join(", ")),
        };
        for name in unknown {
            self.fault(&name, "unknown_parameter", detail.as_str());
        }
        if self.faults.is_empty() { Ok(()) } else { Err(Problem::of_faults(self.faults)) }
    }
}

/// The version prefix lets the format change without misreading old cursors.
const CURSOR_VERSION: &str = "1:";

/// A position in a list as an opaque text.
pub fn cursor(place: &impl std::fmt::Display) -> String {
    URL_SAFE_NO_PAD.encode(format!("{CURSOR_VERSION}{place}"))
}

fn read_cursor(text: &str) -> Option<String> {
    let place = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
    place.strip_prefix(CURSOR_VERSION).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_and_nothing_else_is() {
        let mut query = Query::parse(&format!("cursor={}", cursor(&42)));
        assert_eq!(query.cursor::<i64>(), Some(42));
        assert!(query.finish().is_ok());
        for bad in ["cursor=42", "cursor=", "cursor=MTo", "cursor=%00"] {
            let mut query = Query::parse(bad);
            assert_eq!(query.cursor::<i64>(), None, "{bad}");
            assert!(query.finish().is_err(), "{bad}");
        }
    }

    #[test]
    fn unknown_repeated_and_bad_parameters_are_all_told() {
        let mut query = Query::parse("limit=0&tunel_id=x&status=a&status=b&created_after=yesterday");
        assert_eq!(query.limit(), DEFAULT_LIMIT);
        assert_eq!(query.moment("created_after"), None);
        assert_eq!(query.text("status").as_deref(), Some("b"));
        assert_eq!(query.faults.len(), 3, "{:?}", query.faults);
        assert!(query.finish().is_err());
    }

    #[test]
    fn texts_that_no_ledger_could_keep_are_one_fault_each() {
        for text in ["reason=%ff%20x", "reason=a%00b", "%ff=x"] {
            let mut query = Query::parse(&format!("&{text}&limit=1"));
            assert_eq!((query.text("reason"), query.limit()), (None, 1));
            assert_eq!(query.faults.len(), 1, "{text}: {:?}", query.faults);
        }
        let mut query = Query::parse("reason=%EF%BF%BD+%2B%C3%BC");
        assert_eq!(query.text("reason").as_deref(), Some("\u{fffd} +ü"));
        assert!(query.finish().is_ok());
    }

    #[test]
    fn limits_themselves_are_allowed() {
        for limit in [1, MAX_LIMIT] {
            let mut query = Query::parse(&format!("limit={limit}"));
            assert_eq!(query.limit(), limit);
            assert!(query.finish().is_ok());
        }
    }
}
