//! An entry of `DescribeVpnConn` as a [`Tunnel`], whatever spelling the cloud uses today.

use serde_json::Value;

use crate::cloud::answer::{Answer, text};
use crate::domain::ike::IkeSettings;
use crate::domain::ipsec::IpsecSettings;
use crate::domain::tunnel::{Connectivity, Reported, Tunnel, TunnelStatus};

use super::wire::NONE;

/// Reads one entry of `data`.
pub(super) fn read(answer: &Answer, entry: &Value) -> Tunnel {
    let first = |names: &[&str]| names.iter().find_map(|name| entry.get(*name).and_then(text));
    let said = |names: &[&str]| first(names).filter(|text| !text.is_empty());
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

fn all(entry: &Value, names: &[&str]) -> Vec<String> {
    names.iter().filter_map(|name| entry.get(*name).and_then(text)).collect()
}

/// A list of texts; a single text counts as a list of one.
fn list(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Array(items) => Some(items.iter().filter_map(text).collect()),
        Value::String(_) => Some(text(value).into_iter().collect()),
        _ => None,
    }
}

/// A record, or the only item of a list: the document says list, the example shows a record.
fn record<'a>(entry: &'a Value, names: &[&str]) -> &'a Value {
    let found = names.iter().find_map(|name| entry.get(*name)).unwrap_or(&Value::Null);
    match found {
        Value::Array(items) => items.first().unwrap_or(&Value::Null),
        found => found,
    }
}

/// A field that says something: unused ones come as null or as an empty text.
fn field(record: &Value, name: &str) -> Option<String> {
    record.get(name).and_then(text).filter(|text| !text.is_empty())
}

fn word(record: &Value, name: &str) -> Option<String> {
    field(record, name).map(|word| word.to_ascii_lowercase())
}

fn ike(record: &Value) -> IkeSettings {
    IkeSettings {
        encryption_algorithm: word(record, "propoEncryAlgorithm"),
        authentication_algorithm: word(record, "propoAuthenAlgorithm").map(sha),
        exchange_mode: word(record, "exchangeMode"),
        local_identity: word(record, "localIdentity"),
        local_address: field(record, "localAddress"),
        local_fqdn: field(record, "localFqdnName"),
        remote_identity: word(record, "remoteIdentity"),
        remote_address: field(record, "remoteAddress"),
        remote_fqdn: field(record, "remoteFqdnName"),
        dh_group: word(record, "dhGroupName"),
        sa_lifetime_seconds: field(record, "ikeSaLifetimeSeconds"),
    }
}

fn ipsec(record: &Value) -> IpsecSettings {
    let integrity = word(record, "integrityAlgorith").or_else(|| word(record, "integrityAlgorithm"));
    IpsecSettings {
        encryption_algorithm: word(record, "encryptAlgorithm").map(none),
        integrity_algorithm: integrity.map(sha),
        sa_lifetime_seconds: field(record, "ipsecSaLifetimeSeconds"),
        sa_lifetime_kilobytes: field(record, "ipsecSaLifetimeTraffic"),
        pfs_dh_group: word(record, "pfsDhGroup").map(none),
    }
}

/// `sha1` in answers is `sha` in calls.
fn sha(word: String) -> String {
    if word == "sha1" { "sha".into() } else { word }
}

/// The cloud's text `null` is our `none`.
fn none(word: String) -> String {
    if word == NONE { "none".into() } else { word }
}
