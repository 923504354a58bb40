//! Reads the members of one JSON object and collects their faults.

use std::net::Ipv4Addr;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::domain::fault::Fault;
use crate::domain::ike::MAX_FQDN_LENGTH;

/// A member of a patch. In RFC 7396 `null` removes a member, which the cloud cannot do.
enum Member<'a> {
    Absent,
    Null,
    Value(&'a Value),
}

/// The words of an enumeration: the function that parses one, and the list for the message.
pub(super) type Words<T> = (fn(&str) -> Option<T>, &'static [&'static str]);

macro_rules! words_of {
    ($name:ty) => {
        (<$name>::from_word, <$name>::WORDS)
    };
}
pub(super) use words_of;

pub(super) struct Reader<'a> {
    members: &'a Map<String, Value>,
    pointer: &'a str,
    faults: &'a mut Vec<Fault>,
}

impl<'a> Reader<'a> {
    /// A reader of one object. Adds a fault for every unknown member.
    pub(super) fn new(
        members: &'a Map<String, Value>,
        pointer: &'a str,
        known: &[&str],
        faults: &'a mut Vec<Fault>,
    ) -> Self {
        for member in members.keys() {
            if !known.contains(&member.as_str()) {
                faults.push(Fault::new(
                    format!("{pointer}/{}", escape(member)),
                    "unknown_field",
                    format!("is not a field here; the fields are: {}", known.join(", ")),
                ));
            }
        }
        Self { members, pointer, faults }
    }

    pub(super) fn fault(&mut self, member: &str, code: &'static str, detail: impl Into<String>) {
        let pointer = self.at(member);
        self.faults.push(Fault::new(pointer, code, detail));
    }

    fn at(&self, member: &str) -> String {
        match member {
            "" => self.pointer.to_owned(),
            member => format!("{}/{member}", self.pointer),
        }
    }

    fn member(&self, name: &str) -> Member<'a> {
        match self.members.get(name) {
            None => Member::Absent,
            Some(Value::Null) => Member::Null,
            Some(value) => Member::Value(value),
        }
    }

    /// The value of a member; adds a fault if the value is null.
    fn value(&mut self, name: &str) -> Option<&'a Value> {
        match self.member(name) {
            Member::Absent => None,
            Member::Null => {
                self.fault(
                    name,
                    "null",
                    "must not be null: the cloud cannot unset a field; leave it out, or give a value",
                );
                None
            }
            Member::Value(value) => Some(value),
        }
    }

    fn string(&mut self, name: &str) -> Option<&'a str> {
        let value = self.value(name)?;
        let text = value.as_str();
        if text.is_none() {
            self.fault(name, "wrong_type", "must be a string");
        }
        text
    }

    pub(super) fn require(&mut self, name: &str) {
        if !self.members.contains_key(name) {
            self.fault(name, "required", "is required");
        }
    }

    pub(super) fn forbid(&mut self, name: &str, why: &str) {
        if self.members.contains_key(name) {
            self.fault(name, "not_allowed", why);
        }
    }

    pub(super) fn text<T, E: std::fmt::Display>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.string(name)?;
        parse(text).map_err(|error| self.fault(name, "invalid", error.to_string())).ok()
    }

    pub(super) fn word<T>(&mut self, name: &str, (read, words): Words<T>) -> Option<T> {
        let text = self.string(name)?;
        let word = read(text);
        if word.is_none() {
            let detail = format!("must be one of {}", words.join(", "));
            self.fault(name, "unknown_value", detail);
        }
        word
    }

    pub(super) fn number(&mut self, name: &str, range: RangeInclusive<u32>, unit: &str) -> Option<u32> {
        let value = self.value(name)?;
        if !value.is_number() {
            self.fault(name, "wrong_type", format!("must be a number of {unit}"));
            return None;
        }
        let number = value
            .as_u64()
            .and_then(|number| u32::try_from(number).ok())
            .filter(|number| range.contains(number));
        if number.is_none() {
            let (from, to) = range.into_inner();
            let detail = format!("must be a whole number of {unit} from {from} to {to}");
            self.fault(name, "out_of_range", detail);
        }
        number
    }

    pub(super) fn address(&mut self, name: &str) -> Option<Ipv4Addr> {
        self.text(name, |text| text.parse().map_err(|_| "must be an IPv4 address"))
    }

    pub(super) fn fqdn(&mut self, name: &str) -> Option<String> {
        self.text(name, |text| {
            let printable = |b: u8| (b'!'..=b'~').contains(&b);
            if text.is_empty() || text.len() > MAX_FQDN_LENGTH || !text.bytes().all(printable) {
                return Err(format!(
                    "must be 1 to {MAX_FQDN_LENGTH} printable ASCII characters without spaces"
                ));
            }
            Ok(text.to_owned())
        })
    }

    pub(super) fn object<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&Map<String, Value>, &str, &mut Vec<Fault>) -> Option<T>,
    ) -> Option<T> {
        let value = self.value(name)?;
        let Value::Object(members) = value else {
            self.fault(name, "wrong_type", "must be an object");
            return None;
        };
        let pointer = self.at(name);
        parse(members, &pointer, self.faults)
    }

    /// A group of settings; adds a fault if the group is empty.
    pub(super) fn group<T>(
        &mut self,
        name: &str,
        known: &[&str],
        parse: impl FnOnce(&mut Reader<'_>) -> T,
    ) -> Option<T> {
        self.object(name, |members, pointer, faults| {
            let mut reader = Reader::new(members, pointer, known, faults);
            if members.is_empty() {
                reader.fault("", "empty", "must give at least one field: an empty group changes nothing");
            }
            Some(parse(&mut reader))
        })
    }

    /// A list; adds a fault if the list is empty.
    pub(super) fn list<T>(
        &mut self,
        name: &str,
        parse: impl Fn(&Value, &str, &mut Vec<Fault>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let value = self.value(name)?;
        let Value::Array(items) = value else {
            self.fault(name, "wrong_type", "must be a list");
            return None;
        };
        if items.is_empty() {
            self.fault(name, "empty", "must contain at least one item");
            return None;
        }
        let pointer = self.at(name);
        let parsed: Vec<T> = items
            .iter()
            .enumerate()
            .filter_map(|(index, item)| parse(item, &format!("{pointer}/{index}"), self.faults))
            .collect();
        (parsed.len() == items.len()).then_some(parsed)
    }
}

/// Escapes a member's name for a JSON pointer (RFC 6901).
fn escape(member: &str) -> String {
    member.replace('~', "~0").replace('/', "~1")
}
