//! Is this call rightly signed? Written anew from the cloud's documents, and on purpose not with the gateway's own
//! signer: each is a check of the other.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::ExposeSecret;
use subtle::ConstantTimeEq;

use super::{Cloud, Options};

/// A call's parameters, decoded.
pub(super) type Params = BTreeMap<String, String>;

/// A refusal: the cloud's number, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) code: i64,
    pub(super) code_desc: Option<&'static str>,
    pub(super) message: String,
}

pub(super) fn refused(code: i64, message: impl Into<String>) -> Refused {
    Refused { code, code_desc: None, message: message.into() }
}

/// How far a timestamp may be off, in seconds.
const WINDOW: i64 = 300;

/// Checks the common parameters, and remembers the nonce.
pub(super) fn check(
    cloud: &Cloud,
    method: &str,
    host: &str,
    path: &str,
    params: &Params,
) -> Result<(), Refused> {
    let need = |name: &str| {
        params
            .get(name)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| refused(4000, format!("{name} is missing")))
    };
    let number = |name: &str| -> Result<i64, Refused> {
        need(name)?.parse().map_err(|_| refused(4000, format!("{name} is no number")))
    };
    let (timestamp, nonce) = (number("Timestamp")?, number("Nonce")?);
    if nonce < 1 {
        return Err(refused(4000, "Nonce must be positive"));
    }
    let options = &cloud.options;
    if *need("SecretId")? != options.secret_id {
        return Err(refused(4104, "SecretId is unknown"));
    }
    let token = params.get("Token").map(String::as_str);
    if token != options.token.as_ref().map(|token| token.expose_secret()) {
        return Err(refused(4105, "Token is wrong"));
    }
    let host = options.signed_host.as_deref().unwrap_or(host);
    let signature = STANDARD.decode(need("Signature")?).unwrap_or_default();
    if !bool::from(expected(options, method, host, path, params).ct_eq(&signature)) {
        return Err(refused(4100, "Signature is wrong"));
    }
    let now = cloud.clock.now().as_seconds();
    if (now - timestamp).abs() > WINDOW {
        return Err(refused(4500, "Timestamp is more than 5 minutes off"));
    }
    if !cloud.state().remember_nonce(nonce, timestamp, now - 2 * WINDOW) {
        return Err(refused(4500, "Nonce was used before"));
    }
    Ok(())
}

fn expected(options: &Options, method: &str, host: &str, path: &str, params: &Params) -> Vec<u8> {
    let dotted: BTreeMap<String, &String> = params
        .iter()
        .filter(|(key, value)| *key != "Signature" && !(method == "POST" && value.starts_with('@')))
        .map(|(key, value)| (key.replace('_', "."), value))
        .collect();
    let joined: Vec<String> = dotted.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let text = format!("{method}{host}{path}?{}", joined.join("&"));
    let key = options.secret_key.expose_secret().as_bytes();
    let is_sha256 = params.get("SignatureMethod").is_some_and(|method| method == "HmacSHA256");
    if is_sha256 {
        digest(Hmac::<sha2::Sha256>::new_from_slice(key), &text)
    } else {
        digest(Hmac::<sha1::Sha1>::new_from_slice(key), &text)
    }
}

fn digest<M: Mac, E>(mac: Result<M, E>, text: &str) -> Vec<u8> {
    let Ok(mut mac) = mac else { return Vec::new() };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}
