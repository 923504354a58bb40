//! What a tunnel shows of a change: each requested field against the value that was read.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::domain::changes::Changes;
use crate::domain::cidr::Ipv4Cidr;
use crate::domain::fingerprint::FingerprintKey;
use crate::domain::ike::IkeSettings;
use crate::domain::ipsec::IpsecSettings;
use crate::domain::tunnel::Tunnel;
use crate::domain::verification::{Difference, Verification};

/// The result of a comparison, field by field.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Comparison {
    /// Fields that are as requested.
    pub same: Vec<String>,
    /// Fields that are not.
    pub differences: Vec<Difference>,
    /// Fields that the cloud does not show, or not in enough detail.
    pub unshown: Vec<String>,
}

impl Comparison {
    /// What it says of the change as a whole.
    pub(super) fn verdict(self) -> Verification {
        if !self.differences.is_empty() {
            return Verification::Diverged { differences: self.differences };
        }
        if self.unshown.is_empty() {
            return Verification::Confirmed;
        }
        Verification::Unavailable {
            reason: Some(format!("the cloud does not show {}", self.unshown.join(", "))),
        }
    }

    /// The part of it that is about these fields.
    pub(super) fn only(mut self, pointers: &BTreeSet<String>) -> Self {
        self.same.retain(|pointer| pointers.contains(pointer));
        self.differences.retain(|difference| pointers.contains(&difference.pointer));
        self.unshown.retain(|pointer| pointers.contains(pointer));
        self
    }
}

/// Every field of a change with its requested value, by its JSON pointer.
fn fields(changes: &Changes) -> Vec<(String, &Value)> {
    let mut fields = Vec::new();
    for (member, asked) in changes.members() {
        match (member.as_str(), asked) {
            ("ike" | "ipsec", Value::Object(group)) => {
                fields.extend(group.iter().map(|(name, asked)| (format!("/{member}/{name}"), asked)));
            }
            _ => fields.push((format!("/{member}"), asked)),
        }
    }
    fields
}

/// Compares what was requested with the tunnel as it is. Without the key of its fingerprint a pre-shared key can't be
/// compared.
pub(super) fn compare(
    changes: &Changes,
    tunnel: &Tunnel,
    fingerprints: Option<&FingerprintKey>,
) -> Comparison {
    let mut comparison = Comparison::default();
    for (pointer, asked) in fields(changes) {
        let Some(observed) = observed(&pointer, asked, tunnel, fingerprints) else {
            comparison.unshown.push(pointer);
            continue;
        };
        match is_same(&pointer, asked, &observed) {
            Some(true) => comparison.same.push(pointer),
            Some(false) => {
                comparison.differences.push(Difference { pointer, asked: asked.clone(), observed });
            }
            None => comparison.unshown.push(pointer),
        }
    }
    comparison
}

/// What the tunnel has in the fields of a change; a field that the cloud does not show is absent.
pub(super) fn before(changes: &Changes, tunnel: &Tunnel, fingerprints: &FingerprintKey) -> Changes {
    let mut members = Map::new();
    for (pointer, asked) in fields(changes) {
        let Some(value) = observed(&pointer, asked, tunnel, Some(fingerprints)) else { continue };
        match pointer[1..].split_once('/') {
            None => {
                members.insert(pointer[1..].to_owned(), value);
            }
            Some((group, name)) => {
                let group = members.entry(group).or_insert_with(|| Value::Object(Map::new()));
                if let Value::Object(group) = group {
                    group.insert(name.to_owned(), value);
                }
            }
        }
    }
    members.into()
}

/// Which fields of a change tell whether it happened.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Telling {
    /// Their value before was another one.
    pub fields: BTreeSet<String>,
    /// Their value before is not known, or can't be compared.
    pub unknown: BTreeSet<String>,
}

/// The fields whose requested value was other than the one before: only they can show that the change happened.
pub(super) fn telling(changes: &Changes, before: &Changes) -> Telling {
    let before: BTreeMap<String, &Value> = fields(before).into_iter().collect();
    let mut telling = Telling::default();
    for (pointer, asked) in fields(changes) {
        match before.get(&pointer).and_then(|before| is_same(&pointer, asked, before)) {
            Some(false) => telling.fields.insert(pointer),
            Some(true) => false,
            None => telling.unknown.insert(pointer),
        };
    }
    telling
}

/// The value of a field, in the form of a patch where there is one.
fn observed(
    pointer: &str,
    asked: &Value,
    tunnel: &Tunnel,
    fingerprints: Option<&FingerprintKey>,
) -> Option<Value> {
    match pointer {
        "/name" => tunnel.name.as_ref().map(|name| json!(name)),
        "/pre_shared_key" => {
            let (key, fingerprints) = tunnel.pre_shared_key.as_ref().zip(fingerprints)?;
            Some(fingerprints.masked(key))
        }
        "/peer_cidrs" => tunnel.peer_cidrs.as_ref().map(|cidrs| json!(cidrs)),
        // The cloud shows all ranges of either side, not which rule joins which.
        "/security_policies" => {
            let (local, peer) = tunnel.local_cidrs.as_ref().zip(tunnel.peer_cidrs.as_ref())?;
            Some(json!({"local_cidrs": local, "peer_cidrs": peer}))
        }
        _ => {
            let (group, name) = pointer[1..].split_once('/')?;
            match group {
                "ike" => ike(name, asked, &tunnel.ike),
                "ipsec" => setting(asked, ipsec(name, &tunnel.ipsec)?),
                _ => None,
            }
        }
    }
}

/// A setting that is one word or number, in whatever letter case and form the cloud writes it.
fn setting(asked: &Value, text: &Option<String>) -> Option<Value> {
    let text = text.as_ref()?;
    Some(match asked {
        // Numbers come as texts.
        Value::Number(_) => text.parse::<u64>().map_or_else(|_| json!(text), |number| json!(number)),
        _ => json!(text.to_lowercase()),
    })
}

fn ike(name: &str, asked: &Value, tunnel: &IkeSettings) -> Option<Value> {
    let text = match name {
        "encryption_algorithm" => &tunnel.encryption_algorithm,
        "authentication_algorithm" => &tunnel.authentication_algorithm,
        "exchange_mode" => &tunnel.exchange_mode,
        "dh_group" => &tunnel.dh_group,
        "sa_lifetime_seconds" => &tunnel.sa_lifetime_seconds,
        "local_identity" => {
            return identity([&tunnel.local_identity, &tunnel.local_address, &tunnel.local_fqdn]);
        }
        "remote_identity" => {
            return identity([&tunnel.remote_identity, &tunnel.remote_address, &tunnel.remote_fqdn]);
        }
        _ => return None,
    };
    setting(asked, text)
}

fn identity([kind, address, fqdn]: [&Option<String>; 3]) -> Option<Value> {
    kind.as_ref()?;
    let mut members = Map::new();
    for (member, text) in [("type", kind), ("address", address), ("fqdn", fqdn)] {
        if let Some(text) = text.as_ref().filter(|text| !text.is_empty()) {
            members.insert(member.into(), json!(text.to_lowercase()));
        }
    }
    Some(Value::Object(members))
}

fn ipsec<'a>(name: &str, tunnel: &'a IpsecSettings) -> Option<&'a Option<String>> {
    Some(match name {
        "encryption_algorithm" => &tunnel.encryption_algorithm,
        "integrity_algorithm" => &tunnel.integrity_algorithm,
        "sa_lifetime_seconds" => &tunnel.sa_lifetime_seconds,
        "sa_lifetime_kilobytes" => &tunnel.sa_lifetime_kilobytes,
        "pfs_dh_group" => &tunnel.pfs_dh_group,
        _ => return None,
    })
}

/// Whether an observed value is the requested one; `None` if it shows too little.
fn is_same(pointer: &str, asked: &Value, observed: &Value) -> Option<bool> {
    match pointer {
        "/peer_cidrs" => Some(ranges(&texts(observed)) == ranges(&texts(asked))),
        "/security_policies" => policies(asked, observed),
        "/ike/local_identity" | "/ike/remote_identity" => {
            // An address that was not requested is the gateway's own: there is nothing to compare it with.
            let members = asked.as_object()?;
            Some(members.iter().all(|(member, asked)| {
                let asked = asked.as_str().map(str::to_lowercase);
                observed.get(member).and_then(Value::as_str).map(str::to_owned) == asked
            }))
        }
        _ => Some(observed == asked),
    }
}

/// Ranges of both sides are enough to see that something is wrong, and enough to see that all is right where one side
/// has a single range.
fn policies(asked: &Value, observed: &Value) -> Option<bool> {
    let rules: Vec<&Value> = asked.as_array().into_iter().flatten().collect();
    let local: Vec<String> = rules.iter().filter_map(|rule| text(&rule["local_cidr"])).collect();
    let peer: Vec<String> = rules.iter().flat_map(|rule| texts(&rule["peer_cidrs"])).collect();
    let (local, peer) = (ranges(&local), ranges(&peer));
    let same =
        ranges(&texts(&observed["local_cidrs"])) == local && ranges(&texts(&observed["peer_cidrs"])) == peer;
    (!same || local.len() == 1 || peer.len() == 1).then_some(same)
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(text).collect()
}

/// Ranges as a set of networks: order, repetition and host bits do not matter. A text that is no range stays as it is.
fn ranges(texts: &[String]) -> BTreeSet<String> {
    texts
        .iter()
        .map(|text| match text.parse::<Ipv4Cidr>() {
            Ok(range) => range.network().to_string(),
            Err(_) => text.clone(),
        })
        .collect()
}

#[cfg(test)]
mod tests;
