//! An entry of `DescribeVpnConnections` as a [`Tunnel`].

use serde_json::Value;

use crate::cloud::answer::Answer;
use crate::cloud::value::{range, ranges, record, text, whole};
use crate::domain::bgp::BgpSettings;
use crate::domain::dpd::{DpdAction, DpdSettings};
use crate::domain::health_check::HealthCheckSettings;
use crate::domain::ike::{
    DhGroup, ExchangeMode, IdentityType, IkeAuthentication, IkeEncryption, IkeSettings, IkeVersion,
};
use crate::domain::ipsec::{IpsecEncryption, IpsecIntegrity, IpsecSettings, PfsDhGroup};
use crate::domain::negotiation::NegotiationType;
use crate::domain::policy::ShownPolicy;
use crate::domain::tunnel::{Connectivity, Reported, Tunnel, TunnelStatus};
use crate::domain::wire_words::WireWords;

/// Reads one entry of `VpnConnectionSet`.
pub(super) fn read(answer: &Answer, entry: &Value) -> Tunnel {
    let ids = |name| field(entry, name).into_iter().collect();
    let policies = policies(&entry["SecurityPolicyDatabaseSet"]);
    Tunnel {
        vpc_ids: ids("VpcId"),
        gateway_ids: ids("VpnGatewayId"),
        tunnel_ids: ids("VpnConnectionId"),
        name: text(&entry["VpnConnectionName"]),
        pre_shared_key: answer.key(&entry["PreShareKey"]),
        local_cidrs: policies.as_deref().map(|p| distinct(p.iter().map(|policy| &policy.local_cidr))),
        peer_cidrs: policies.as_deref().map(|p| distinct(p.iter().flat_map(|policy| &policy.peer_cidrs))),
        security_policies: policies,
        status: field(entry, "State").map(|state| reported(state, status)),
        connectivity: field(entry, "NetStatus").map(|state| reported(state, connectivity)),
        // API 3.0 shows neither end's public address.
        gateway_address: None,
        peer_address: None,
        created_at: field(entry, "CreatedTime"),
        ike: ike(record(&entry["IKEOptionsSpecification"])),
        ipsec: ipsec(record(&entry["IPSECOptionsSpecification"])),
        dpd: DpdSettings {
            enabled: flag(&entry["DpdEnable"]),
            timeout_seconds: amount(entry, "DpdTimeout"),
            action: word::<DpdAction>(entry, "DpdAction"),
        },
        negotiation_type: word::<NegotiationType>(entry, "NegotiationType"),
        health_check: health_check(entry),
        customer_gateway_id: field(entry, "CustomerGatewayId"),
        bgp: bgp(record(&entry["BgpConfig"])),
    }
}

fn reported<T>(text: String, word: impl Fn(&str) -> Option<T>) -> Reported<T> {
    word(&text).map_or(Reported::Other(text), Reported::Known)
}

/// The words of `State`. A change that is under way has none.
fn status(word: &str) -> Option<TunnelStatus> {
    match word {
        "PENDING" => Some(TunnelStatus::Creating),
        "AVAILABLE" => Some(TunnelStatus::Running),
        "DELETING" => Some(TunnelStatus::Deleting),
        _ => None,
    }
}

/// The words of `NetStatus`.
fn connectivity(word: &str) -> Option<Connectivity> {
    match word {
        "AVAILABLE" => Some(Connectivity::Connected),
        "UNAVAILABLE" => Some(Connectivity::Disconnected),
        _ => None,
    }
}

/// The policies; `None` if one of them can't be read. A list without it would pass for the whole, and a change of
/// `peer_cidrs` would delete it.
fn policies(set: &Value) -> Option<Vec<ShownPolicy>> {
    let policy = |database: &Value| {
        let local_cidr = range(&database["LocalCidrBlock"])?;
        let peer_cidrs = ranges(database["RemoteCidrBlock"].as_array()?)?;
        Some(ShownPolicy { local_cidr, peer_cidrs })
    };
    set.as_array()?.iter().map(policy).collect()
}

fn distinct<'a>(cidrs: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut distinct: Vec<String> = Vec::new();
    for cidr in cidrs {
        if !distinct.contains(cidr) {
            distinct.push(cidr.clone());
        }
    }
    distinct
}

fn ike(record: &Value) -> IkeSettings {
    IkeSettings {
        version: word::<IkeVersion>(record, "IKEVersion"),
        encryption_algorithm: word::<IkeEncryption>(record, "PropoEncryAlgorithm"),
        authentication_algorithm: word::<IkeAuthentication>(record, "PropoAuthenAlgorithm"),
        exchange_mode: word::<ExchangeMode>(record, "ExchangeMode"),
        local_identity: word::<IdentityType>(record, "LocalIdentity"),
        local_address: field(record, "LocalAddress"),
        local_fqdn: field(record, "LocalFqdnName"),
        remote_identity: word::<IdentityType>(record, "RemoteIdentity"),
        remote_address: field(record, "RemoteAddress"),
        remote_fqdn: field(record, "RemoteFqdnName"),
        dh_group: word::<DhGroup>(record, "DhGroupName"),
        sa_lifetime_seconds: amount(record, "IKESaLifetimeSeconds"),
    }
}

fn ipsec(record: &Value) -> IpsecSettings {
    let integrity = |name| word::<IpsecIntegrity>(record, name);
    IpsecSettings {
        encryption_algorithm: word::<IpsecEncryption>(record, "EncryptAlgorithm"),
        // Without the m, as the vendor's own tools read it.
        integrity_algorithm: integrity("IntegrityAlgorith").or_else(|| integrity("IntegrityAlgorithm")),
        sa_lifetime_seconds: amount(record, "IPSECSaLifetimeSeconds"),
        sa_lifetime_kilobytes: amount(record, "IPSECSaLifetimeTraffic"),
        pfs_dh_group: word::<PfsDhGroup>(record, "PfsDhGroup"),
    }
}

fn health_check(entry: &Value) -> HealthCheckSettings {
    let config = record(&entry["HealthCheckConfig"]);
    HealthCheckSettings {
        enabled: flag(&entry["EnableHealthCheck"]),
        local_ip: field(entry, "HealthCheckLocalIp"),
        remote_ip: field(entry, "HealthCheckRemoteIp"),
        interval_ms: amount(config, "ProbeInterval"),
        timeout_ms: amount(config, "ProbeTimeout"),
        failure_threshold: amount(config, "ProbeThreshold"),
    }
}

fn bgp(record: &Value) -> BgpSettings {
    BgpSettings {
        tunnel_cidr: field(record, "TunnelCidr"),
        local_ip: field(record, "LocalBgpIp"),
        remote_ip: field(record, "RemoteBgpIp"),
    }
}

/// A field that says something: unused ones come as null or as an empty text.
fn field(record: &Value, name: &str) -> Option<String> {
    record.get(name).and_then(text).filter(|text| !text.is_empty())
}

/// A number.
fn amount(record: &Value, name: &str) -> Option<String> {
    field(record, name).map(whole)
}

/// A setting in our word.
fn word<T: WireWords>(record: &Value, name: &str) -> Option<String> {
    field(record, name).map(|text| T::setting(&text))
}

/// A switch: the document has one as a boolean and the other as 0 or 1.
fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        value => match text(value)?.as_str() {
            "0" | "false" => Some(false),
            "1" | "true" => Some(true),
            _ => None,
        },
    }
}
