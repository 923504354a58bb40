//! A change as the parameters of `ModifyVpnConnectionAttribute`.

use std::borrow::Cow;

use crate::cloud::rules;
use crate::domain::api::Api;
use crate::domain::bgp::BgpSettings;
use crate::domain::dpd::{DpdAction, DpdSettings};
use crate::domain::health_check::HealthCheckSettings;
use crate::domain::ike::{
    DhGroup, ExchangeMode, IdentityType, IkeAuthentication, IkeEncryption, IkeSettings, IkeVersion,
};
use crate::domain::ipsec::{IpsecEncryption, IpsecIntegrity, IpsecSettings, PfsDhGroup};
use crate::domain::negotiation::NegotiationType;
use crate::domain::patch::Ranges;
use crate::domain::policy::SecurityPolicy;
use crate::domain::wire_words::WireWords;
use crate::service::cloud::TunnelChange;

use super::document::{Member, Record};

/// The parameters of a change. Only the tunnel is named: its VPC and gateway are checked by the read before.
pub(super) fn modify(change: &TunnelChange) -> Record<'_> {
    let mut call = Record::default();
    call.put("VpnConnectionId", text(change.path.tunnel_id.as_str()));
    call.put_if("VpnConnectionName", change.name.as_ref().map(|name| text(name.as_str())));
    call.put_if("PreShareKey", change.pre_shared_key.as_ref().map(Member::Secret));
    if let Some(Ranges::SecurityPolicies(policies)) = &change.ranges {
        call.put("SecurityPolicyDatabases", Member::List(databases(policies)));
    }
    call.put_if("IKEOptionsSpecification", change.ike.as_ref().map(ike).and_then(record));
    call.put_if("IPSECOptionsSpecification", change.ipsec.as_ref().map(ipsec).and_then(record));
    if let Some(check) = &change.health_check {
        put_health_check(&mut call, check);
    }
    call.put_if("NegotiationType", word::<NegotiationType>(&change.negotiation_type));
    if let Some(dpd) = &change.dpd {
        put_dpd(&mut call, dpd);
    }
    let customer_gateway = change.customer_gateway_id.as_ref();
    call.put_if("CustomerGatewayId", customer_gateway.map(|id| text(id.as_str())));
    call.put_if("BgpConfig", change.bgp.as_ref().map(bgp).and_then(record));
    call
}

/// One record for each range of the VPC: the cloud refuses local ranges that overlap.
fn databases(policies: &[SecurityPolicy]) -> Vec<Member<'static>> {
    let database = |(local, peers): (String, Vec<String>)| {
        let mut database = Record::default();
        database.put("LocalCidrBlock", Member::Text(local.into()));
        let peers = peers.into_iter().map(|peer| Member::Text(peer.into())).collect();
        database.put("RemoteCidrBlock", Member::List(peers));
        Member::Record(database)
    };
    rules::joined(policies).into_iter().map(database).collect()
}

fn ike(ike: &IkeSettings) -> Record<'_> {
    let mut record = Record::default();
    record.put_if("PropoEncryAlgorithm", word::<IkeEncryption>(&ike.encryption_algorithm));
    record.put_if("PropoAuthenAlgorithm", word::<IkeAuthentication>(&ike.authentication_algorithm));
    record.put_if("ExchangeMode", word::<ExchangeMode>(&ike.exchange_mode));
    record.put_if("LocalIdentity", word::<IdentityType>(&ike.local_identity));
    record.put_if("RemoteIdentity", word::<IdentityType>(&ike.remote_identity));
    record.put_if("LocalAddress", verbatim(&ike.local_address));
    record.put_if("RemoteAddress", verbatim(&ike.remote_address));
    record.put_if("LocalFqdnName", verbatim(&ike.local_fqdn));
    record.put_if("RemoteFqdnName", verbatim(&ike.remote_fqdn));
    record.put_if("DhGroupName", word::<DhGroup>(&ike.dh_group));
    record.put_if("IKESaLifetimeSeconds", number(&ike.sa_lifetime_seconds));
    record.put_if("IKEVersion", word::<IkeVersion>(&ike.version));
    record
}

fn ipsec(ipsec: &IpsecSettings) -> Record<'_> {
    let mut record = Record::default();
    record.put_if("EncryptAlgorithm", word::<IpsecEncryption>(&ipsec.encryption_algorithm));
    // Without the m, as the vendor's own tools write it.
    record.put_if("IntegrityAlgorith", word::<IpsecIntegrity>(&ipsec.integrity_algorithm));
    record.put_if("IPSECSaLifetimeSeconds", number(&ipsec.sa_lifetime_seconds));
    record.put_if("PfsDhGroup", word::<PfsDhGroup>(&ipsec.pfs_dh_group));
    record.put_if("IPSECSaLifetimeTraffic", number(&ipsec.sa_lifetime_kilobytes));
    record
}

fn put_health_check<'a>(call: &mut Record<'a>, check: &'a HealthCheckSettings) {
    call.put_if("EnableHealthCheck", check.enabled.map(Member::Flag));
    call.put_if("HealthCheckLocalIp", verbatim(&check.local_ip));
    call.put_if("HealthCheckRemoteIp", verbatim(&check.remote_ip));
    let mut config = Record::default();
    config.put_if("ProbeInterval", number(&check.interval_ms));
    config.put_if("ProbeThreshold", number(&check.failure_threshold));
    config.put_if("ProbeTimeout", number(&check.timeout_ms));
    call.put_if("HealthCheckConfig", record(config));
}

fn put_dpd<'a>(call: &mut Record<'a>, dpd: &'a DpdSettings) {
    call.put_if("DpdEnable", dpd.enabled.map(|enabled| Member::Number(u64::from(enabled))));
    // The document has this number as a text.
    call.put_if("DpdTimeout", verbatim(&dpd.timeout_seconds));
    call.put_if("DpdAction", word::<DpdAction>(&dpd.action));
}

fn bgp(bgp: &BgpSettings) -> Record<'_> {
    let mut record = Record::default();
    record.put_if("TunnelCidr", verbatim(&bgp.tunnel_cidr));
    record.put_if("LocalBgpIp", verbatim(&bgp.local_ip));
    record.put_if("RemoteBgpIp", verbatim(&bgp.remote_ip));
    record
}

fn record(record: Record<'_>) -> Option<Member<'_>> {
    (!record.is_empty()).then_some(Member::Record(record))
}

fn text(text: &str) -> Member<'_> {
    Member::Text(text.into())
}

fn verbatim(setting: &Option<String>) -> Option<Member<'_>> {
    setting.as_deref().map(text)
}

/// A setting in API 3.0's form.
fn word<T: WireWords>(setting: &Option<String>) -> Option<Member<'_>> {
    setting.as_deref().map(|setting| Member::Text(T::wire_of(setting, Api::V3)))
}

/// Digits as a number. A text of the cloud that is none is repeated as it is.
fn number(setting: &Option<String>) -> Option<Member<'_>> {
    let digits = setting.as_deref()?;
    Some(digits.parse().map_or(Member::Text(Cow::Borrowed(digits)), Member::Number))
}
