//! The requested changes in the form that is stored and shown: secrets are replaced with their fingerprints.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::fingerprint::{FINGERPRINT_MEMBER, FingerprintKey};
use super::ike::{Identity, IkePatch};
use super::ipsec::IpsecPatch;
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

impl Changes {
    /// The members, named as in the patch.
    #[must_use]
    pub fn members(&self) -> &Map<String, Value> {
        &self.0
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
            Some(Ranges::PeerCidrs(cidrs)) => put(&mut members, "peer_cidrs", Some(cidrs)),
            Some(Ranges::SecurityPolicies(policies)) => {
                put(&mut members, "security_policies", Some(policies))
            }
            None => {}
        }
        if let Some(ike) = &patch.ike {
            members.insert("ike".into(), Value::Object(ike_members(ike)));
        }
        if let Some(ipsec) = &patch.ipsec {
            members.insert("ipsec".into(), Value::Object(ipsec_members(ipsec)));
        }
        Self(Arc::new(members))
    }
}

fn put<T: Serialize>(members: &mut Map<String, Value>, name: &str, value: Option<T>) {
    if let Some(value) = value {
        members.insert(name.into(), json!(value));
    }
}

fn ike_members(ike: &IkePatch) -> Map<String, Value> {
    let mut members = Map::new();
    put(&mut members, "encryption_algorithm", ike.encryption_algorithm);
    put(&mut members, "authentication_algorithm", ike.authentication_algorithm);
    put(&mut members, "exchange_mode", ike.exchange_mode);
    put(&mut members, "local_identity", ike.local_identity.as_ref().map(identity));
    put(&mut members, "remote_identity", ike.remote_identity.as_ref().map(identity));
    put(&mut members, "dh_group", ike.dh_group);
    put(&mut members, "sa_lifetime_seconds", ike.sa_lifetime_seconds);
    members
}

fn ipsec_members(ipsec: &IpsecPatch) -> Map<String, Value> {
    let mut members = Map::new();
    put(&mut members, "encryption_algorithm", ipsec.encryption_algorithm);
    put(&mut members, "integrity_algorithm", ipsec.integrity_algorithm);
    put(&mut members, "sa_lifetime_seconds", ipsec.sa_lifetime_seconds);
    put(&mut members, "sa_lifetime_kilobytes", ipsec.sa_lifetime_kilobytes);
    put(&mut members, "pfs_dh_group", ipsec.pfs_dh_group);
    members
}

fn identity(identity: &Identity) -> Value {
    match identity {
        Identity::Address(None) => json!({"type": "address"}),
        Identity::Address(Some(address)) => json!({"type": "address", "address": address}),
        Identity::Fqdn(fqdn) => json!({"type": "fqdn", "fqdn": fqdn}),
    }
}
