//! Entity tags and the conditions of `If-Match` (RFC 9110, sections 8.8.3 and 13.1.1).

use std::fmt;

/// In the tag of a tunnel: what follows it is not about the tunnel's settings.
pub const DRIFT_FOLLOWS: char = '.';

/// The opaque part of a strong entity tag, without the quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ETag(String);

impl ETag {
    /// A tag with this opaque part.
    #[must_use]
    pub const fn new(opaque: String) -> Self {
        Self(opaque)
    }

    /// The part that is about the tunnel's settings.
    #[must_use]
    fn settings(&self) -> &str {
        self.0.split(DRIFT_FOLLOWS).next().unwrap_or_default()
    }

    /// The opaque part.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

/// The condition that a tunnel must meet before it is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    /// The tunnel exists (`If-Match: *`).
    Exists,
    /// The tag of the tunnel is one of these.
    OneOf(Vec<ETag>),
}

impl Precondition {
    /// True if a tunnel with this tag meets the condition: its settings are the same.
    #[must_use]
    pub fn holds(&self, current: &ETag) -> bool {
        match self {
            Self::Exists => true,
            Self::OneOf(tags) => tags.iter().any(|tag| tag.settings() == current.settings()),
        }
    }
}

impl fmt::Display for Precondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists => f.write_str("*"),
            Self::OneOf(tags) => {
                let tags: Vec<String> = tags.iter().map(ToString::to_string).collect();
                f.write_str(&tags.join(", "))
            }
        }
    }
}
