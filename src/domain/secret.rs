//! Secrets that cannot be printed: without `Display` and `Serialize`, with a masked `Debug`, wiped when dropped.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// The longest pre-shared key, in characters.
pub const MAX_PRE_SHARED_KEY_LENGTH: usize = 128;

/// The text is not a pre-shared key. The error does not repeat the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {MAX_PRE_SHARED_KEY_LENGTH} printable ASCII characters")]
pub struct InvalidPreSharedKey;

/// A tunnel's pre-shared key.
#[derive(Clone)]
pub struct PreSharedKey(SecretString);

impl PreSharedKey {
    /// Parses a key of a request.
    ///
    /// # Errors
    /// If the text is empty, too long, or not printable ASCII.
    pub fn parse(text: &str) -> Result<Self, InvalidPreSharedKey> {
        let printable = |b: u8| (b' '..=b'~').contains(&b);
        if text.is_empty() || text.len() > MAX_PRE_SHARED_KEY_LENGTH || !text.bytes().all(printable) {
            return Err(InvalidPreSharedKey);
        }
        Ok(Self(text.into()))
    }

    /// A key read from the cloud, accepted without checks.
    #[must_use]
    pub fn from_cloud(text: &str) -> Self {
        Self(text.into())
    }

    /// The key in clear, for the call that sends the key and for its fingerprint only.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for PreSharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PreSharedKey(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_is_printable_ascii() {
        assert!(PreSharedKey::parse(" !@#~").is_ok());
        assert!(PreSharedKey::parse(&"x".repeat(MAX_PRE_SHARED_KEY_LENGTH)).is_ok());
        assert!(PreSharedKey::parse(&"x".repeat(MAX_PRE_SHARED_KEY_LENGTH + 1)).is_err());
        for text in ["", "a\tb", "pässwort", "a\u{7f}"] {
            assert!(PreSharedKey::parse(text).is_err());
        }
    }

    #[test]
    fn debug_shows_nothing_of_it() -> Result<(), InvalidPreSharedKey> {
        let key = PreSharedKey::parse("canary")?;
        assert_eq!(format!("{key:?}"), "PreSharedKey(***)");
        Ok(())
    }
}
