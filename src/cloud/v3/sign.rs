//! The signer: pure functions, in stages (API 3.0, signature method TC3-HMAC-SHA256; where the page is incomplete, the
//! vendor's SDK).
//!
//! Canonical request → string to sign → signature → header. The canonical request contains the body only as its hash.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::zeroize::Zeroizing;
use sha2::{Digest, Sha256};

use crate::domain::fingerprint::hex;
use crate::domain::timestamp::Timestamp;

/// The name of the method, at the start of the string to sign and of the header.
const METHOD: &str = "TC3-HMAC-SHA256";
/// The service that the signature is for.
const SERVICE: &str = "vpc";
/// The end of every scope, and the last step of the key.
const TERMINATOR: &str = "tc3_request";
/// The signed headers, in the order in which they are signed.
const SIGNED_HEADERS: &str = "content-type;host";

/// The canonical request of a POST to the path `/`.
#[must_use]
pub fn canonical_request(host: &str, content_type: &str, body: &[u8]) -> String {
    let hash = hex(&Sha256::digest(body));
    format!("POST\n/\n\ncontent-type:{content_type}\nhost:{host}\n\n{SIGNED_HEADERS}\n{hash}")
}

/// The string to sign.
#[must_use]
pub fn string_to_sign(signed_at: Timestamp, canonical_request: &str) -> String {
    let (seconds, scope) = (signed_at.as_seconds(), scope(signed_at));
    let hash = hex(&Sha256::digest(canonical_request.as_bytes()));
    format!("{METHOD}\n{seconds}\n{scope}\n{hash}")
}

/// The signature, in hex.
#[must_use]
pub fn signature(secret_key: &str, signed_at: Timestamp, string_to_sign: &str) -> String {
    let start = Zeroizing::new(format!("TC3{secret_key}"));
    let date = mac(start.as_bytes(), &date(signed_at));
    let service = mac(&date, SERVICE);
    let key = mac(&service, TERMINATOR);
    hex(&mac(&key, string_to_sign))
}

/// The header `Authorization`.
#[must_use]
pub fn authorization(secret_id: &str, signed_at: Timestamp, signature: &str) -> String {
    let scope = scope(signed_at);
    format!("{METHOD} Credential={secret_id}/{scope}, SignedHeaders={SIGNED_HEADERS}, Signature={signature}")
}

/// What the signature is valid for: a day and the service.
fn scope(signed_at: Timestamp) -> String {
    format!("{}/{SERVICE}/{TERMINATOR}", date(signed_at))
}

/// The day in UTC. The cloud refuses the day of any other time zone.
fn date(signed_at: Timestamp) -> String {
    signed_at.to_offset().date().to_string()
}

fn mac(key: &[u8], text: &str) -> Zeroizing<Vec<u8>> {
    // HMAC accepts a key of any length. The cloud would refuse an empty signature.
    let Ok(mut mac) = <Hmac<Sha256> as KeyInit>::new_from_slice(key) else {
        return Zeroizing::default();
    };
    mac.update(text.as_bytes());
    Zeroizing::new(mac.finalize().into_bytes().to_vec())
}
