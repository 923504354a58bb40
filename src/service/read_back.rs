//! What a tunnel shows of a change: each requested field against the value that was read.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::domain::changes::Changes;
use crate::domain::cidr::Ipv4Cidr;
use crate::domain::fingerprint::FingerprintKey;
use crate::domain::group_views::{BgpView, DpdView, HealthCheckView, IkeView, IpsecView};
use crate::domain::policy::ShownPolicy;
use crate::domain::tunnel::Tunnel;
use crate::domain::verification::{Difference, Verification};

/// The result of a comparison, field by field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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

    /// What it says of a change that other fields have proved. A field that did not have to change says nothing of the
    /// change, but one with another value is not confirmed.
    pub(super) fn verdict_of_proved(self) -> Verification {
        if self.differences.is_empty() {
            return self.verdict();
        }
        let others: Vec<String> = self.differences.into_iter().map(|difference| difference.pointer).collect();
        let others = others.join(", ");
        Verification::Unavailable {
            reason: Some(format!(
                "the tunnel has another value of {others} now; before the change it had the requested one"
            )),
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

/// Compares what was requested with the tunnel as it is. Without the key of its fingerprint a pre-shared key can't be
/// compared.
pub(super) fn compare(
    changes: &Changes,
    tunnel: &Tunnel,
    fingerprints: Option<&FingerprintKey>,
) -> Comparison {
    let mut comparison = Comparison::default();
    for (pointer, asked) in changes.fields() {
        let Some(observed) = observed(&pointer, tunnel, fingerprints) else {
            comparison.unshown.push(pointer);
            continue;
        };
        // `peer_cidrs` joins every range of one side with every range of the other.
        let policies = tunnel.security_policies.as_ref().filter(|_| pointer == "/peer_cidrs");
        let other = policies.filter(|policies| !is_product(policies));
        let same = is_same(&pointer, asked, &observed, tunnel.gateway_address.as_deref());
        match same.map(|same| same && other.is_none()) {
            Some(true) => comparison.same.push(pointer),
            Some(false) => {
                let observed = other.map_or(observed, |policies| json!(policies));
                comparison.differences.push(Difference { pointer, asked: asked.clone(), observed });
            }
            None => comparison.unshown.push(pointer),
        }
    }
    comparison
}

/// What the tunnel has in the fields of a change; a field that the cloud does not show is absent. `security_policies` are
/// there too if `peer_cidrs` say too little of them.
pub(super) fn before(changes: &Changes, tunnel: &Tunnel, fingerprints: &FingerprintKey) -> Changes {
    let shown = changes.fields().filter_map(|(pointer, _)| {
        let value = observed(&pointer, tunnel, Some(fingerprints))?;
        Some((pointer, value))
    });
    let mut fields: Vec<(String, Value)> = shown.collect();
    // `peer_cidrs` joins every range of one side with every range of the other. Where the tunnel's policies did not, only
    // the policies can be put back.
    if fields.iter().any(|(pointer, _)| pointer == "/peer_cidrs")
        && let Some(policies) = tunnel.security_policies.as_ref().filter(|policies| !is_product(policies))
    {
        fields.push(("/security_policies".into(), json!(policies)));
    }
    Changes::of_fields(fields)
}

/// True if the policies join every range of one side with every range of the other.
fn is_product(policies: &[ShownPolicy]) -> bool {
    let pairs = pairs(&json!(policies));
    let local: BTreeSet<&String> = pairs.iter().map(|(local, _)| local).collect();
    let peer: BTreeSet<&String> = pairs.iter().map(|(_, peer)| peer).collect();
    local.len() * peer.len() == pairs.len()
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
pub(super) fn telling(changes: &Changes, before: &Changes, gateway_address: Option<&str>) -> Telling {
    let before: BTreeMap<String, &Value> = before.fields().collect();
    let mut telling = Telling::default();
    for (pointer, asked) in changes.fields() {
        // `before` has the policies beside `peer_cidrs` only where they were others than `peer_cidrs` makes.
        let is_other = pointer == "/peer_cidrs" && before.contains_key("/security_policies");
        let same = before.get(&pointer).and_then(|before| is_same(&pointer, asked, before, gateway_address));
        match same.map(|same| same && !is_other) {
            Some(false) => telling.fields.insert(pointer),
            Some(true) => false,
            None => telling.unknown.insert(pointer),
        };
    }
    telling
}

/// The value of a field, in the form of a patch where there is one; `None` if the cloud does not show it.
pub(super) fn observed(
    pointer: &str,
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
        "/security_policies" => match &tunnel.security_policies {
            Some(policies) => Some(json!(policies)),
            // API 2.0 shows all ranges of either side, not which rule joins which.
            None => {
                let (local, peer) = tunnel.local_cidrs.as_ref().zip(tunnel.peer_cidrs.as_ref())?;
                Some(json!({"local_cidrs": local, "peer_cidrs": peer}))
            }
        },
        "/negotiation_type" => tunnel.negotiation_type.as_ref().map(|word| json!(word)),
        "/customer_gateway_id" => tunnel.customer_gateway_id.as_ref().map(|id| json!(id)),
        _ => {
            let (group, name) = pointer[1..].split_once('/')?;
            let group = match group {
                "ike" => json!(IkeView::from(&tunnel.ike)),
                "ipsec" => json!(IpsecView::from(&tunnel.ipsec)),
                "dpd" => json!(DpdView::from(&tunnel.dpd)),
                "health_check" => json!(HealthCheckView::from(&tunnel.health_check)),
                "bgp" => json!(BgpView::from(&tunnel.bgp)),
                _ => return None,
            };
            group.get(name).filter(|value| !value.is_null()).cloned()
        }
    }
}

/// Whether an observed value is the requested one; `None` if it shows too little.
fn is_same(pointer: &str, asked: &Value, observed: &Value, gateway_address: Option<&str>) -> Option<bool> {
    match pointer {
        "/peer_cidrs" => Some(ranges(&texts(observed)) == ranges(&texts(asked))),
        "/security_policies" => policies(asked, observed),
        "/bgp/tunnel_cidr" => Some(ranges(&[text(observed)?]) == ranges(&[text(asked)?])),
        "/ike/local_identity" | "/ike/remote_identity" => identity(asked, observed, gateway_address),
        "/name" | "/pre_shared_key" | "/customer_gateway_id" => Some(observed == asked),
        _ => Some(is_same_word(asked, observed)),
    }
}

/// True if two observed values of a field are the same.
pub(super) fn is_same_observed(pointer: &str, one: &Value, other: &Value) -> bool {
    match pointer {
        "/peer_cidrs" | "/security_policies" => shape(one) == shape(other),
        _ => is_same(pointer, one, other, None) == Some(true),
    }
}

/// What the cloud shows of ranges: those of one side, those of both sides, or their pairs.
fn shape(observed: &Value) -> (BTreeSet<String>, BTreeSet<String>, BTreeSet<(String, String)>) {
    match observed {
        Value::Object(_) => {
            let of = |side: &str| ranges(&texts(&observed[side]));
            (of("local_cidrs"), of("peer_cidrs"), BTreeSet::new())
        }
        _ => (BTreeSet::new(), ranges(&texts(observed)), pairs(observed)),
    }
}

/// An identity of type `address` without an address is the gateway's own address. The cloud may show which one that is, and
/// only API 2.0 shows the gateway's address.
fn identity(asked: &Value, observed: &Value, gateway_address: Option<&str>) -> Option<bool> {
    let has =
        |member: &str, asked: &Value| observed.get(member).is_some_and(|value| is_same_word(asked, value));
    let is_own = is_same_word(&asked["type"], &json!("address")) && asked["address"].is_null();
    if is_own && has("type", &asked["type"]) {
        let Some(address) = text(&observed["address"]) else { return Some(true) };
        return gateway_address.map(|own| own == address);
    }
    Some(asked.as_object()?.iter().all(|(member, asked)| has(member, asked)))
}

/// Letter case does not matter in words, domain names and addresses.
fn is_same_word(asked: &Value, observed: &Value) -> bool {
    match (asked, observed) {
        (Value::String(asked), Value::String(observed)) => asked.to_lowercase() == observed.to_lowercase(),
        _ => asked == observed,
    }
}

/// Pairs tell whether they are the requested ones. Ranges of both sides are enough to see that something is wrong, and
/// enough to see that all is right where one side has a single range.
fn policies(asked: &Value, observed: &Value) -> Option<bool> {
    let asked = pairs(asked);
    if observed.is_array() {
        return Some(pairs(observed) == asked);
    }
    let local: BTreeSet<String> = asked.iter().map(|(local, _)| local.clone()).collect();
    let peer: BTreeSet<String> = asked.iter().map(|(_, peer)| peer.clone()).collect();
    let same =
        ranges(&texts(&observed["local_cidrs"])) == local && ranges(&texts(&observed["peer_cidrs"])) == peer;
    (!same || local.len() == 1 || peer.len() == 1).then_some(same)
}

/// The pairs of networks of a list of policies: how the list groups them does not matter.
fn pairs(policies: &Value) -> BTreeSet<(String, String)> {
    let pairs = policies.as_array().into_iter().flatten().flat_map(|policy| {
        let local = text(&policy["local_cidr"]).map(|local| network(&local)).unwrap_or_default();
        texts(&policy["peer_cidrs"]).into_iter().map(move |peer| (local.clone(), network(&peer)))
    });
    pairs.collect()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(text).collect()
}

/// Ranges as a set of networks: order and repetition do not matter.
fn ranges(texts: &[String]) -> BTreeSet<String> {
    texts.iter().map(|text| network(text)).collect()
}

/// A range without its host bits. A text that is no range stays as it is.
fn network(text: &str) -> String {
    text.parse::<Ipv4Cidr>().map_or_else(|_| text.to_owned(), |range| range.network().to_string())
}

#[cfg(test)]
mod tests;
