//! The values of a plan, each with its line, and the faults of a plan.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::zeroize::Zeroizing;
use serde_json::{Map, Number, Value};

/// The longest name that a fault shows, in bytes.
const MAX_NAME: usize = 100;

/// A fault of a plan.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlanFault {
    /// The line, counted from 1; `None` if the fault has no place.
    pub line: Option<u64>,
    /// The member, in dotted form; empty for a whole entry or file.
    pub member: String,
    /// A description for people. It never repeats a value, which might be a secret.
    pub detail: String,
}

impl PlanFault {
    pub(super) fn at(line: u64, member: impl Into<String>, detail: impl Into<String>) -> Self {
        let member: String = member.into();
        // A name that is none may be a value in the wrong place.
        let is_name = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        let member =
            if member.len() <= MAX_NAME && member.chars().all(is_name) { member } else { "?".to_owned() };
        Self { line: Some(line), member, detail: detail.into() }
    }
}

impl fmt::Display for PlanFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if !self.member.is_empty() {
            write!(f, "{}: ", self.member)?;
        }
        f.write_str(&self.detail)
    }
}

/// A value with its line. Texts are wiped when dropped: one of them may be a pre-shared key.
#[derive(Clone)]
pub(super) struct Node {
    pub(super) line: u64,
    pub(super) kind: Kind,
}

#[derive(Clone)]
pub(super) enum Kind {
    Null,
    Flag(bool),
    Number(Number),
    Text(Zeroizing<String>),
    List(Vec<Node>),
    Map(Vec<Member>),
}

#[derive(Clone)]
pub(super) struct Member {
    pub(super) name: String,
    /// The line of the name.
    pub(super) line: u64,
    pub(super) value: Node,
}

impl Node {
    pub(super) fn text(line: u64, text: &str) -> Self {
        Self { line, kind: Kind::Text(Zeroizing::new(text.to_owned())) }
    }

    /// The number of values in this one, itself included.
    pub(super) fn size(&self) -> usize {
        match &self.kind {
            Kind::List(items) => 1 + items.iter().map(Self::size).sum::<usize>(),
            Kind::Map(members) => 1 + members.iter().map(|member| member.value.size()).sum::<usize>(),
            Kind::Null | Kind::Flag(_) | Kind::Number(_) | Kind::Text(_) => 1,
        }
    }

    /// The value as JSON. Adds the line of each member and item, by its JSON pointer, to `lines`.
    pub(super) fn to_json(&self, pointer: &str, lines: &mut BTreeMap<String, u64>) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Flag(flag) => Value::Bool(*flag),
            Kind::Number(number) => Value::Number(number.clone()),
            Kind::Text(text) => Value::String(text.to_string()),
            Kind::List(items) => {
                let item = |(index, item): (usize, &Self)| {
                    let pointer = format!("{pointer}/{index}");
                    lines.insert(pointer.clone(), item.line);
                    item.to_json(&pointer, lines)
                };
                Value::Array(items.iter().enumerate().map(item).collect())
            }
            Kind::Map(members) => {
                let mut object = Map::new();
                for Member { name, line, value } in members {
                    let pointer = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
                    lines.insert(pointer.clone(), *line);
                    object.insert(name.clone(), value.to_json(&pointer, lines));
                }
                Value::Object(object)
            }
        }
    }
}
