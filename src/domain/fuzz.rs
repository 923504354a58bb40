//! Properties of parsers, for the fuzzer (`tests/fuzz`) and its corpus.

#![allow(clippy::expect_used, clippy::panic, reason = "a property that does not hold stops the fuzzer")]

use serde_json::{Value, json};

use super::api::Api;
use super::changes::Changes;
use super::fingerprint::{self, FingerprintKey};
use super::patch::{Patch, Requirements};
use super::timestamp::Timestamp;

/// A patch that was read, rendered and read again is the same patch. A fault repeats no value.
pub fn patch(bytes: &[u8]) {
    let Ok(document) = serde_json::from_slice::<Value>(bytes) else { return };
    let key = FingerprintKey::from_setting(b"fuzz");
    for (api, groups_go_together) in [(Api::V2, true), (Api::V2, false), (Api::V3, false)] {
        let requirements = Requirements { api, groups_go_together };
        let patch = match Patch::parse(&document, requirements) {
            Ok(patch) => patch,
            Err(faults) => {
                assert!(!faults.is_empty(), "a refusal has a reason");
                continue;
            }
        };
        let changes = Changes::of(&patch, &key);
        let mut rendered = json!(changes);
        if let Some(secret) = &patch.pre_shared_key {
            rendered["pre_shared_key"] = json!(secret.expose());
        }
        let again = Patch::parse(&rendered, requirements);
        let again = again.unwrap_or_else(|faults| panic!("{rendered}: {faults:?}"));
        assert_eq!(Changes::of(&again, &key), changes);
        assert_eq!(again.outside, patch.outside);
        assert!(!format!("{patch:?}").contains("fuzz-canary"), "Debug shows no key");
    }
}

/// What a parser of a short text accepts is what it prints.
pub fn texts(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(moment) = Timestamp::parse(text) {
        assert_eq!(Timestamp::parse(&moment.to_string()), Some(moment), "{text}");
    }
    if let Ok(cidr) = text.parse::<super::cidr::Ipv4Cidr>() {
        assert_eq!(cidr.to_string().parse(), Ok(cidr), "{text}");
    }
    if let Ok(id) = text.parse::<super::ids::VpcId>() {
        assert_eq!(id.to_string(), text);
    }
    if let Ok(pattern) = text.parse::<super::principal::VpcPattern>() {
        assert_eq!(pattern.to_string(), text);
        assert!(pattern.overlaps(&pattern), "{text}");
        if !text.contains('*') {
            assert!(pattern.matches(text));
        }
    }
    if let Some(digest) = fingerprint::from_hex(text) {
        assert_eq!(fingerprint::hex(&digest), text.to_ascii_lowercase());
    }
}
