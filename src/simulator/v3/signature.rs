//! The signature of API 3.0, TC3-HMAC-SHA256, written from the cloud's signature page. The gateway has a signer of its own:
//! each of the two checks the other, so neither uses the other's code.

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use crate::domain::fingerprint::hex;

const ALGORITHM: &str = "TC3-HMAC-SHA256";
const SERVICE: &str = "vpc";
const REQUEST: &str = "tc3_request";

/// A POST to `/` as far as its signature covers it.
pub struct Request<'a> {
    /// By their names in small letters.
    pub headers: &'a BTreeMap<String, String>,
    pub payload: &'a [u8],
}

impl Request<'_> {
    /// Method, path, query, the signed headers, their names, and the hash of the payload. `None` if a signed header is
    /// missing.
    #[must_use]
    pub fn canonical_request(&self, signed_headers: &[&str]) -> Option<String> {
        let mut names = signed_headers.to_vec();
        names.sort_unstable();
        let mut headers = String::new();
        for name in &names {
            let value = self.headers.get(*name)?.trim().to_ascii_lowercase();
            headers.push_str(&format!("{name}:{value}\n"));
        }
        let payload = hex(&Sha256::digest(self.payload));
        Some(format!("POST\n/\n\n{headers}\n{}\n{payload}", names.join(";")))
    }
}

/// The credential scope of a call on this day.
#[must_use]
pub fn scope(date: &str) -> String {
    format!("{date}/{SERVICE}/{REQUEST}")
}

/// The UTC day of a timestamp in seconds; `None` if it is beyond the calendar.
#[must_use]
pub fn date(timestamp: i64) -> Option<String> {
    let day = OffsetDateTime::from_unix_timestamp(timestamp).ok()?.date();
    Some(format!("{:04}-{:02}-{:02}", day.year(), u8::from(day.month()), day.day()))
}

/// The text that the signature covers.
#[must_use]
pub fn string_to_sign(timestamp: i64, date: &str, canonical_request: &str) -> String {
    let hash = hex(&Sha256::digest(canonical_request.as_bytes()));
    format!("{ALGORITHM}\n{timestamp}\n{}\n{hash}", scope(date))
}

/// The signature in hex.
#[must_use]
pub fn signature(secret_key: &str, date: &str, string_to_sign: &str) -> String {
    let key = format!("TC3{secret_key}").into_bytes();
    let steps = [date, SERVICE, REQUEST, string_to_sign];
    hex(&steps.iter().fold(key, |key, text| digest(&key, text)))
}

fn digest(key: &[u8], text: &str) -> Vec<u8> {
    // HMAC accepts a key of any length, and no caller's signature is empty.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// The parts of an `Authorization` header.
pub(super) struct Authorization<'a> {
    pub(super) secret_id: &'a str,
    pub(super) scope: &'a str,
    pub(super) signed_headers: Vec<&'a str>,
    pub(super) signature: &'a str,
}

impl<'a> Authorization<'a> {
    pub(super) fn read(header: &'a str) -> Option<Self> {
        let rest = header.strip_prefix(ALGORITHM)?.strip_prefix(' ')?;
        let mut parts = rest.split(", ");
        let credential = parts.next()?.strip_prefix("Credential=")?;
        let signed_headers = parts.next()?.strip_prefix("SignedHeaders=")?.split(';').collect();
        let signature = parts.next()?.strip_prefix("Signature=")?;
        let (secret_id, scope) = credential.split_once('/')?;
        parts.next().is_none().then_some(Self { secret_id, scope, signed_headers, signature })
    }
}
