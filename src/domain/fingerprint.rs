//! Keyed fingerprints, which the ledger stores instead of secrets. Equal secrets have equal fingerprints, and guesses
//! can only be tested with the key.

use std::fmt;

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretSlice};
use serde_json::{Value, json};
use sha2::Sha256;

use super::echo::{MAX_TEXT, decodings};
use super::secret::{MAX_PRE_SHARED_KEY_LENGTH, PreSharedKey};

/// The HKDF label. It separates this key from other keys derived from the same SecretKey.
const DERIVATION_LABEL: &[u8] = b"tunnelgate fingerprint key v1";
/// Prefix of a request. It is not printable, so no pre-shared key begins with it and no request shares a fingerprint
/// with a key.
const REQUEST_LABEL: &[u8] = b"\x00request\x00";
/// Prefix for the id of the fingerprint key, likewise not printable.
const ID_LABEL: &[u8] = b"\x00id";
/// The only member of the object that replaces a secret in `changes`.
pub const FINGERPRINT_MEMBER: &str = "hmac_sha256";

/// The key of the fingerprints. It exists in memory only.
#[derive(Clone)]
pub struct FingerprintKey {
    key: SecretSlice<u8>,
    id: String,
    is_derived: bool,
}

impl FingerprintKey {
    /// Derives the key from the cloud's SecretKey (HKDF-SHA256).
    #[must_use]
    pub fn derive(secret_key: &[u8]) -> Self {
        let mut key = vec![0; 32];
        // HKDF fails only above 255 * 32 bytes.
        let _ = Hkdf::<Sha256>::new(None, secret_key).expand(DERIVATION_LABEL, &mut key);
        Self { is_derived: true, ..Self::of(key) }
    }

    /// The key that the operator set, so that fingerprints stay comparable when credentials rotate.
    #[must_use]
    pub fn from_setting(key: &[u8]) -> Self {
        Self::of(key.to_vec())
    }

    fn of(key: Vec<u8>) -> Self {
        let mut new = Self { key: key.into(), id: String::new(), is_derived: false };
        new.id = hex(&new.hmac(&[ID_LABEL])[..8]);
        new
    }

    /// True if the key comes from the cloud's SecretKey.
    #[must_use]
    pub fn is_derived(&self) -> bool {
        self.is_derived
    }

    /// An id that differs between keys and reveals nothing else about them.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    fn hmac(&self, parts: &[&[u8]]) -> [u8; 32] {
        // HMAC accepts a key of any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.key.expose_secret()) else {
            return [0; 32];
        };
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    /// The fingerprint of a pre-shared key: hex of HMAC-SHA256(key, pre-shared key).
    #[must_use]
    pub fn of_key(&self, key: &PreSharedKey) -> String {
        hex(&self.hmac(&[key.expose().as_bytes()]))
    }

    /// The object that replaces a pre-shared key in `changes`, answers and differences.
    #[must_use]
    pub fn masked(&self, key: &PreSharedKey) -> Value {
        json!({ FINGERPRINT_MEMBER: self.of_key(key) })
    }

    /// True if a stored text may show a part of the pre-shared key with this fingerprint. A text of the greatest length may
    /// have been cut, and the key at its end with it.
    #[must_use]
    pub fn may_show_key(&self, text: &str, fingerprint: &str) -> bool {
        text.chars().count() >= MAX_TEXT || self.is_key_in(text, fingerprint)
    }

    /// True if `text` contains the pre-shared key with this fingerprint. Computes the fingerprint of every substring.
    fn is_key_in(&self, text: &str, fingerprint: &str) -> bool {
        let Some(wanted) = from_hex(fingerprint) else { return false };
        let Ok(keyed) = Hmac::<Sha256>::new_from_slice(self.key.expose_secret()) else { return false };
        let (decodings, unhexed) = (decodings(text), unhexed(text));
        let spelt =
            decodings.iter().map(|decoded| decoded.as_bytes()).chain(unhexed.iter().map(|bytes| &bytes[..]));
        spelt.into_iter().any(|bytes| {
            (0..bytes.len()).any(|start| {
                let mut mac = keyed.clone();
                bytes[start..].iter().take(MAX_PRE_SHARED_KEY_LENGTH).any(|byte| {
                    mac.update(&[*byte]);
                    mac.clone().finalize().into_bytes()[..] == wanted
                })
            })
        })
    }

    /// The fingerprint of a whole request, for `Idempotency-Key`. Each part is length-prefixed, so that different
    /// requests never give the same bytes.
    #[must_use]
    pub fn of_request(&self, parts: &[&[u8]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in parts {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part);
        }
        self.hmac(&[REQUEST_LABEL, &bytes]).to_vec()
    }
}

impl fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FingerprintKey(***)")
    }
}

/// The bytes that the text spells in hex. A few digits are too common to be a key.
fn unhexed(text: &str) -> Vec<Zeroizing<Vec<u8>>> {
    const TELLING: usize = 12;
    let digits = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let byte = |pair: &[u8]| Some(digits(pair[0])? * 16 + digits(pair[1])?);
    let runs = text.split(|c: char| !c.is_ascii_hexdigit()).filter(|run| run.len() >= TELLING);
    // A digit before the key shifts all pairs.
    let bytes = runs.flat_map(|run| [run.as_bytes(), &run.as_bytes()[1..]]);
    bytes.map(|run| Zeroizing::new(run.chunks_exact(2).filter_map(byte).collect())).collect()
}

/// The bytes in lower-case hex.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// The 32 bytes of 64 hex digits.
#[must_use]
pub fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = value(pair[0])? * 16 + value(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_secrets_have_equal_fingerprints_under_one_key_only() {
        let (one, other) = (FingerprintKey::derive(b"one"), FingerprintKey::derive(b"other"));
        let key = PreSharedKey::from_cloud("tencenttest");
        assert_eq!(one.of_key(&key), one.of_key(&PreSharedKey::from_cloud("tencenttest")));
        assert_ne!(one.of_key(&key), other.of_key(&key));
        assert_ne!(one.of_key(&key), one.of_key(&PreSharedKey::from_cloud("tencenttesT")));
    }

    #[test]
    fn a_text_that_repeats_the_key_is_found_out() {
        let fingerprints = FingerprintKey::derive(b"one");
        let fingerprint = fingerprints.of_key(&PreSharedKey::from_cloud("canary/+&\"x"));
        for text in
            ["preSharedKey 'canary/+&\"x' is bad", "k=canary%2F%2B%26%22x&a=b", r#"{"k":"canary\/+&\"x"}"#]
        {
            assert!(fingerprints.is_key_in(text, &fingerprint), "{text}");
        }
        let digits = hex(b"canary/+&\"x");
        for text in [format!("k={digits}."), format!("a{}", digits.to_uppercase())] {
            assert!(fingerprints.is_key_in(&text, &fingerprint), "{text}");
        }
        assert!(!fingerprints.is_key_in("canary/+& is another word", &fingerprint));
        assert!(!FingerprintKey::derive(b"other").is_key_in("canary/+&\"x", &fingerprint));
    }

    #[test]
    fn a_text_that_may_have_been_cut_is_not_shown() {
        let fingerprints = FingerprintKey::derive(b"one");
        let key = "tencenttest-01/+";
        let fingerprint = fingerprints.of_key(&PreSharedKey::from_cloud(key));
        let encoded: String = key.bytes().map(|byte| format!("%{byte:02X}")).collect();
        for (spelt, offset) in
            [key, &encoded].into_iter().flat_map(|spelt| (485..=500).map(move |at| (spelt, at)))
        {
            let words = format!("{}{spelt}", "ä".repeat(offset));
            let stored: String = words.chars().take(MAX_TEXT).collect();
            assert!(fingerprints.may_show_key(&stored, &fingerprint), "{stored}");
        }
        assert!(!fingerprints.may_show_key("the peer gateway refused the proposal", &fingerprint));
    }

    #[test]
    fn parts_of_a_request_do_not_run_together() {
        let key = FingerprintKey::derive(b"key");
        assert_ne!(key.of_request(&[b"ab", b"c"]), key.of_request(&[b"a", b"bc"]));
    }
}
