//! A change as the parameters of `ModifyVpnConnEx`, in both styles that the cloud's documents show.

use std::borrow::Cow;

use secrecy::zeroize::Zeroize;
use serde_json::Value;

use crate::cloud::rules;
use crate::domain::api::Api;
use crate::domain::ids::TunnelPath;
use crate::domain::ike::{
    DhGroup, ExchangeMode, IdentityType, IkeAuthentication, IkeEncryption, IkeSettings,
};
use crate::domain::ipsec::{IpsecEncryption, IpsecIntegrity, IpsecSettings, PfsDhGroup};
use crate::domain::patch::{Ranges, Requirements};
use crate::domain::policy::SecurityPolicy;
use crate::domain::wire_words::WireWords;
use crate::domain::words::words;
use crate::service::cloud::TunnelChange;

words! {
    /// How nested parameters are written; the cloud's documents contradict each other.
    pub enum ParamStyle {
        /// `IKESet.0.x`, `IPsecSet.0.x`, `spdAcl.0`, bare `encryptAlgorithm` (the English document of 2018).
        Indexed = "indexed",
        /// `IKESet.x`, `IPsecSet.x`, `spdAcl` as one JSON text, `IKESet.encryptAlgorithm` (the later Chinese edition).
        Plain = "plain",
    }
}

impl ParamStyle {
    /// What API 2.0 requires of a patch: every call has to give one of `userGwCidrBlock` and `spdAcl`
    /// (ModifyVpnConnEx). The plain style writes `ipsec`'s encryption into `ike`'s set, so that neither group is whole
    /// without the other.
    #[must_use]
    pub fn requirements(self) -> Requirements {
        Requirements { api: Api::V2, groups_go_together: self == Self::Plain }
    }
}

/// The action that changes a tunnel.
pub(super) const MODIFY: &str = "ModifyVpnConnEx";

/// The parameter that holds the secret.
pub const PRE_SHARED_KEY: &str = "preSharedKey";

/// The parameters of one call. They may hold the pre-shared key: no `Debug`, wiped when dropped.
#[derive(Default)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// The parameters of an action that has none yet.
    #[must_use]
    pub fn of_action(action: &str) -> Self {
        let mut params = Self::default();
        params.put("Action", action);
        params
    }

    /// Adds a parameter.
    pub fn put(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.0.push((key.into(), value.into()));
    }

    fn put_if(&mut self, key: impl Into<String>, value: Option<&str>) {
        if let Some(value) = value {
            self.put(key, value);
        }
    }

    /// All of them, in the order in which they were added.
    #[must_use]
    pub fn pairs(&self) -> Vec<(&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
    }
}

impl Drop for Params {
    fn drop(&mut self) {
        for (_, value) in &mut self.0 {
            value.zeroize();
        }
    }
}

/// The three ids, under the cloud's names.
pub fn put_path(params: &mut Params, path: &TunnelPath) {
    params.put("vpcId", path.vpc_id.as_str());
    params.put("vpnGwId", path.gateway_id.as_str());
    params.put("vpnConnId", path.tunnel_id.as_str());
}

/// The parameters of `ModifyVpnConnEx`, without the common ones.
#[must_use]
pub fn modify(change: &TunnelChange, style: ParamStyle) -> Params {
    let mut params = Params::of_action(MODIFY);
    put_path(&mut params, &change.path);
    params.put_if("vpnConnName", change.name.as_ref().map(|name| name.as_str()));
    params.put_if(PRE_SHARED_KEY, change.pre_shared_key.as_ref().map(|key| key.expose()));
    match &change.ranges {
        Some(Ranges::PeerCidrs(cidrs)) => {
            for (n, cidr) in cidrs.iter().enumerate() {
                params.put(format!("userGwCidrBlock.{n}"), cidr.to_string());
            }
        }
        Some(Ranges::SecurityPolicies(policies)) => put_policies(&mut params, policies, style),
        None => {}
    }
    if let Some(ike) = &change.ike {
        put_ike(&mut params, ike, style);
    }
    if let Some(ipsec) = &change.ipsec {
        put_ipsec(&mut params, ipsec, style);
    }
    params
}

/// The cloud's form is a map from a range of the VPC to ranges of the peer, so rules for one local range are joined. The
/// rules keep the caller's order.
fn put_policies(params: &mut Params, policies: &[SecurityPolicy], style: ParamStyle) {
    let members = rules::joined(policies).into_iter().map(|(local, peers)| {
        // Not a map of serde_json, which sorts its members as texts.
        format!("{}:{}", Value::from(local), Value::from(peers))
    });
    match style {
        ParamStyle::Plain => params.put("spdAcl", format!("{{{}}}", members.collect::<Vec<_>>().join(","))),
        ParamStyle::Indexed => {
            for (n, member) in members.enumerate() {
                params.put(format!("spdAcl.{n}"), format!("{{{member}}}"));
            }
        }
    }
}

fn put_ike(params: &mut Params, ike: &IkeSettings, style: ParamStyle) {
    let set = match style {
        ParamStyle::Indexed => "IKESet.0",
        ParamStyle::Plain => "IKESet",
    };
    let fields = [
        ("propoEncryAlgorithm", word::<IkeEncryption>(&ike.encryption_algorithm)),
        ("propoAuthenAlgorithm", word::<IkeAuthentication>(&ike.authentication_algorithm)),
        ("exchangeMode", word::<ExchangeMode>(&ike.exchange_mode)),
        ("localIdentity", word::<IdentityType>(&ike.local_identity)),
        ("localAddress", verbatim(&ike.local_address)),
        ("localFqdnName", verbatim(&ike.local_fqdn)),
        ("remoteIdentity", word::<IdentityType>(&ike.remote_identity)),
        ("remoteAddress", verbatim(&ike.remote_address)),
        ("remoteFqdnName", verbatim(&ike.remote_fqdn)),
        ("dhGroupName", word::<DhGroup>(&ike.dh_group)),
        ("ikeSaLifetimeSeconds", verbatim(&ike.sa_lifetime_seconds)),
    ];
    for (field, value) in fields {
        params.put_if(format!("{set}.{field}"), value.as_deref());
    }
}

fn put_ipsec(params: &mut Params, ipsec: &IpsecSettings, style: ParamStyle) {
    let (set, encryption) = match style {
        ParamStyle::Indexed => ("IPsecSet.0", "encryptAlgorithm"),
        ParamStyle::Plain => ("IPsecSet", "IKESet.encryptAlgorithm"),
    };
    params.put_if(encryption, word::<IpsecEncryption>(&ipsec.encryption_algorithm).as_deref());
    let fields = [
        ("integrityAlgorith", word::<IpsecIntegrity>(&ipsec.integrity_algorithm)),
        ("ipsecSaLifetimeSeconds", verbatim(&ipsec.sa_lifetime_seconds)),
        ("ipsecSaLifetimeTraffic", verbatim(&ipsec.sa_lifetime_kilobytes)),
        ("pfsDhGroup", word::<PfsDhGroup>(&ipsec.pfs_dh_group)),
    ];
    for (field, value) in fields {
        params.put_if(format!("{set}.{field}"), value.as_deref());
    }
}

/// A setting in API 2.0's form.
fn word<T: WireWords>(setting: &Option<String>) -> Option<Cow<'_, str>> {
    setting.as_deref().map(|setting| T::wire_of(setting, Api::V2))
}

fn verbatim(setting: &Option<String>) -> Option<Cow<'_, str>> {
    setting.as_deref().map(Cow::Borrowed)
}
