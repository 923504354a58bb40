//! Signatures by Standard Webhooks: `v1,` and the Base64 of HMAC-SHA256 over `id.timestamp.body`.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretSlice};
use sha2::Sha256;

/// The prefix of a secret.
const PREFIX: &str = "whsec_";
/// The shortest and the longest key, in bytes.
const SHORTEST: usize = 24;
const LONGEST: usize = 64;

/// A key that signs messages.
#[derive(Clone)]
pub struct SigningKey(SecretSlice<u8>);

/// The text is not a secret of a webhook. The error does not repeat the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be {PREFIX} and the Base64 of {SHORTEST} to {LONGEST} random bytes")]
pub struct InvalidKey;

impl SigningKey {
    /// Parses a secret.
    ///
    /// # Errors
    /// If the text is not a secret of Standard Webhooks.
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        let encoded = text.strip_prefix(PREFIX).ok_or(InvalidKey)?;
        let key = STANDARD.decode(encoded).map_err(|_| InvalidKey)?;
        if !(SHORTEST..=LONGEST).contains(&key.len()) {
            return Err(InvalidKey);
        }
        Ok(Self(key.into()))
    }

    /// The signature of a message. `timestamp` is in seconds since 1970.
    fn signature(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        // A key of any length is accepted.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.0.expose_secret()) else {
            return String::new();
        };
        mac.update(id.as_bytes());
        mac.update(b".");
        mac.update(timestamp.to_string().as_bytes());
        mac.update(b".");
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(***)")
    }
}

impl PartialEq for SigningKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.expose_secret() == other.0.expose_secret()
    }
}

impl Eq for SigningKey {}

/// The value of `webhook-signature`: one signature for each key, separated by blanks.
pub(super) fn signatures(keys: &[SigningKey], id: &str, timestamp: i64, body: &[u8]) -> String {
    let signatures: Vec<String> = keys.iter().map(|key| key.signature(id, timestamp, body)).collect();
    signatures.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    /// The example of the specification's own libraries.
    #[test]
    fn a_signature_is_the_one_of_the_reference_libraries() -> Result<(), InvalidKey> {
        let keys = [SigningKey::parse(KEY)?];
        let (id, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", br#"{"test": 2432232314}"#);
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(signatures(&keys, id, 1_614_265_330, body), expected);
        let twice = [keys[0].clone(), keys[0].clone()];
        assert_eq!(signatures(&twice, id, 1_614_265_330, body), format!("{expected} {expected}"));
        Ok(())
    }

    #[test]
    fn a_secret_has_a_prefix_and_24_to_64_bytes() {
        let with = |bytes: usize| format!("{PREFIX}{}", STANDARD.encode(vec![7; bytes]));
        for (text, is_valid) in [
            (with(SHORTEST), true),
            (with(LONGEST), true),
            (with(SHORTEST - 1), false),
            (with(LONGEST + 1), false),
            (with(SHORTEST).replace(PREFIX, ""), false),
            (format!("{} ", with(SHORTEST)), false),
            (String::new(), false),
        ] {
            assert_eq!(SigningKey::parse(&text).is_ok(), is_valid, "{text}");
        }
    }

    #[test]
    fn debug_shows_nothing_of_it() -> Result<(), InvalidKey> {
        assert_eq!(format!("{:?}", SigningKey::parse(KEY)?), "SigningKey(***)");
        Ok(())
    }
}
