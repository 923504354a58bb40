//! A tunnel's name.

use serde::Serialize;

use super::text::is_plain;

/// The longest name, in characters (API 2.0, ModifyVpnConnEx).
pub const MAX_NAME_LENGTH: usize = 60;

/// A name of 1 to 60 characters without control characters, which break terminals, logs and databases; or one that a
/// tunnel has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct TunnelName(String);

/// The reason why a text is not a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    #[error("must be 1 to {MAX_NAME_LENGTH} characters")]
    Length,
    #[error(
        "must not contain control characters, nor characters that break lines or change the direction of text"
    )]
    ControlCharacter,
}

impl TunnelName {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A name that a tunnel has, accepted without checks.
    #[must_use]
    pub fn from_cloud(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl std::str::FromStr for TunnelName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if !(1..=MAX_NAME_LENGTH).contains(&text.chars().count()) {
            return Err(InvalidName::Length);
        }
        if !is_plain(text) {
            return Err(InvalidName::ControlCharacter);
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_counts_characters_not_bytes() {
        assert!("隧".repeat(MAX_NAME_LENGTH).parse::<TunnelName>().is_ok());
        let longer = "隧".repeat(MAX_NAME_LENGTH + 1);
        assert_eq!(longer.parse::<TunnelName>(), Err(InvalidName::Length));
        assert_eq!("".parse::<TunnelName>(), Err(InvalidName::Length));
        for text in ["a\0b", "a\u{202e}b"] {
            assert_eq!(text.parse::<TunnelName>(), Err(InvalidName::ControlCharacter));
        }
    }
}
