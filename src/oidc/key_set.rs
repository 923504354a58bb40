//! The keys of an issuer, from its JWKS (RFC 7517). Keys that can't verify a token are left out.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;

/// The algorithms of tokens, by the word in `alg`.
const ALGORITHMS: &[(&str, Algorithm)] = &[
    ("RS256", Algorithm::RS256),
    ("PS256", Algorithm::PS256),
    ("ES256", Algorithm::ES256),
    ("ES384", Algorithm::ES384),
    ("EdDSA", Algorithm::EdDSA),
];
/// The most keys that are taken over.
const MAX_KEYS: usize = 100;
/// The shortest modulus of an RSA key, in bytes: 2048 bits.
const MIN_MODULUS: usize = 256;

/// The algorithm of a word in `alg`.
pub(super) fn algorithm(word: &str) -> Option<Algorithm> {
    ALGORITHMS.iter().find(|(known, _)| *known == word).map(|(_, algorithm)| *algorithm)
}

/// A public key with the algorithms that it is for.
pub(super) struct Key {
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) key: DecodingKey,
}

/// The keys of an issuer, by `kid`. Several keys may have the same one.
#[derive(Default)]
pub(super) struct KeySet {
    by_id: HashMap<String, Vec<Key>>,
    len: usize,
}

impl KeySet {
    /// Reads a JWKS; `None` if the document is none.
    pub(super) fn parse(document: &Value) -> Option<Self> {
        let mut set = Self::default();
        for jwk in document.get("keys")?.as_array()? {
            let Some((id, key)) = key(jwk) else { continue };
            if set.len == MAX_KEYS {
                break;
            }
            set.by_id.entry(id).or_default().push(key);
            set.len += 1;
        }
        Some(set)
    }

    /// The keys with this `kid`.
    pub(super) fn get(&self, id: &str) -> Option<&[Key]> {
        self.by_id.get(id).map(Vec::as_slice)
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }
}

/// A key for signatures with its `kid`; `None` for any other one.
fn key(jwk: &Value) -> Option<(String, Key)> {
    let text = |member: &str| jwk.get(member).and_then(Value::as_str);
    let id = text("kid").filter(|id| !id.is_empty())?;
    // A member of another type is no permission either.
    if jwk.get("use").is_some_and(|usage| usage != "sig") {
        return None;
    }
    if let Some(operations) = jwk.get("key_ops") {
        let verifies = |all: &Vec<Value>| all.iter().any(|operation| operation == "verify");
        operations.as_array().filter(|all| verifies(all))?;
    }
    let bytes = |member: &str| URL_SAFE_NO_PAD.decode(text(member)?).ok();
    let point = |length: usize| {
        let (x, y) = (bytes("x")?, bytes("y")?);
        let fits = x.len() == length && y.len() == length;
        fits.then(|| DecodingKey::from_ec_der(&[&[4], x.as_slice(), y.as_slice()].concat()))
    };
    let (key, fitting) = match (text("kty")?, text("crv")) {
        ("RSA", _) => {
            let (n, e) = (bytes("n")?, bytes("e")?);
            // Some issuers write the modulus with a leading zero, which `ring` refuses.
            let zeros = n.iter().take_while(|byte| **byte == 0).count();
            let n = &n[zeros..];
            if n.len() < MIN_MODULUS {
                return None;
            }
            (DecodingKey::from_rsa_raw_components(n, &e), vec![Algorithm::RS256, Algorithm::PS256])
        }
        ("EC", Some("P-256")) => (point(32)?, vec![Algorithm::ES256]),
        ("EC", Some("P-384")) => (point(48)?, vec![Algorithm::ES384]),
        ("OKP", Some("Ed25519")) => {
            let x = bytes("x").filter(|x| x.len() == 32)?;
            (DecodingKey::from_ed_der(&x), vec![Algorithm::EdDSA])
        }
        _ => return None,
    };
    let algorithms = match jwk.get("alg") {
        None => fitting,
        Some(named) => {
            // RFC 9864 names the curve.
            let named = if named == "Ed25519" { "EdDSA" } else { named.as_str()? };
            let named = algorithm(named).filter(|named| fitting.contains(named))?;
            vec![named]
        }
    };
    Some((id.to_owned(), Key { algorithms, key }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn jwk(change: &Value) -> Value {
        let mut jwk =
            json!({"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": URL_SAFE_NO_PAD.encode([7; 32])});
        for (member, value) in change.as_object().expect("an object") {
            jwk[member] = value.clone();
        }
        jwk
    }

    fn count(jwk: &Value) -> usize {
        KeySet::parse(&json!({ "keys": [jwk] })).expect("a JWKS").len()
    }

    #[test]
    fn a_key_that_is_not_for_signatures_of_a_known_algorithm_is_left_out() {
        for fitting in [
            json!({}),
            json!({"use": "sig"}),
            json!({"key_ops": ["verify"]}),
            json!({"alg": "EdDSA"}),
            json!({"alg": "Ed25519"}),
        ] {
            assert_eq!(count(&jwk(&fitting)), 1, "{fitting}");
        }
        for other in [
            json!({"kid": ""}),
            json!({"kid": 7}),
            json!({"use": "enc"}),
            json!({"use": ["sig"]}),
            json!({"key_ops": ["sign"]}),
            json!({"key_ops": "verify"}),
            json!({"alg": "ES256"}),
            json!({"alg": "HS256"}),
            json!({"alg": null}),
            json!({"kty": "oct", "k": "c2VjcmV0"}),
            json!({"kty": "EC", "crv": "P-256"}),
            json!({"crv": "Ed448"}),
            json!({"x": "YQ"}),
            json!({"x": "not base64url!"}),
            json!({"kty": "RSA", "n": URL_SAFE_NO_PAD.encode([7; 128]), "e": "AQAB"}),
        ] {
            assert_eq!(count(&jwk(&other)), 0, "{other}");
        }
    }

    #[test]
    fn a_document_without_a_list_of_keys_is_no_jwks() {
        for document in [json!([]), json!({}), json!({"keys": {}}), json!("keys")] {
            assert!(KeySet::parse(&document).is_none(), "{document}");
        }
        assert_eq!(KeySet::parse(&json!({"keys": [1, null, {"kid": "a"}]})).map(|set| set.len()), Some(0));
    }

    #[test]
    fn a_flood_of_keys_takes_bounded_memory() {
        let keys: Vec<Value> = (0..1000).map(|n| jwk(&json!({"kid": n.to_string()}))).collect();
        assert_eq!(KeySet::parse(&json!({ "keys": keys })).map(|set| set.len()), Some(MAX_KEYS));
    }
}
