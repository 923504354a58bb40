//! The requested changes in the form that is stored and shown: secrets are replaced with their fingerprints.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::fingerprint::{FINGERPRINT_MEMBER, FingerprintKey};
use super::group_views::{BgpView, DpdView, HealthCheckView, IkeView, IpsecView, put};
use super::patch::{Patch, Ranges};

/// The `changes` of an operation and of its `requested` event. Holds no secret. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Changes(Arc<Map<String, Value>>);

impl From<Map<String, Value>> for Changes {
    fn from(members: Map<String, Value>) -> Self {
        Self(Arc::new(members))
    }
}

/// The members of `changes` that are groups of fields: each of their members is a field of its own.
pub const GROUPS: &[&str] = &["ike", "ipsec", "dpd", "health_check", "bgp"];

impl Changes {
    /// The members, named as in the patch.
    #[must_use]
    pub fn members(&self) -> &Map<String, Value> {
        &self.0
    }

    /// Every field with its value, by its JSON pointer.
    pub fn fields(&self) -> impl Iterator<Item = (String, &Value)> {
        self.0.iter().flat_map(|(member, value)| match value {
            Value::Object(group) if GROUPS.contains(&member.as_str()) => {
                group.iter().map(|(name, value)| (format!("/{member}/{name}"), value)).collect()
            }
            _ => vec![(format!("/{member}"), value)],
        })
    }

    /// The changes with these fields, by their JSON pointers: the reverse of [`Self::fields`].
    #[must_use]
    pub fn of_fields(fields: impl IntoIterator<Item = (String, Value)>) -> Self {
        let mut members = Map::new();
        for (pointer, value) in fields {
            let name = pointer.strip_prefix('/').unwrap_or(&pointer);
            match name.split_once('/') {
                None => {
                    members.insert(name.to_owned(), value);
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

    /// The fingerprint of the pre-shared key, if it is changed.
    #[must_use]
    pub fn key_fingerprint(&self) -> Option<&str> {
        self.0.get("pre_shared_key")?.get(FINGERPRINT_MEMBER)?.as_str()
    }

    /// The changes that a patch asks for.
    #[must_use]
    pub fn of(patch: &Patch, key: &FingerprintKey) -> Self {
        let mut members = Map::new();
        if let Some(name) = &patch.name {
            members.insert("name".into(), json!(name));
        }
        if let Some(secret) = &patch.pre_shared_key {
            members.insert("pre_shared_key".into(), key.masked(secret));
        }
        match &patch.ranges {
            Some(Ranges::PeerCidrs(cidrs)) => {
                members.insert("peer_cidrs".into(), json!(cidrs));
            }
            Some(Ranges::SecurityPolicies(policies)) => {
                members.insert("security_policies".into(), json!(policies));
            }
            None => {}
        }
        put::<_, IkeView>(&mut members, "ike", patch.ike.as_ref());
        put::<_, IpsecView>(&mut members, "ipsec", patch.ipsec.as_ref());
        put::<_, DpdView>(&mut members, "dpd", patch.dpd.as_ref());
        put::<_, HealthCheckView>(&mut members, "health_check", patch.health_check.as_ref());
        put::<_, BgpView>(&mut members, "bgp", patch.bgp.as_ref());
        if let Some(negotiation) = &patch.negotiation_type {
            members.insert("negotiation_type".into(), json!(negotiation));
        }
        if let Some(id) = &patch.customer_gateway_id {
            members.insert("customer_gateway_id".into(), json!(id));
        }
        Self(Arc::new(members))
    }
}
