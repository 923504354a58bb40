//! Entity tags and what `If-Match` demands of them (RFC 9110, sections 8.8.3 and 13.1.1).

use std::fmt;

/// A strong entity tag; its opaque part, without the quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ETag(String);

impl ETag {
    /// A tag of this opaque text.
    #[must_use]
    pub const fn new(opaque: String) -> Self {
        Self(opaque)
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

/// What has to hold of the tunnel before it is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    /// It exists (`If-Match: *`).
    Exists,
    /// Its tag is one of these.
    OneOf(Vec<ETag>),
}

impl Precondition {
    /// True if it holds of something that exists under this tag.
    #[must_use]
    pub fn holds(&self, current: &ETag) -> bool {
        match self {
            Self::Exists => true,
            Self::OneOf(tags) => tags.contains(current),
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
