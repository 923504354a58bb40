//! A tunnel's name.

use serde::Serialize;

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

/// True for a character that breaks a line or changes the direction of text: a name with it shows as another one in
/// terminals, logs and pages. `char::is_control` covers U+0085 and what ASCII has.
#[must_use]
pub const fn is_line_or_direction_control(character: char) -> bool {
    matches!(character,
        '\u{2028}' | '\u{2029}' | '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
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
        if text.chars().any(|c| c.is_control() || is_line_or_direction_control(c)) {
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
        assert_eq!("a\0b".parse::<TunnelName>(), Err(InvalidName::ControlCharacter));
    }

    #[test]
    fn a_name_neither_breaks_a_line_nor_changes_its_direction() {
        for control in
            ['\u{2028}', '\u{2029}', '\u{202e}', '\u{2066}', '\u{2069}', '\u{200f}', '\u{85}', '\u{7f}']
        {
            let name = format!("hq{control}");
            assert_eq!(name.parse::<TunnelName>(), Err(InvalidName::ControlCharacter), "{control:?}");
        }
        for text in ["שלום", "a\u{200d}b", "größe"] {
            assert!(text.parse::<TunnelName>().is_ok(), "{text}");
        }
    }
}
