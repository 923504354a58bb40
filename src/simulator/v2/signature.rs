//! The signature of API 2.0, written from the cloud's signature page. The gateway has a signer of its own: each of the
//! two checks the other, so neither uses the other's code.

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit, Mac};

/// A request as far as its signature covers it.
pub struct Request<'a> {
    /// In capitals.
    pub method: &'a str,
    pub host: &'a str,
    pub path: &'a str,
    /// Decoded; `Signature` itself is ignored.
    pub params: &'a BTreeMap<String, String>,
}

impl Request<'_> {
    /// The text that the signature covers: method, host, path, `?`, and the parameters sorted by key. Keys have dots
    /// where they had underscores. The vendor's SDK leaves out the values of a POST that begin with `@`.
    #[must_use]
    pub fn string_to_sign(&self) -> String {
        let is_signed =
            |key: &str, value: &str| key != "Signature" && !(self.method == "POST" && value.starts_with('@'));
        let signed = self.params.iter().filter(|(key, value)| is_signed(key, value));
        let sorted: BTreeMap<String, &String> =
            signed.map(|(key, value)| (key.replace('_', "."), value)).collect();
        let pairs: Vec<String> = sorted.iter().map(|(key, value)| format!("{key}={value}")).collect();
        format!("{}{}{}?{}", self.method, self.host, self.path, pairs.join("&"))
    }

    /// The bytes of the signature: HMAC-SHA256 if `SignatureMethod` is exactly `HmacSHA256`, HMAC-SHA1 otherwise.
    #[must_use]
    pub fn signature(&self, secret_key: &str) -> Vec<u8> {
        let (key, text) = (secret_key.as_bytes(), self.string_to_sign());
        match self.params.get("SignatureMethod").map(String::as_str) {
            Some("HmacSHA256") => digest(Hmac::<sha2::Sha256>::new_from_slice(key), &text),
            _ => digest(Hmac::<sha1::Sha1>::new_from_slice(key), &text),
        }
    }
}

fn digest<M: Mac, E>(mac: Result<M, E>, text: &str) -> Vec<u8> {
    // HMAC accepts a key of any length, and no caller's signature is empty.
    let Ok(mut mac) = mac else { return Vec::new() };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}
