//! Properties of the readers of tokens, for the fuzzer (`tests/fuzz`) and its corpus.

#![allow(clippy::expect_used, clippy::panic, reason = "a property that does not hold stops the fuzzer")]

use serde_json::Value;

use crate::domain::text;

use super::claims;
use super::key_set::KeySet;
use super::token::Unverified;
use super::url::IssuerUrl;

/// The bytes as a token, as an issuer's keys, as claims, and as an issuer.
pub fn tokens(bytes: &[u8]) {
    if let Ok(document) = serde_json::from_slice::<Value>(bytes) {
        let _ = KeySet::parse(&document);
        if let Value::Object(claims) = &document
            && let Some(name) = claims::name(claims, "realm.name")
        {
            assert!((1..=128).contains(&name.chars().count()) && name.chars().all(text::is_plain_character));
        }
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(token) = Unverified::parse(text)
        && let Ok(wanted) = token.wanted()
    {
        assert!(!wanted.key_id.is_empty());
        assert_eq!(text.split('.').count(), 3);
    }
    if let Ok(issuer) = IssuerUrl::parse(text, false) {
        assert_eq!(issuer.as_str(), text);
        assert!(text.to_ascii_lowercase().starts_with("https:") || issuer.is_loopback(), "{text}");
    }
}
