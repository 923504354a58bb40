//! The signer: a pure function, in stages (API 2.0, signature page; where the pages are silent, what the vendor's own
//! SDK does).
//!
//! Canonical parameters → string to sign → signature → form. The string to sign holds the pre-shared key: it never
//! leaves this file except for the tests of the stages, and can't be printed.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::zeroize::Zeroizing;
use sha1::Sha1;
use sha2::Sha256;

use crate::domain::words::words;

/// The parameter that holds the signature, last in the form.
pub const SIGNATURE: &str = "Signature";

words! {
    /// The hash under the signature (`SignatureMethod`).
    pub enum SignatureMethod {
        HmacSha1 = "HmacSHA1",
        HmacSha256 = "HmacSHA256",
    }
}

/// The HTTP method, which takes part in the signature. The gateway itself only ever sends POST.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
}

/// Where the call goes, as far as it is signed.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    pub method: Method,
    /// The API's host, with its port where that is not the scheme's own.
    pub host: &'a str,
    pub path: &'a str,
}

/// A text that must not be shown and is wiped when dropped.
pub struct Hidden(Zeroizing<String>);

impl Hidden {
    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden(***)")
    }
}

/// Parameters as they are signed: sorted by key, `_` in keys turned into `.`.
fn canonical<'a>(params: &[(&'a str, &'a str)]) -> Vec<(std::borrow::Cow<'a, str>, &'a str)> {
    let mut sorted: Vec<_> = params
        .iter()
        .map(|&(key, value)| match key.contains('_') {
            true => (std::borrow::Cow::Owned(key.replace('_', ".")), value),
            false => (std::borrow::Cow::Borrowed(key), value),
        })
        .collect();
    sorted.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    sorted
}

/// The string to sign. With POST the vendor's SDK leaves out every parameter whose value begins with `@` (PHP's old
/// file upload notation) and the server expects that.
#[must_use]
pub fn string_to_sign(target: Target<'_>, params: &[(&str, &str)]) -> Hidden {
    let length: usize = params.iter().map(|(key, value)| key.len() + value.len() + 2).sum();
    let mut text = String::with_capacity(length + target.host.len() + target.path.len() + 8);
    text.push_str(match target.method {
        Method::Get => "GET",
        Method::Post => "POST",
    });
    text.push_str(target.host);
    text.push_str(target.path);
    let mut separator = '?';
    for (key, value) in canonical(params) {
        if target.method == Method::Post && value.starts_with('@') {
            continue;
        }
        text.push(separator);
        text.push_str(&key);
        text.push('=');
        text.push_str(value);
        separator = '&';
    }
    if separator == '?' {
        text.push('?');
    }
    Hidden(Zeroizing::new(text))
}

/// The signature: base64 of the HMAC over the string to sign.
#[must_use]
pub fn signature(method: SignatureMethod, secret_key: &str, string_to_sign: &Hidden) -> String {
    let (key, text) = (secret_key.as_bytes(), string_to_sign.expose().as_bytes());
    match method {
        SignatureMethod::HmacSha1 => STANDARD.encode(mac::<Hmac<Sha1>>(key, text)),
        SignatureMethod::HmacSha256 => STANDARD.encode(mac::<Hmac<Sha256>>(key, text)),
    }
}

fn mac<M: Mac + KeyInit>(key: &[u8], text: &[u8]) -> Vec<u8> {
    // HMAC takes a key of any length; an empty result is a signature that nobody accepts.
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(key) else {
        return Vec::new();
    };
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

/// The body of the call: every parameter, and the signature last. Each value is encoded once.
#[must_use]
pub fn form(params: &[(&str, &str)], signature: &str) -> Hidden {
    let length: usize = params.iter().map(|(key, value)| key.len() + value.len() + 8).sum();
    // Room for the usual share of escapes, so that no copy of the key is left behind by a growing buffer.
    let mut form = form_urlencoded::Serializer::new(String::with_capacity(length * 2 + 64));
    form.extend_pairs(params);
    form.append_pair(SIGNATURE, signature);
    Hidden(Zeroizing::new(form.finish()))
}
