//! Reads records of a JSON body strictly: no unknown member, no null, no member of the wrong type.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::simulator::words::Word;

use super::answer::{Refused, refused};

/// A record with its place in the body.
pub(super) struct Record<'a> {
    place: String,
    members: &'a Map<String, Value>,
}

impl<'a> Record<'a> {
    /// Reads a record that may have these members only. `place` is empty for the body itself.
    pub(super) fn new(place: &str, value: &'a Value, known: &[&str]) -> Result<Self, Refused> {
        let Value::Object(members) = value else {
            let what = if place.is_empty() { "the body" } else { place };
            return Err(refused("InvalidParameter", format!("{what} has to be an object")));
        };
        let record = Self { place: place.to_owned(), members };
        match members.keys().find(|name| !known.contains(&name.as_str())) {
            Some(unknown) => {
                let message = format!("The parameter `{}` is not recognized.", record.path(unknown));
                Err(refused("UnknownParameter", message))
            }
            None => Ok(record),
        }
    }

    /// A member's place in the body.
    pub(super) fn path(&self, name: &str) -> String {
        if self.place.is_empty() { name.to_owned() } else { format!("{}.{name}", self.place) }
    }

    fn typed<T>(
        &self,
        name: &str,
        kind: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, Refused> {
        let wrong = || refused("InvalidParameter", format!("{} has to be {kind}", self.path(name)));
        self.members.get(name).map(|value| read(value).ok_or_else(wrong)).transpose()
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&'a str>, Refused> {
        self.typed(name, "a string", Value::as_str)
    }

    pub(super) fn required(&self, name: &str) -> Result<&'a str, Refused> {
        self.text(name)?.ok_or_else(|| self.missing(name))
    }

    pub(super) fn boolean(&self, name: &str) -> Result<Option<bool>, Refused> {
        self.typed(name, "a boolean", Value::as_bool)
    }

    pub(super) fn integer(&self, name: &str, range: RangeInclusive<u32>) -> Result<Option<u32>, Refused> {
        let Some(number) = self.typed(name, "an integer", Value::as_i64)? else { return Ok(None) };
        let number = u32::try_from(number).ok().filter(|number| range.contains(number));
        let (from, to) = range.into_inner();
        let beyond = || self.wrong("InvalidParameterValue.LimitExceeded", name, &format!("{from} to {to}"));
        number.ok_or_else(beyond).map(Some)
    }

    pub(super) fn word(&self, name: &str, words: &[Word]) -> Result<Option<Word>, Refused> {
        let known = || words.iter().map(|word| word.in_v3()).collect::<Vec<_>>().join(", ");
        let wrong = || self.wrong("InvalidParameterValue", name, &format!("one of {}", known()));
        let word = |text| Word::from_v3(words, text).ok_or_else(wrong);
        self.text(name)?.map(word).transpose()
    }

    pub(super) fn record(&self, name: &str, known: &[&str]) -> Result<Option<Record<'a>>, Refused> {
        self.members.get(name).map(|value| Record::new(&self.path(name), value, known)).transpose()
    }

    /// A list of at most `most` items.
    pub(super) fn list(&self, name: &str, most: usize) -> Result<Option<&'a [Value]>, Refused> {
        let list = self.typed(name, "a list", |value| value.as_array().map(Vec::as_slice))?;
        match list {
            Some(items) if items.len() > most => {
                Err(self.wrong("InvalidParameterValue.LimitExceeded", name, &format!("at most {most} items")))
            }
            list => Ok(list),
        }
    }

    /// A list of at most `most` strings.
    pub(super) fn texts(&self, name: &str, most: usize) -> Result<Option<Vec<&'a str>>, Refused> {
        let wrong =
            || refused("InvalidParameter", format!("{} has to be a list of strings", self.path(name)));
        let texts =
            |items: &'a [Value]| items.iter().map(Value::as_str).collect::<Option<_>>().ok_or_else(wrong);
        self.list(name, most)?.map(texts).transpose()
    }

    /// A member for which `is_valid` is true.
    pub(super) fn formed(
        &self,
        name: &str,
        form: &str,
        is_valid: impl FnOnce(&str) -> bool,
    ) -> Result<Option<&'a str>, Refused> {
        let text = self.text(name)?;
        match text {
            Some(text) if !is_valid(text) => Err(self.wrong("InvalidParameterValue.Malformed", name, form)),
            text => Ok(text),
        }
    }

    pub(super) fn missing(&self, name: &str) -> Refused {
        refused(
            "MissingParameter",
            format!("The request is missing a required parameter `{}`.", self.path(name)),
        )
    }

    /// The refusal of a member whose value has to be something else.
    pub(super) fn wrong(&self, code: &'static str, name: &str, expected: &str) -> Refused {
        refused(code, format!("the value of {} is wrong; it has to be {expected}", self.path(name)))
    }
}
