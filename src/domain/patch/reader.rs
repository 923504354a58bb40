//! Reads the members of one JSON object and collects their faults.

use std::net::Ipv4Addr;
use std::ops::RangeInclusive;

use serde_json::{Map, Number, Value};

use crate::domain::api::Api;
use crate::domain::fault::Fault;
use crate::domain::ike::MAX_FQDN_LENGTH;
use crate::domain::name::{InvalidName, TunnelName};
use crate::domain::wire_words::WireWords;

/// A member of a patch. In RFC 7396 `null` removes a member, which the cloud cannot do.
enum Member<'a> {
    Absent,
    Null,
    Value(&'a Value),
}

/// The faults of a document.
pub(super) struct Faults {
    api: Api,
    pub(super) found: Vec<Fault>,
    /// Faults of values beyond the documented ones, which do not count if the tunnel has the value.
    pub(super) outside: Vec<Fault>,
}

impl Faults {
    pub(super) const fn new(api: Api) -> Self {
        Self { api, found: Vec::new(), outside: Vec::new() }
    }

    pub(super) fn add(&mut self, fault: Fault) {
        self.found.push(fault);
    }
}

/// The code of a field or value that API 2.0 can't carry.
const NEEDS_API_3: &str = "needs_api_3";

/// The largest number below which every whole number has a double of its own.
const SAFE_DOUBLE: f64 = 9_007_199_254_740_992.0;

pub(super) struct Reader<'a> {
    members: &'a Map<String, Value>,
    pointer: &'a str,
    faults: &'a mut Faults,
}

impl<'a> Reader<'a> {
    /// A reader of one object. Adds a fault for every unknown member.
    pub(super) fn new(
        members: &'a Map<String, Value>,
        pointer: &'a str,
        known: &[&str],
        faults: &'a mut Faults,
    ) -> Self {
        for member in members.keys() {
            if !known.contains(&member.as_str()) {
                faults.add(Fault::new(
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
        self.faults.add(Fault::new(pointer, code, detail));
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

    /// The API of the account that the patch is for.
    pub(super) const fn api(&self) -> Api {
        self.faults.api
    }

    /// A fault that does not count if the tunnel has the value.
    fn outside(&mut self, member: &str, code: &'static str, detail: impl Into<String>) {
        let pointer = self.at(member);
        self.faults.outside.push(Fault::new(pointer, code, detail));
    }

    /// True if the member may be read: it is absent, or the account speaks API 3.0.
    pub(super) fn has_api_3(&mut self, name: &str) -> bool {
        let is_allowed = self.faults.api == Api::V3 || !self.members.contains_key(name);
        if !is_allowed {
            self.fault(
                name,
                NEEDS_API_3,
                "needs an account of API 3.0; the account of this VPC speaks API 2.0",
            );
        }
        is_allowed
    }

    /// A tunnel's name.
    pub(super) fn name(&mut self, name: &str) -> Option<TunnelName> {
        let text = self.string(name)?;
        match text.parse() {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                let error: InvalidName = error;
                self.outside(name, "invalid", error.to_string());
                Some(TunnelName::from_cloud(text))
            }
        }
    }

    /// A setting, in our word: one of the words that the account's API documents, in any letter case and any form.
    pub(super) fn word<T: WireWords>(&mut self, name: &str) -> Option<String> {
        let text = self.string(name)?;
        let api = self.faults.api;
        match T::read(text) {
            Some(value) if value.wire(api).is_some() => {}
            Some(_) => {
                let detail = "needs an account of API 3.0, or a tunnel that has the value already; the account of this VPC \
                     speaks API 2.0";
                self.outside(name, NEEDS_API_3, detail);
            }
            None => {
                let detail = format!("must be one of {}", T::words_of(api).join(", "));
                self.outside(name, "unknown_value", detail);
            }
        }
        Some(T::setting(text))
    }

    /// One of the words, in any letter case and any form.
    pub(super) fn known_word<T: WireWords>(&mut self, name: &str) -> Option<T> {
        let text = self.string(name)?;
        let value = T::read(text);
        if value.is_none() {
            let detail = format!("must be one of {}", T::words_of(self.faults.api).join(", "));
            self.fault(name, "unknown_value", detail);
        }
        value
    }

    pub(super) fn flag(&mut self, name: &str) -> Option<bool> {
        let flag = self.value(name)?.as_bool();
        if flag.is_none() {
            self.fault(name, "wrong_type", "must be true or false");
        }
        flag
    }

    /// A whole number, in digits.
    pub(super) fn number(&mut self, name: &str, range: &RangeInclusive<u64>, unit: &str) -> Option<String> {
        let value = self.value(name)?;
        let Value::Number(number) = value else {
            self.fault(name, "wrong_type", format!("must be a number of {unit}"));
            return None;
        };
        let (from, to) = (range.start(), range.end());
        let detail = format!("must be a whole number of {unit} from {from} to {to}");
        let Some(number) = whole(number) else {
            self.fault(name, "out_of_range", detail);
            return None;
        };
        if !range.contains(&number) {
            self.outside(name, "out_of_range", format!("{detail}, or the value that the tunnel has"));
        }
        Some(number.to_string())
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
        parse: impl FnOnce(&Map<String, Value>, &str, &mut Faults) -> Option<T>,
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
        parse: impl Fn(&Value, &str, &mut Faults) -> Option<T>,
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

/// A whole number. JSON does not tell `86400.0` from `86400`, and some clients write every number with a fraction.
fn whole(number: &Number) -> Option<u64> {
    number.as_u64().or_else(|| {
        let double =
            number.as_f64().filter(|double| double.fract() == 0.0 && (0.0..SAFE_DOUBLE).contains(double))?;
        // Rust has no checked conversion; the text of a whole double is its digits.
        format!("{double:.0}").parse().ok()
    })
}

/// Escapes a member's name for a JSON pointer (RFC 6901).
fn escape(member: &str) -> String {
    member.replace('~', "~0").replace('/', "~1")
}
