//! The signer: a pure function, in stages (API 2.0, signature page; where the page is incomplete, the vendor's SDK).
//!
//! Canonical parameters → string to sign → signature → form. The string to sign holds the pre-shared key: it never
//! leaves this file except for the tests of the stages, and can't be printed.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;

use crate::cloud::Hidden;
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

/// The signed part of the call's target.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    pub method: Method,
    /// The API's host, with its port where that is not the scheme's own.
    pub host: &'a str,
    pub path: &'a str,
}

/// A parameter as it is signed.
struct Canonical<'a> {
    /// The key's first bytes as a number: a fast comparison that decides nearly always.
    head: u128,
    key: Cow<'a, str>,
    value: &'a str,
}

/// Parameters as they are signed: sorted by key, `_` in keys turned into `.`.
fn canonical<'a>(params: &[(&'a str, &'a str)]) -> Vec<Canonical<'a>> {
    let canonical = |&(key, value): &(&'a str, &'a str)| {
        let key = match key.as_bytes().contains(&b'_') {
            true => Cow::Owned(key.replace('_', ".")),
            false => Cow::Borrowed(key),
        };
        let mut head = [0; 16];
        let length = key.len().min(head.len());
        head[..length].copy_from_slice(&key.as_bytes()[..length]);
        Canonical { head: u128::from_be_bytes(head), key, value }
    };
    let mut sorted: Vec<_> = params.iter().map(canonical).collect();
    sorted.sort_unstable_by(|a, b| a.head.cmp(&b.head).then_with(|| a.key.cmp(&b.key)));
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
    for Canonical { key, value, .. } in canonical(params) {
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
    Hidden::new(text)
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
    // HMAC accepts a key of any length. The cloud would refuse an empty signature.
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(key) else {
        return Vec::new();
    };
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

/// The body of the call: every parameter, and the signature last. Each value is encoded once.
#[must_use]
pub fn form(params: &[(&str, &str)], signature: &str) -> Hidden {
    let pairs = || params.iter().copied().chain([(SIGNATURE, signature)]);
    // Room for all of it, if every byte had to be escaped: no copy of the key is left behind by a growing buffer.
    let length: usize = pairs().map(|(key, value)| (key.len() + value.len()) * 3 + 2).sum();
    let mut form = String::with_capacity(length);
    for (key, value) in pairs() {
        if !form.is_empty() {
            form.push('&');
        }
        encode(key, &mut form);
        form.push('=');
        encode(value, &mut form);
    }
    Hidden::new(form)
}

/// The bytes that are not escaped in `application/x-www-form-urlencoded` (WHATWG URL, section 5.2).
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = 0;
    while byte < plain.len() {
        let b = byte as u8;
        plain[byte] = b.is_ascii_alphanumeric() || matches!(b, b'*' | b'-' | b'.' | b'_');
        byte += 1;
    }
    plain
};

fn encode(text: &str, form: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| !PLAIN[usize::from(byte)]) {
        let (plain, after) = rest.split_at(at);
        form.push_str(plain);
        // A character of more than one byte is escaped byte by byte.
        let end = after.chars().next().map_or(after.len(), char::len_utf8);
        for byte in after[..end].bytes() {
            match byte {
                b' ' => form.push('+'),
                _ => form.extend([
                    '%',
                    char::from(DIGITS[usize::from(byte >> 4)]),
                    char::from(DIGITS[usize::from(byte & 15)]),
                ]),
            }
        }
        rest = &after[end..];
    }
    form.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_is_encoded_as_everybody_else_does() {
        let all: String = (0..0x250).filter_map(char::from_u32).chain("上海\u{1F310}".chars()).collect();
        let ours = form(&[("name", &all), ("empty", "")], "a+b/c=");
        let mut theirs = form_urlencoded::Serializer::new(String::new());
        theirs.extend_pairs([("name", all.as_str()), ("empty", ""), (SIGNATURE, "a+b/c=")]);
        assert_eq!(ours.expose(), theirs.finish());
    }
}
