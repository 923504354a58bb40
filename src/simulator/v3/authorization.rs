//! Who makes a call: credentials, signature, timestamp.

use std::collections::BTreeMap;

use secrecy::ExposeSecret;
use subtle::ConstantTimeEq;

use crate::simulator::cloud::Cloud;

use super::answer::{Refused, refused};
use super::signature::{self, Authorization, Request};

/// The longest distance of a timestamp from now, in seconds.
const WINDOW: i64 = 300;

/// The headers that every signature has to cover.
const SIGNED: [&str; 2] = ["content-type", "host"];

/// A call as it was received.
pub(super) struct Call<'a> {
    pub(super) method: &'a str,
    /// By their names in small letters.
    pub(super) headers: BTreeMap<String, String>,
    pub(super) payload: &'a [u8],
}

impl Call<'_> {
    /// A header's value; empty if the call has none.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(String::as_str).unwrap_or_default()
    }
}

/// Checks the credentials, the signature and the timestamp.
pub(super) fn check(cloud: &Cloud, call: &Call<'_>) -> Result<(), Refused> {
    if call.method != "POST" {
        return Err(refused("UnsupportedProtocol", "the simulated cloud accepts POST only"));
    }
    let malformed = || refused("AuthFailure.InvalidAuthorization", "the header Authorization is malformed");
    let authorization = Authorization::read(call.header("authorization")).ok_or_else(malformed)?;
    if SIGNED.iter().any(|name| !authorization.signed_headers.contains(name)) {
        return Err(malformed());
    }
    let timestamp = call.header("x-tc-timestamp");
    let timestamp: i64 =
        timestamp.parse().map_err(|_| refused("MissingParameter", "X-TC-Timestamp is not a number"))?;
    let options = &cloud.options;
    if authorization.secret_id != options.secret_id {
        return Err(refused("AuthFailure.SecretIdNotFound", "the SecretId is unknown"));
    }
    let token = call.headers.get("x-tc-token").map(String::as_str);
    if token != options.token.as_ref().map(|token| token.expose_secret()) {
        return Err(refused("AuthFailure.TokenFailure", "the token is wrong"));
    }
    let mut headers = call.headers.clone();
    if let Some(host) = &options.signed_host {
        headers.insert("host".into(), host.clone());
    }
    let wrong = || refused("AuthFailure.SignatureFailure", "the signature is wrong");
    let date = signature::date(timestamp).ok_or_else(wrong)?;
    if authorization.scope != signature::scope(&date) {
        return Err(wrong());
    }
    let request = Request { headers: &headers, payload: call.payload };
    let canonical = request.canonical_request(&authorization.signed_headers).ok_or_else(wrong)?;
    let text = signature::string_to_sign(timestamp, &date, &canonical);
    let is_of = |key: &str| {
        let expected = signature::signature(key, &date, &text);
        expected.as_bytes().ct_eq(authorization.signature.as_bytes()).into()
    };
    if !options.secret_keys().any(is_of) {
        return Err(wrong());
    }
    if (cloud.clock.now().as_seconds() - timestamp).abs() > WINDOW {
        return Err(refused("AuthFailure.SignatureExpire", "X-TC-Timestamp is more than 5 minutes off"));
    }
    Ok(())
}
