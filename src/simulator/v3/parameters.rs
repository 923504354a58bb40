//! The parameters of `ModifyVpnConnectionAttribute`, checked against the models of the vendor's SDK.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::Ipv4Net;
use serde_json::Value;

use crate::simulator::change::{Change, DpdChange, HealthChange, Ranges};
use crate::simulator::fields::{Bgp, CUSTOMER_ADDRESS, GATEWAY_ADDRESS, Identity, Ike, Ipsec, Policy};
use crate::simulator::words::{
    AES_128, DPD_ACTIONS, EXCHANGES, GROUP_1, GROUPS, IKE_CIPHERS, IKE_HASHES, IKE_SHA, IKE_V1, IKE_VERSIONS,
    INTEGRITY_ALGORITHMS, IPSEC_CIPHERS, IPSEC_HASHES, IPSEC_SHA, MAIN, NEGOTIATION_TYPES, NO_PFS, PFS,
    TRIPLE_DES, Word,
};

use super::answer::{Refused, refused};
use super::record::Record;

const BODY: &[&str] = &[
    "VpnConnectionId",
    "VpnConnectionName",
    "PreShareKey",
    "SecurityPolicyDatabases",
    "IKEOptionsSpecification",
    "IPSECOptionsSpecification",
    "EnableHealthCheck",
    "HealthCheckLocalIp",
    "HealthCheckRemoteIp",
    "NegotiationType",
    "DpdEnable",
    "DpdTimeout",
    "DpdAction",
    "CustomerGatewayId",
    "HealthCheckConfig",
    "BgpConfig",
];
const IKE: &[&str] = &[
    "PropoEncryAlgorithm",
    "PropoAuthenAlgorithm",
    "ExchangeMode",
    "LocalIdentity",
    "RemoteIdentity",
    "LocalAddress",
    "RemoteAddress",
    "LocalFqdnName",
    "RemoteFqdnName",
    "DhGroupName",
    "IKESaLifetimeSeconds",
    "IKEVersion",
];
const IPSEC: &[&str] = &[
    "EncryptAlgorithm",
    "IntegrityAlgorith",
    "IntegrityAlgorithm",
    "IPSECSaLifetimeSeconds",
    "IPSECSaLifetimeTraffic",
    "PfsDhGroup",
];
const PROBE: &[&str] = &["ProbeType", "ProbeInterval", "ProbeThreshold", "ProbeTimeout"];
const BGP: &[&str] = &["TunnelCidr", "LocalBgpIp", "RemoteBgpIp"];

/// Reads the tunnel's id and the change.
pub(super) fn read(value: &Value) -> Result<(&str, Change), Refused> {
    let body = Record::new("", value, BODY)?;
    let id = body.required("VpnConnectionId")?;
    let name = body
        .formed("VpnConnectionName", "1 to 60 characters", |name| (1..=60).contains(&name.chars().count()))?;
    let key = body.formed("PreShareKey", "not empty", |key| !key.is_empty())?;
    let customer_gateway = body.formed("CustomerGatewayId", "an id", is_customer_gateway)?;
    let ike = body.record("IKEOptionsSpecification", IKE)?;
    let ipsec = body.record("IPSECOptionsSpecification", IPSEC)?;
    let change = Change {
        name: name.map(str::to_owned),
        key: key.map(str::to_owned),
        ranges: body.list("SecurityPolicyDatabases", usize::MAX)?.map(policies).transpose()?,
        ike: ike.as_ref().map(read_ike).transpose()?,
        ike_version: match &ike {
            Some(ike) => Some(ike.word("IKEVersion", IKE_VERSIONS)?.unwrap_or(IKE_V1)),
            None => None,
        },
        ipsec: ipsec.as_ref().map(read_ipsec).transpose()?,
        ipsec_cipher: None,
        negotiation_type: body.word("NegotiationType", NEGOTIATION_TYPES)?,
        customer_gateway: customer_gateway.map(str::to_owned),
        dpd: read_dpd(&body)?,
        health: read_health(&body)?,
        bgp: body.record("BgpConfig", BGP)?.map(|bgp| read_bgp(&bgp)).transpose()?,
    };
    if change.customer_gateway.as_deref() == Some("cgw-missing") {
        return Err(refused("ResourceNotFound", "the customer gateway does not exist"));
    }
    Ok((id, change))
}

fn is_customer_gateway(id: &str) -> bool {
    let is_id = |rest: &str| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    id.len() <= 64 && id.strip_prefix("cgw-").is_some_and(is_id)
}

fn is_ipv4(text: &str) -> bool {
    text.parse::<Ipv4Addr>().is_ok()
}

fn policies(items: &[Value]) -> Result<Ranges, Refused> {
    const NAME: &str = "SecurityPolicyDatabases";
    let malformed = |place: &str| {
        refused("InvalidParameterValue.Malformed", format!("{place} has to be a range such as 10.0.0.0/16"))
    };
    if items.is_empty() {
        return Err(malformed(NAME));
    }
    let (mut policies, mut locals) = (Vec::new(), Vec::<Ipv4Net>::new());
    for (index, item) in items.iter().enumerate() {
        let place = format!("{NAME}.{index}");
        let record = Record::new(&place, item, &["LocalCidrBlock", "RemoteCidrBlock"])?;
        let local = record.required("LocalCidrBlock")?;
        let range: Ipv4Net = local.parse().map_err(|_| malformed(&place))?;
        let peers = record.texts("RemoteCidrBlock", usize::MAX)?;
        let peers = peers.ok_or_else(|| record.missing("RemoteCidrBlock"))?;
        if peers.is_empty() {
            return Err(malformed(&place));
        }
        for peer in &peers {
            let peer: Ipv4Net = peer.parse().map_err(|_| malformed(&place))?;
            if overlap(&range, &peer) && range.prefix_len() > 0 && peer.prefix_len() > 0 {
                let message = format!("the two ends of {place} overlap");
                return Err(refused("InvalidParameterValue.VpnConnSpdCidrConflict", message));
            }
        }
        if locals.iter().any(|other| overlap(other, &range)) {
            return Err(refused("UnsupportedOperation.VpnConnSPDOverlap", "the local ranges overlap"));
        }
        locals.push(range);
        policies.push(Policy { local: local.into(), peers: peers.into_iter().map(str::to_owned).collect() });
    }
    Ok(Ranges::Policies(policies))
}

fn overlap(one: &Ipv4Net, other: &Ipv4Net) -> bool {
    one.contains(&other.network()) || other.contains(&one.network())
}

/// The record as the cloud stores it: the given fields over the defaults.
fn read_ike(ike: &Record<'_>) -> Result<Ike, Refused> {
    Ok(Ike {
        cipher: ike.word("PropoEncryAlgorithm", IKE_CIPHERS)?.unwrap_or(TRIPLE_DES),
        hash: ike.word("PropoAuthenAlgorithm", IKE_HASHES)?.unwrap_or(IKE_SHA),
        exchange: ike.word("ExchangeMode", EXCHANGES)?.unwrap_or(MAIN),
        local: identity(ike, ["LocalIdentity", "LocalAddress", "LocalFqdnName"], Some(GATEWAY_ADDRESS))?,
        remote: identity(ike, ["RemoteIdentity", "RemoteAddress", "RemoteFqdnName"], None)?,
        group: ike.word("DhGroupName", GROUPS)?.unwrap_or(GROUP_1),
        lifetime: ike.integer("IKESaLifetimeSeconds", 60..=604_800)?.unwrap_or(86_400),
    })
}

/// An identity: the names of its type, its address and its name, and the address that the cloud takes if the call gives
/// the type alone. Answers show an empty text for the one that is not in use, which a call may send back.
fn identity(ike: &Record<'_>, names: [&str; 3], default: Option<&str>) -> Result<Identity, Refused> {
    let [kind, address, name] = names;
    let is_address = |text: &str| text.is_empty() || text.parse::<IpAddr>().is_ok();
    let given_address = ike.formed(address, "an IP address", is_address)?.filter(|text| !text.is_empty());
    let given_name = ike.text(name)?.filter(|text| !text.is_empty());
    match ike.text(kind)? {
        Some("FQDN") => Ok(Identity::Fqdn(given_name.ok_or_else(|| ike.missing(name))?.to_owned())),
        Some("ADDRESS") => {
            let address = given_address.or(default).ok_or_else(|| ike.missing(address))?;
            Ok(Identity::Address(address.to_owned()))
        }
        Some(_) => Err(ike.wrong("InvalidParameterValue", kind, "one of ADDRESS, FQDN")),
        None => Ok(Identity::Address(given_address.or(default).unwrap_or(CUSTOMER_ADDRESS).to_owned())),
    }
}

/// The record as the cloud stores it: the given fields over the defaults.
fn read_ipsec(ipsec: &Record<'_>) -> Result<Ipsec, Refused> {
    // Two fields for the same thing. The one that answers show comes first.
    let hash: Option<Word> = ipsec.word("IntegrityAlgorith", IPSEC_HASHES)?;
    let second = ipsec.word("IntegrityAlgorithm", INTEGRITY_ALGORITHMS)?;
    Ok(Ipsec {
        cipher: ipsec.word("EncryptAlgorithm", IPSEC_CIPHERS)?.unwrap_or(AES_128),
        hash: hash.or(second).unwrap_or(IPSEC_SHA),
        lifetime: ipsec.integer("IPSECSaLifetimeSeconds", 180..=604_800)?.unwrap_or(14_400),
        traffic: ipsec.integer("IPSECSaLifetimeTraffic", 2560..=u32::MAX)?.unwrap_or(4_096_000_000),
        pfs: ipsec.word("PfsDhGroup", PFS)?.unwrap_or(NO_PFS),
    })
}

fn read_dpd(body: &Record<'_>) -> Result<DpdChange, Refused> {
    let seconds = |text: &str| text.parse::<u32>().is_ok_and(|seconds| seconds > 0);
    let timeout = body.formed("DpdTimeout", "a number of seconds", seconds)?;
    Ok(DpdChange {
        is_enabled: body.integer("DpdEnable", 0..=1)?.map(|number| number == 1),
        timeout: timeout.and_then(|text| text.parse().ok()),
        action: body.word("DpdAction", DPD_ACTIONS)?,
    })
}

fn read_health(body: &Record<'_>) -> Result<HealthChange, Refused> {
    let mut health = HealthChange {
        is_enabled: body.boolean("EnableHealthCheck")?,
        local: body.formed("HealthCheckLocalIp", "an IPv4 address", is_ipv4)?.map(str::to_owned),
        remote: body.formed("HealthCheckRemoteIp", "an IPv4 address", is_ipv4)?.map(str::to_owned),
        ..HealthChange::default()
    };
    if let Some(probe) = body.record("HealthCheckConfig", PROBE)? {
        if probe.text("ProbeType")?.is_some_and(|kind| kind != "NQA") {
            return Err(probe.wrong("InvalidParameterValue", "ProbeType", "NQA"));
        }
        health.interval = probe.integer("ProbeInterval", 1000..=5000)?;
        health.threshold = probe.integer("ProbeThreshold", 3..=8)?;
        health.timeout = probe.integer("ProbeTimeout", 10..=5000)?;
    }
    Ok(health)
}

fn read_bgp(bgp: &Record<'_>) -> Result<Bgp, Refused> {
    let tunnel = bgp.required("TunnelCidr")?;
    let range = tunnel.parse::<Ipv4Net>();
    let range = range.map_err(|_| bgp.wrong("InvalidParameterValue.Malformed", "TunnelCidr", "a range"))?;
    if range.prefix_len() != 30 {
        return Err(bgp.wrong("InvalidParameterValue.VpnConnBgpTunnelCidrMask", "TunnelCidr", "a /30"));
    }
    let inside = |name: &str| {
        let text = bgp.required(name)?;
        let is_inside = text.parse::<Ipv4Addr>().is_ok_and(|address| range.contains(&address));
        let outside =
            || bgp.wrong("InvalidParameterValue.VpnConnBgpTunnelCidrNotSupported", name, "inside TunnelCidr");
        is_inside.then_some(text).ok_or_else(outside)
    };
    let (local, remote) = (inside("LocalBgpIp")?, inside("RemoteBgpIp")?);
    if local == remote {
        return Err(bgp.wrong("InvalidParameterValue", "RemoteBgpIp", "another address than LocalBgpIp"));
    }
    Ok(Bgp { tunnel: tunnel.into(), local: local.into(), remote: remote.into() })
}
