//! The groups of a patch.

use serde_json::{Map, Value};

use super::reader::{Faults, Reader};
use crate::domain::bgp::{BgpSettings, TUNNEL_PREFIX};
use crate::domain::cidr::Ipv4Cidr;
use crate::domain::dpd::{self, DpdAction, DpdSettings};
use crate::domain::health_check::{self, HealthCheckSettings};
use crate::domain::ike::{
    self, DhGroup, ExchangeMode, IdentityType, IkeAuthentication, IkeEncryption, IkeSettings, IkeVersion,
};
use crate::domain::ipsec::{self, IpsecEncryption, IpsecIntegrity, IpsecSettings, PfsDhGroup};

/// The members of `ike`.
pub(super) const IKE_MEMBERS: &[&str] = &[
    "version",
    "encryption_algorithm",
    "authentication_algorithm",
    "exchange_mode",
    "local_identity",
    "remote_identity",
    "dh_group",
    "sa_lifetime_seconds",
];
/// The members of `ipsec`.
pub(super) const IPSEC_MEMBERS: &[&str] = &[
    "encryption_algorithm",
    "integrity_algorithm",
    "sa_lifetime_seconds",
    "sa_lifetime_kilobytes",
    "pfs_dh_group",
];
/// The members of `dpd`.
pub(super) const DPD_MEMBERS: &[&str] = &["enabled", "timeout_seconds", "action"];
/// The members of `health_check`.
pub(super) const HEALTH_CHECK_MEMBERS: &[&str] =
    &["enabled", "local_ip", "remote_ip", "interval_ms", "timeout_ms", "failure_threshold"];
/// The members of `bgp`.
pub(super) const BGP_MEMBERS: &[&str] = &["tunnel_cidr", "local_ip", "remote_ip"];

pub(super) fn ike(reader: &mut Reader<'_>) -> IkeSettings {
    let mut settings = IkeSettings {
        version: reader.has_api_3("version").then(|| reader.word::<IkeVersion>("version")).flatten(),
        encryption_algorithm: reader.word::<IkeEncryption>("encryption_algorithm"),
        authentication_algorithm: reader.word::<IkeAuthentication>("authentication_algorithm"),
        exchange_mode: reader.word::<ExchangeMode>("exchange_mode"),
        ..IkeSettings::default()
    };
    let local = reader
        .object("local_identity", |members, pointer, faults| Some(identity(members, pointer, faults, false)));
    let remote = reader
        .object("remote_identity", |members, pointer, faults| Some(identity(members, pointer, faults, true)));
    if let Some(Identity { kind, address, fqdn }) = local {
        (settings.local_identity, settings.local_address, settings.local_fqdn) = (kind, address, fqdn);
    }
    if let Some(Identity { kind, address, fqdn }) = remote {
        (settings.remote_identity, settings.remote_address, settings.remote_fqdn) = (kind, address, fqdn);
    }
    settings.dh_group = reader.word::<DhGroup>("dh_group");
    settings.sa_lifetime_seconds = reader.number("sa_lifetime_seconds", &ike::SA_LIFETIME_SECONDS, "seconds");
    settings
}

/// The identity of one side of the tunnel.
struct Identity {
    kind: Option<String>,
    address: Option<String>,
    fqdn: Option<String>,
}

fn identity(
    members: &Map<String, Value>,
    pointer: &str,
    faults: &mut Faults,
    address_required: bool,
) -> Identity {
    let mut reader = Reader::new(members, pointer, &["type", "address", "fqdn"], faults);
    reader.require("type");
    let kind = reader.known_word::<IdentityType>("type");
    let address = reader.address("address").map(|address| address.to_string());
    let fqdn = reader.fqdn("fqdn");
    match kind {
        Some(IdentityType::Address) => {
            reader.forbid("fqdn", "is allowed only with type fqdn");
            if address_required {
                reader.require("address");
            }
        }
        Some(IdentityType::Fqdn) => {
            reader.forbid("address", "is allowed only with type address");
            reader.require("fqdn");
        }
        None => {}
    }
    Identity { kind: kind.map(|kind| kind.to_string()), address, fqdn }
}

pub(super) fn ipsec(reader: &mut Reader<'_>) -> IpsecSettings {
    let kilobytes = ipsec::sa_lifetime_kilobytes(reader.api());
    IpsecSettings {
        encryption_algorithm: reader.word::<IpsecEncryption>("encryption_algorithm"),
        integrity_algorithm: reader.word::<IpsecIntegrity>("integrity_algorithm"),
        sa_lifetime_seconds: reader.number("sa_lifetime_seconds", &ipsec::SA_LIFETIME_SECONDS, "seconds"),
        sa_lifetime_kilobytes: reader.number("sa_lifetime_kilobytes", &kilobytes, "kilobytes"),
        pfs_dh_group: reader.word::<PfsDhGroup>("pfs_dh_group"),
    }
}

pub(super) fn dpd(reader: &mut Reader<'_>) -> DpdSettings {
    DpdSettings {
        enabled: reader.flag("enabled"),
        timeout_seconds: reader.number("timeout_seconds", &dpd::TIMEOUT_SECONDS, "seconds"),
        action: reader.word::<DpdAction>("action"),
    }
}

pub(super) fn health_check(reader: &mut Reader<'_>) -> HealthCheckSettings {
    HealthCheckSettings {
        enabled: reader.flag("enabled"),
        local_ip: reader.address("local_ip").map(|address| address.to_string()),
        remote_ip: reader.address("remote_ip").map(|address| address.to_string()),
        interval_ms: reader.number("interval_ms", &health_check::INTERVAL_MS, "milliseconds"),
        timeout_ms: reader.number("timeout_ms", &health_check::TIMEOUT_MS, "milliseconds"),
        failure_threshold: reader.number(
            "failure_threshold",
            &health_check::FAILURE_THRESHOLD,
            "failed probes",
        ),
    }
}

pub(super) fn bgp(reader: &mut Reader<'_>) -> BgpSettings {
    for member in BGP_MEMBERS {
        reader.require(member);
    }
    let range = reader.text("tunnel_cidr", |text| match text.parse::<Ipv4Cidr>() {
        Ok(range) if range.network().prefix_len() == TUNNEL_PREFIX => Ok(range),
        _ => Err(format!("must be an IPv4 range of prefix length {TUNNEL_PREFIX}, such as 169.254.129.0/30")),
    });
    let [local_ip, remote_ip] = ["local_ip", "remote_ip"].map(|member| {
        let address = reader.address(member)?;
        if range.is_some_and(|range| !range.network().contains(&address)) {
            reader.fault(member, "outside_tunnel_cidr", "must be an address inside tunnel_cidr");
        }
        Some(address.to_string())
    });
    BgpSettings { tunnel_cidr: range.map(|range| range.to_string()), local_ip, remote_ip }
}
