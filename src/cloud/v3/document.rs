//! The JSON of a call: its members in a fixed order, and its secrets marked.

use std::borrow::Cow;
use std::io;

use secrecy::zeroize::Zeroizing;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

use crate::cloud::Hidden;
use crate::domain::secret::PreSharedKey;

/// A value of a call.
pub(super) enum Member<'a> {
    Text(Cow<'a, str>),
    Number(u64),
    Flag(bool),
    List(Vec<Member<'a>>),
    Record(Record<'a>),
    Secret(&'a PreSharedKey),
}

/// An object of a call. No `Debug`: it may contain a secret.
#[derive(Default)]
pub(super) struct Record<'a>(Vec<(&'static str, Member<'a>)>);

impl<'a> Record<'a> {
    pub(super) fn put(&mut self, name: &'static str, member: Member<'a>) {
        self.0.push((name, member));
    }

    /// Adds a member that the call has. A member without a value is left out: the cloud takes null for a value.
    pub(super) fn put_if(&mut self, name: &'static str, member: Option<Member<'a>>) {
        if let Some(member) = member {
            self.put(name, member);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The members as JSON values, in their order. `masked` replaces a secret.
    pub(super) fn shown(&self, masked: &dyn Fn(&PreSharedKey) -> Value) -> Vec<(String, Value)> {
        self.0.iter().map(|(name, member)| ((*name).to_owned(), member.shown(masked))).collect()
    }

    /// The bytes of the call: compact JSON in UTF-8.
    pub(super) fn text(&self) -> Hidden {
        // Writing to memory does not fail, and every key is a text.
        let mut length = Length(0);
        let _ = serde_json::to_writer(&mut length, self);
        // Room for all of it: no copy of the key is left behind by a growing buffer.
        let mut bytes = Zeroizing::new(Vec::with_capacity(length.0));
        let _ = serde_json::to_writer(&mut *bytes, self);
        Hidden::new(String::from_utf8(std::mem::take(&mut *bytes)).unwrap_or_default())
    }
}

impl Member<'_> {
    fn shown(&self, masked: &dyn Fn(&PreSharedKey) -> Value) -> Value {
        match self {
            Self::Text(text) => Value::from(&**text),
            Self::Number(number) => Value::from(*number),
            Self::Flag(flag) => Value::from(*flag),
            Self::List(items) => items.iter().map(|item| item.shown(masked)).collect(),
            Self::Record(record) => Value::Object(Map::from_iter(record.shown(masked))),
            Self::Secret(key) => masked(key),
        }
    }
}

impl Serialize for Record<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, member) in &self.0 {
            map.serialize_entry(name, member)?;
        }
        map.end()
    }
}

impl Serialize for Member<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Number(number) => serializer.serialize_u64(*number),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::List(items) => serializer.collect_seq(items),
            Self::Record(record) => record.serialize(serializer),
            Self::Secret(key) => serializer.serialize_str(key.expose()),
        }
    }
}

/// Counts bytes.
struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Member<'_> {
        Member::Text(text.into())
    }

    #[test]
    fn the_text_is_compact_json_in_the_order_of_the_members() {
        let key = PreSharedKey::parse("a\"b\\c/d").expect("a key");
        let mut record = Record::default();
        record.put("Z", Member::Secret(&key));
        record.put("A", Member::List(vec![text("北京"), Member::Number(4_294_967_295)]));
        record.put_if("Absent", None);
        let mut inner = Record::default();
        inner.put("Flag", Member::Flag(true));
        record.put("M", Member::Record(inner));
        let expected = r#"{"Z":"a\"b\\c/d","A":["北京",4294967295],"M":{"Flag":true}}"#;
        assert_eq!(record.text().expose(), expected);
    }

    #[test]
    fn what_is_shown_has_no_secret() {
        let key = PreSharedKey::parse("canary").expect("a key");
        let mut inner = Record::default();
        inner.put("Key", Member::Secret(&key));
        let mut record = Record::default();
        record.put("List", Member::List(vec![Member::Record(inner)]));
        let shown = record.shown(&|_| Value::from("***"));
        assert_eq!(shown, [("List".to_owned(), serde_json::json!([{"Key": "***"}]))]);
    }
}
