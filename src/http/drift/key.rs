//! The position of an open difference in the list: the event that reported it, and the field.

use std::fmt;
use std::str::FromStr;

/// A position in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub seq: i64,
    pub pointer: String,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.seq, self.pointer)
    }
}

/// The text is not a position.
pub struct NotAKey;

impl FromStr for Key {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let (seq, name) = text.split_once('/').ok_or(NotAKey)?;
        let seq = seq.parse().map_err(|_| NotAKey)?;
        // PostgreSQL's texts can't contain it.
        if name.contains('\0') {
            return Err(NotAKey);
        }
        Ok(Self { seq, pointer: format!("/{name}") })
    }
}
