//! Reading a tunnel back: what was asked for against what is there.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::domain::changes::Changes;
use crate::domain::cidr::Ipv4Cidr;
use crate::domain::fingerprint::FingerprintKey;
use crate::domain::ike::IkeSettings;
use crate::domain::ipsec::IpsecSettings;
use crate::domain::tunnel::Tunnel;
use crate::domain::verification::{Difference, Verification};

/// What comparing showed, field by field.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Comparison {
    /// Fields that are not as asked.
    pub differences: Vec<Difference>,
    /// Fields that the cloud does not show, or not finely enough to tell.
    pub unshown: Vec<String>,
}

impl Comparison {
    /// True if every field was seen to be as asked.
    pub(super) fn is_confirmed(&self) -> bool {
        self.differences.is_empty() && self.unshown.is_empty()
    }

    /// The verdict.
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

    fn field(&mut self, pointer: String, asked: &Value, observed: Option<Value>, same: bool) {
        match observed {
            None => self.unshown.push(pointer),
            Some(_) if same => {}
            Some(observed) => self.differences.push(Difference { pointer, asked: asked.clone(), observed }),
        }
    }

    /// A setting that is one word or number, in whatever letter case and form the cloud writes it.
    fn setting(&mut self, group: &str, name: &str, asked: &Value, observed: Option<&String>) {
        let observed = observed.map(|text| match asked {
            // Numbers come as texts.
            Value::Number(_) => text.parse::<u64>().map_or_else(|_| json!(text), |number| json!(number)),
            _ => json!(text.to_lowercase()),
        });
        let same = observed.as_ref() == Some(asked);
        self.field(format!("/{group}/{name}"), asked, observed, same);
    }
}

/// Compares what was asked for with the tunnel as it is. Without the key of its fingerprint nobody can tell whether the
/// pre-shared key is as asked.
pub(super) fn compare(
    changes: &Changes,
    tunnel: &Tunnel,
    fingerprints: Option<&FingerprintKey>,
) -> Comparison {
    let mut comparison = Comparison::default();
    for (member, asked) in changes.members() {
        match (member.as_str(), asked) {
            ("name", _) => {
                let observed = tunnel.name.as_ref().map(|name| json!(name));
                let same = observed.as_ref() == Some(asked);
                comparison.field("/name".into(), asked, observed, same);
            }
            ("pre_shared_key", _) => {
                let observed = tunnel.pre_shared_key.as_ref().zip(fingerprints);
                let observed = observed.map(|(key, fingerprints)| fingerprints.masked(key));
                let same = observed.as_ref() == Some(asked);
                comparison.field("/pre_shared_key".into(), asked, observed, same);
            }
            ("peer_cidrs", _) => {
                let same =
                    tunnel.peer_cidrs.as_ref().map(|there| ranges(there)) == Some(ranges(&texts(asked)));
                let observed = tunnel.peer_cidrs.as_ref().map(|there| json!(there));
                comparison.field("/peer_cidrs".into(), asked, observed, same);
            }
            ("security_policies", _) => policies(&mut comparison, asked, tunnel),
            ("ike", Value::Object(asked)) => ike(&mut comparison, asked, &tunnel.ike),
            ("ipsec", Value::Object(asked)) => ipsec(&mut comparison, asked, &tunnel.ipsec),
            (other, _) => comparison.unshown.push(format!("/{other}")),
        }
    }
    comparison
}

/// The cloud shows only all ranges of either side, not which rule joins which. That is enough to see that something
/// is wrong, and enough to see that all is right where one side has a single range.
fn policies(comparison: &mut Comparison, asked: &Value, tunnel: &Tunnel) {
    let rules: Vec<&Value> = asked.as_array().into_iter().flatten().collect();
    let local: Vec<String> = rules.iter().filter_map(|rule| text(&rule["local_cidr"])).collect();
    let peer: Vec<String> = rules.iter().flat_map(|rule| texts(&rule["peer_cidrs"])).collect();
    let (local, peer) = (ranges(&local), ranges(&peer));
    let (Some(local_there), Some(peer_there)) = (&tunnel.local_cidrs, &tunnel.peer_cidrs) else {
        comparison.unshown.push("/security_policies".into());
        return;
    };
    let same = ranges(local_there) == local && ranges(peer_there) == peer;
    let can_tell = !same || local.len() == 1 || peer.len() == 1;
    let observed = can_tell.then(|| json!({"local_cidrs": local_there, "peer_cidrs": peer_there}));
    comparison.field("/security_policies".into(), asked, observed, same);
}

fn ike(comparison: &mut Comparison, asked: &Map<String, Value>, there: &IkeSettings) {
    for (name, asked) in asked {
        let observed = match name.as_str() {
            "encryption_algorithm" => there.encryption_algorithm.as_ref(),
            "authentication_algorithm" => there.authentication_algorithm.as_ref(),
            "exchange_mode" => there.exchange_mode.as_ref(),
            "dh_group" => there.dh_group.as_ref(),
            "sa_lifetime_seconds" => there.sa_lifetime_seconds.as_ref(),
            "local_identity" => {
                let there = [&there.local_identity, &there.local_address, &there.local_fqdn];
                identity(comparison, name, asked, there);
                continue;
            }
            "remote_identity" => {
                let there = [&there.remote_identity, &there.remote_address, &there.remote_fqdn];
                identity(comparison, name, asked, there);
                continue;
            }
            _ => None,
        };
        comparison.setting("ike", name, asked, observed);
    }
}

fn identity(
    comparison: &mut Comparison,
    name: &str,
    asked: &Value,
    [kind, address, fqdn]: [&Option<String>; 3],
) {
    let mut observed = Map::new();
    for (member, there) in [("type", kind), ("address", address), ("fqdn", fqdn)] {
        if let Some(there) = there.as_ref().filter(|there| !there.is_empty()) {
            observed.insert(member.into(), json!(there.to_lowercase()));
        }
    }
    let asked_members = asked.as_object().cloned().unwrap_or_default();
    // An address that was not asked for is the gateway's own: nothing to hold against it.
    let same = asked_members.iter().all(|(member, asked)| {
        let asked = asked.as_str().map(str::to_lowercase);
        observed.get(member).and_then(Value::as_str).map(str::to_owned) == asked
    });
    let observed = kind.is_some().then_some(Value::Object(observed));
    comparison.field(format!("/ike/{name}"), asked, observed, same);
}

fn ipsec(comparison: &mut Comparison, asked: &Map<String, Value>, there: &IpsecSettings) {
    for (name, asked) in asked {
        let observed = match name.as_str() {
            "encryption_algorithm" => there.encryption_algorithm.as_ref(),
            "integrity_algorithm" => there.integrity_algorithm.as_ref(),
            "sa_lifetime_seconds" => there.sa_lifetime_seconds.as_ref(),
            "sa_lifetime_kilobytes" => there.sa_lifetime_kilobytes.as_ref(),
            "pfs_dh_group" => there.pfs_dh_group.as_ref(),
            _ => None,
        };
        comparison.setting("ipsec", name, asked, observed);
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(text).collect()
}

/// Ranges as a set of networks: order, repetition and host bits do not matter. What is no range stays a text.
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
