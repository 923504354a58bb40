//! An entry of `DescribeVpnConn` as a [`Tunnel`], whatever spelling the cloud uses today.

use serde_json::Value;

use crate::cloud::answer::Answer;
use crate::cloud::value::{self, text, whole};
use crate::domain::ike::{
    DhGroup, ExchangeMode, IdentityType, IkeAuthentication, IkeEncryption, IkeSettings,
};
use crate::domain::ipsec::{IpsecEncryption, IpsecIntegrity, IpsecSettings, PfsDhGroup};
use crate::domain::tunnel::{Connectivity, Reported, Tunnel, TunnelStatus};
use crate::domain::wire_words::WireWords;

/// Reads one entry of `data`.
pub(super) fn read(answer: &Answer, entry: &Value) -> Tunnel {
    let first = |names: &[&str]| names.iter().find_map(|name| entry.get(*name).and_then(text));
    let said = |names: &[&str]| names.iter().find_map(|name| field(entry, name));
    Tunnel {
        vpc_ids: all(entry, &["unVpcId", "vpcId"]),
        gateway_ids: all(entry, &["unVpnGwId", "vpnGwId"]),
        tunnel_ids: all(entry, &["unVpnConnId", "unVpcConnId", "vpnConnId", "vpcConnId"]),
        name: first(&["vpnConnName"]),
        pre_shared_key: answer.key(&entry["preSharedKey"]),
        local_cidrs: list(&entry["sourceCidr"]),
        peer_cidrs: list(&entry["destinationCidr"]),
        status: said(&["vpcConnStatus", "vpnConnStatus"]).map(|text| reported(text, status)),
        connectivity: said(&["netStatus"]).map(|text| reported(text, connectivity)),
        gateway_address: first(&["vpnGwAddress"]),
        peer_address: first(&["userGwAddress"]),
        created_at: first(&["createTime"]),
        ike: ike(record(entry, &["IKEArr", "IKESet"])),
        ipsec: ipsec(record(entry, &["IPSECArr", "IPsecArr", "IPsecSet"])),
        customer_gateway_id: said(&["unUserGwId"]),
        // The rest is shown by API 3.0 only.
        ..Tunnel::default()
    }
}

fn reported<T>(text: String, word: impl Fn(&str) -> Option<T>) -> Reported<T> {
    word(&text).map_or(Reported::Other(text), Reported::Known)
}

/// The numbers of `vpcConnStatus`.
fn status(number: &str) -> Option<TunnelStatus> {
    Some(match number {
        "0" => TunnelStatus::Creating,
        "1" => TunnelStatus::CreationFailed,
        "2" => TunnelStatus::Modifying,
        "3" => TunnelStatus::ModificationFailed,
        "4" => TunnelStatus::Deleting,
        "5" => TunnelStatus::DeletionFailed,
        "6" => TunnelStatus::Running,
        _ => return None,
    })
}

/// The words of `netStatus`.
fn connectivity(word: &str) -> Option<Connectivity> {
    match word {
        "available" => Some(Connectivity::Connected),
        "unavailable" => Some(Connectivity::Disconnected),
        _ => None,
    }
}

/// The ids under these names; one of its two forms may be empty.
fn all(entry: &Value, names: &[&str]) -> Vec<String> {
    names.iter().filter_map(|name| field(entry, name)).collect()
}

/// A list of ranges; a single one counts as a list of one.
fn list(ranges: &Value) -> Option<Vec<String>> {
    match ranges {
        Value::Array(items) => value::ranges(items),
        single => value::range(single).map(|range| vec![range]),
    }
}

/// The record under one of these names.
fn record<'a>(entry: &'a Value, names: &[&str]) -> &'a Value {
    let records = names.iter().map(|name| value::record(&entry[*name]));
    records.into_iter().find(|record| record.is_object()).unwrap_or(&Value::Null)
}

/// A field that says something: unused ones come as null or as an empty text.
fn field(record: &Value, name: &str) -> Option<String> {
    record.get(name).and_then(text).filter(|text| !text.is_empty())
}

/// A setting in our word.
fn word<T: WireWords>(record: &Value, name: &str) -> Option<String> {
    field(record, name).map(|text| T::setting(&text))
}

/// A number.
fn amount(record: &Value, name: &str) -> Option<String> {
    field(record, name).map(whole)
}

fn ike(record: &Value) -> IkeSettings {
    IkeSettings {
        version: None,
        encryption_algorithm: word::<IkeEncryption>(record, "propoEncryAlgorithm"),
        authentication_algorithm: word::<IkeAuthentication>(record, "propoAuthenAlgorithm"),
        exchange_mode: word::<ExchangeMode>(record, "exchangeMode"),
        local_identity: word::<IdentityType>(record, "localIdentity"),
        local_address: field(record, "localAddress"),
        local_fqdn: field(record, "localFqdnName"),
        remote_identity: word::<IdentityType>(record, "remoteIdentity"),
        remote_address: field(record, "remoteAddress"),
        remote_fqdn: field(record, "remoteFqdnName"),
        dh_group: word::<DhGroup>(record, "dhGroupName"),
        sa_lifetime_seconds: amount(record, "ikeSaLifetimeSeconds"),
    }
}

fn ipsec(record: &Value) -> IpsecSettings {
    let integrity = |name| word::<IpsecIntegrity>(record, name);
    IpsecSettings {
        encryption_algorithm: word::<IpsecEncryption>(record, "encryptAlgorithm"),
        integrity_algorithm: integrity("integrityAlgorith").or_else(|| integrity("integrityAlgorithm")),
        sa_lifetime_seconds: amount(record, "ipsecSaLifetimeSeconds"),
        sa_lifetime_kilobytes: amount(record, "ipsecSaLifetimeTraffic"),
        pfs_dh_group: word::<PfsDhGroup>(record, "pfsDhGroup"),
    }
}
