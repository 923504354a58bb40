//! The parameters that every call of API 2.0 has: credentials, signature, timestamp and nonce.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret;
use subtle::ConstantTimeEq;

use crate::simulator::cloud::Cloud;

use super::answer::{Refused, refused};
use super::signature::Request;

/// A call's parameters, decoded.
pub(super) type Params = BTreeMap<String, String>;

/// The parameters that every action accepts, the three ids included.
pub(super) const COMMON: &[&str] = &[
    "Action",
    "Region",
    "Timestamp",
    "Nonce",
    "SecretId",
    "Signature",
    "SignatureMethod",
    "Token",
    "RequestClient",
    "vpcId",
    "vpnGwId",
    "vpnConnId",
];

/// The longest distance of a timestamp from now, in seconds.
const WINDOW: i64 = 300;

/// Checks the common parameters and stores the nonce.
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
        need(name)?.parse().map_err(|_| refused(4000, format!("{name} is not a number")))
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
    let request = Request { method, host, path, params };
    let given = STANDARD.decode(need("Signature")?).unwrap_or_default();
    if !options.secret_keys().any(|key| request.signature(key).ct_eq(&given).into()) {
        return Err(refused(4100, "Signature is wrong"));
    }
    let now = cloud.clock.now().as_seconds();
    if (now - timestamp).abs() > WINDOW {
        return Err(refused(4500, "Timestamp is more than 5 minutes off"));
    }
    if !cloud.state().use_nonce(nonce, timestamp, now - 2 * WINDOW) {
        return Err(refused(4500, "Nonce was used before"));
    }
    Ok(())
}
