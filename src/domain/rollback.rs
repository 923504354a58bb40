//! Builds the patch that rolls an operation back. Its values are what the tunnel had, so they need not keep to the limits of
//! a request.

use std::collections::BTreeMap;

use serde_json::Value;

use super::api::Api;
use super::bgp::BgpSettings;
use super::cidr::Ipv4Cidr;
use super::dpd::DpdSettings;
use super::fault::Fault;
use super::health_check::HealthCheckSettings;
use super::ike::IkeSettings;
use super::ipsec::IpsecSettings;
use super::name::TunnelName;
use super::operation::{Operation, Status};
use super::patch::{Patch, Ranges};
use super::policy::SecurityPolicy;
use super::secret::PreSharedKey;

/// The only member of a rollback's body.
pub const KEY: &str = "pre_shared_key";
/// Its JSON pointer.
pub const KEY_POINTER: &str = "/pre_shared_key";

/// The JSON pointer of the policies.
const POLICIES: &str = "/security_policies";

/// Why a field can't be put back: a stable code, and a sentence for people.
type Reason = (&'static str, &'static str);

const NOT_FINAL: Reason = ("not_final", "the operation has not ended");
const NOTHING_CHANGED: Reason = ("nothing_changed", "the operation changed nothing");
const NOT_READ: Reason = ("not_read", "the tunnel was not read before the change, so its value is unknown");
const NOT_SHOWN: Reason = ("not_shown", "the cloud showed no value before the change");
const PAIRS_NOT_SHOWN: Reason =
    ("not_shown", "the cloud showed the ranges of both sides before the change, and not their pairs");
const NO_VALUE: Reason =
    ("no_value", "the tunnel had no value before the change, and the cloud cannot unset a field");
const NOT_SENDABLE: Reason =
    ("not_sendable", "the gateway can't send the value that the tunnel had before the change");
const NEEDS_API_3: Reason =
    ("needs_api_3", "the tunnel's account uses API 2.0 now, which does not have this field");
const NO_RANGES: Reason = (
    "missing_ranges",
    "the tunnel's account uses API 2.0 now, which needs ranges in every change, and this one set none",
);

/// The patch that puts back what the tunnel had before an operation. It lacks the pre-shared key, which the ledger does not
/// have.
///
/// # Errors
/// Each field that can't be put back, with the reason.
pub fn patch(operation: &Operation, api: Api) -> Result<Patch, Vec<Fault>> {
    let before = match (operation.status(), &operation.before) {
        (status, _) if !status.is_final() => return Err(every_field(operation, NOT_FINAL)),
        (Status::Rejected | Status::Failed, _) => return Err(every_field(operation, NOTHING_CHANGED)),
        (_, None) => return Err(every_field(operation, NOT_READ)),
        (_, Some(before)) => before,
    };
    let had: BTreeMap<String, &Value> = before.fields().collect();
    let mut patch = Patch::default();
    let mut faults = Vec::new();
    for (pointer, _) in operation.changes.fields() {
        // Where ranges alone do not tell the policies that the tunnel had, `before` has both.
        let source = if pointer == "/peer_cidrs" && had.contains_key(POLICIES) { POLICIES } else { &pointer };
        let put = match had.get(source) {
            Some(value) => put(&mut patch, source, value, api),
            None => Err(NOT_SHOWN),
        };
        if let Err((code, detail)) = put {
            faults.push(Fault::new(pointer, code, detail));
        }
    }
    if faults.is_empty() && api == Api::V2 && patch.ranges.is_none() {
        let (code, detail) = NO_RANGES;
        faults.push(Fault::new("/peer_cidrs", code, detail));
    }
    if faults.is_empty() { Ok(patch) } else { Err(faults) }
}

/// The pre-shared key in the body of a rollback.
///
/// # Errors
/// Every fault of the document. No detail repeats a value, which might be a secret.
pub fn key(document: &Value) -> Result<Option<PreSharedKey>, Vec<Fault>> {
    let Value::Object(members) = document else {
        return Err(vec![Fault::new("", "wrong_type", "must be a JSON object; {} if no key is needed")]);
    };
    let mut key = None;
    let mut faults = Vec::new();
    for (member, value) in members {
        if member != KEY {
            let pointer = format!("/{}", member.replace('~', "~0").replace('/', "~1"));
            faults.push(Fault::new(
                pointer,
                "unknown_field",
                format!("is not a field here; the only one is {KEY}"),
            ));
            continue;
        }
        match value.as_str().map(PreSharedKey::parse) {
            Some(Ok(parsed)) => key = Some(parsed),
            Some(Err(error)) => faults.push(Fault::new(KEY_POINTER, "invalid", error.to_string())),
            None => faults.push(Fault::new(KEY_POINTER, "wrong_type", "must be a string")),
        }
    }
    if faults.is_empty() { Ok(key) } else { Err(faults) }
}

/// One reason for every field of an operation.
fn every_field(operation: &Operation, (code, detail): Reason) -> Vec<Fault> {
    operation.changes.fields().map(|(pointer, _)| Fault::new(pointer, code, detail)).collect()
}

/// Sets a field of the patch to the value that the tunnel had.
fn put(patch: &mut Patch, pointer: &str, value: &Value, api: Api) -> Result<(), Reason> {
    let (member, name) = pointer[1..].split_once('/').unwrap_or((&pointer[1..], ""));
    let is_new =
        matches!(member, "dpd" | "negotiation_type" | "health_check" | "customer_gateway_id" | "bgp")
            || pointer == "/ike/version";
    if is_new && api == Api::V2 {
        return Err(NEEDS_API_3);
    }
    match member {
        "name" => patch.name = Some(TunnelName::from_cloud(&text(value)?)),
        // The caller gives the key; `before` has its fingerprint.
        "pre_shared_key" => {}
        "peer_cidrs" => patch.ranges = Some(Ranges::PeerCidrs(cidrs(value)?)),
        "security_policies" => patch.ranges = Some(Ranges::SecurityPolicies(policies(value)?)),
        "ike" => put_ike(patch.ike.get_or_insert_default(), name, value)?,
        "ipsec" => put_ipsec(patch.ipsec.get_or_insert_default(), name, value)?,
        "dpd" => put_dpd(patch.dpd.get_or_insert_default(), name, value)?,
        "negotiation_type" => patch.negotiation_type = Some(text(value)?),
        "health_check" => put_health_check(patch.health_check.get_or_insert_default(), name, value)?,
        "customer_gateway_id" => {
            patch.customer_gateway_id = Some(text(value)?.parse().map_err(|_| NOT_SENDABLE)?);
        }
        "bgp" => put_bgp(patch.bgp.get_or_insert_default(), name, value)?,
        _ => return Err(NOT_SENDABLE),
    }
    Ok(())
}

/// Sets the setting of a group that has the name of the field.
macro_rules! put_setting {
    ($group:ident, $name:ident, $value:ident: $($setting:ident),+) => {
        match $name {
            $(stringify!($setting) => $group.$setting = Some(text($value)?),)+
            _ => return Err(NOT_SENDABLE),
        }
    };
}

fn put_ike(ike: &mut IkeSettings, name: &str, value: &Value) -> Result<(), Reason> {
    match name {
        "local_identity" => {
            let identity = identity(value)?;
            (ike.local_identity, ike.local_address, ike.local_fqdn) = identity;
        }
        "remote_identity" => {
            let (kind, address, fqdn) = identity(value)?;
            if address.is_none() && fqdn.is_none() {
                return Err(NO_VALUE);
            }
            (ike.remote_identity, ike.remote_address, ike.remote_fqdn) = (kind, address, fqdn);
        }
        _ => {
            put_setting!(ike, name, value: version, encryption_algorithm, authentication_algorithm, exchange_mode,
            dh_group, sa_lifetime_seconds)
        }
    }
    Ok(())
}

fn put_ipsec(ipsec: &mut IpsecSettings, name: &str, value: &Value) -> Result<(), Reason> {
    put_setting!(ipsec, name, value: encryption_algorithm, integrity_algorithm, sa_lifetime_seconds,
        sa_lifetime_kilobytes, pfs_dh_group);
    Ok(())
}

fn put_dpd(dpd: &mut DpdSettings, name: &str, value: &Value) -> Result<(), Reason> {
    match name {
        "enabled" => dpd.enabled = Some(value.as_bool().ok_or(NOT_SENDABLE)?),
        _ => put_setting!(dpd, name, value: timeout_seconds, action),
    }
    Ok(())
}

fn put_health_check(check: &mut HealthCheckSettings, name: &str, value: &Value) -> Result<(), Reason> {
    match name {
        "enabled" => check.enabled = Some(value.as_bool().ok_or(NOT_SENDABLE)?),
        _ => {
            put_setting!(check, name, value: local_ip, remote_ip, interval_ms, timeout_ms, failure_threshold)
        }
    }
    Ok(())
}

fn put_bgp(bgp: &mut BgpSettings, name: &str, value: &Value) -> Result<(), Reason> {
    put_setting!(bgp, name, value: tunnel_cidr, local_ip, remote_ip);
    Ok(())
}

/// A value as the text of a setting.
fn text(value: &Value) -> Result<String, Reason> {
    match value {
        Value::String(text) if !text.is_empty() => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::String(_) | Value::Null => Err(NO_VALUE),
        _ => Err(NOT_SENDABLE),
    }
}

fn cidr(value: &Value) -> Result<Ipv4Cidr, Reason> {
    value.as_str().and_then(|text| text.parse().ok()).ok_or(NOT_SENDABLE)
}

fn cidrs(value: &Value) -> Result<Vec<Ipv4Cidr>, Reason> {
    match value.as_array().map(Vec::as_slice) {
        Some([]) => Err(NO_VALUE),
        Some(ranges) => ranges.iter().map(cidr).collect(),
        None => Err(NOT_SENDABLE),
    }
}

/// API 2.0 shows the ranges of both sides, which do not tell the pairs.
fn policies(value: &Value) -> Result<Vec<SecurityPolicy>, Reason> {
    let policy = |policy: &Value| {
        Ok(SecurityPolicy {
            local_cidr: cidr(&policy["local_cidr"])?,
            peer_cidrs: cidrs(&policy["peer_cidrs"])?,
        })
    };
    match value.as_array().map(Vec::as_slice) {
        Some([]) => Err(NO_VALUE),
        Some(policies) => policies.iter().map(policy).collect(),
        None => Err(PAIRS_NOT_SHOWN),
    }
}

/// Type, address and name of an identity.
type IdentitySettings = (Option<String>, Option<String>, Option<String>);

fn identity(value: &Value) -> Result<IdentitySettings, Reason> {
    let member = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let (kind, address, fqdn) = (member("type").ok_or(NO_VALUE)?, member("address"), member("fqdn"));
    if kind == "fqdn" && fqdn.is_none() {
        return Err(NO_VALUE);
    }
    Ok((Some(kind), address, fqdn))
}

#[cfg(test)]
mod tests;
