//! A patch: the change that a consumer asks for. Parsing a patch gives either a valid patch or all its faults.

use serde_json::{Map, Value};

use super::cidr::Ipv4Cidr;
use super::fault::Fault;
use super::ike::{self, Identity, IdentityType, IkePatch};
use super::ipsec::{self, IpsecEncryption, IpsecIntegrity, IpsecPatch, NONE_ALIAS, PfsDhGroup, SHA_ALIAS};
use super::name::TunnelName;
use super::policy::SecurityPolicy;
use super::secret::PreSharedKey;

mod reader;

use reader::{Reader, words_of};

/// What the version of the cloud's API requires of a patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requirements {
    pub ranges: RequiredRanges,
    /// True if the API's parameters mix `ike` and `ipsec`, so that sending one of them whole takes both.
    pub groups_go_together: bool,
}

/// How many of `peer_cidrs` and `security_policies` a patch must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequiredRanges {
    ExactlyOne,
    AtMostOne,
}

/// The ranges that a patch sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ranges {
    /// `peer_cidrs`: the ranges on the peer's side (the older, coarser way).
    PeerCidrs(Vec<Ipv4Cidr>),
    /// `security_policies`: pairs of ranges, one on the VPC's side and one on the peer's.
    SecurityPolicies(Vec<SecurityPolicy>),
}

/// The change that a consumer asks for. The tunnel keeps the settings that are `None`.
#[derive(Debug, Clone)]
pub struct Patch {
    pub name: Option<TunnelName>,
    pub pre_shared_key: Option<PreSharedKey>,
    /// `None` only where the API requires no ranges.
    pub ranges: Option<Ranges>,
    pub ike: Option<IkePatch>,
    pub ipsec: Option<IpsecPatch>,
}

/// The members of a patch, in the order of the documentation.
pub const MEMBERS: &[&str] = &["name", "pre_shared_key", "peer_cidrs", "security_policies", "ike", "ipsec"];
/// The members of `ike`.
pub const IKE_MEMBERS: &[&str] = &[
    "encryption_algorithm",
    "authentication_algorithm",
    "exchange_mode",
    "local_identity",
    "remote_identity",
    "dh_group",
    "sa_lifetime_seconds",
];
/// The members of `ipsec`.
pub const IPSEC_MEMBERS: &[&str] = &[
    "encryption_algorithm",
    "integrity_algorithm",
    "sa_lifetime_seconds",
    "sa_lifetime_kilobytes",
    "pfs_dh_group",
];

impl Patch {
    /// Parses a JSON document as a merge patch (RFC 7396).
    ///
    /// # Errors
    /// Every fault of the document, with JSON pointers. No detail repeats a value, which might be a secret.
    pub fn parse(document: &Value, requirements: Requirements) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let Value::Object(members) = document else {
            return Err(vec![Fault::new("", "wrong_type", "must be a JSON object")]);
        };
        let mut reader = Reader::new(members, "", MEMBERS, &mut faults);
        if members.is_empty() {
            reader.fault("", "empty", "must give at least one field: an empty patch changes nothing");
        }
        let name = reader.text("name", |text| text.parse::<TunnelName>());
        let pre_shared_key = reader.text("pre_shared_key", PreSharedKey::parse);
        let peer_cidrs = reader.list("peer_cidrs", cidr);
        let security_policies = reader.list("security_policies", policy);
        let ike = reader.group("ike", IKE_MEMBERS, ike_patch);
        let ipsec = reader.group("ipsec", IPSEC_MEMBERS, ipsec_patch);
        faults.extend(ranges_fault(members, requirements.ranges));
        if !faults.is_empty() {
            return Err(faults);
        }
        let security_policies = security_policies.map(Ranges::SecurityPolicies);
        let ranges = peer_cidrs.map(Ranges::PeerCidrs).or(security_policies);
        Ok(Self { name, pre_shared_key, ranges, ike, ipsec })
    }
}

/// The fault of too many or too few kinds of ranges. An invalid member counts as present, so that one mistake is one
/// fault.
fn ranges_fault(members: &Map<String, Value>, required: RequiredRanges) -> Option<Fault> {
    match (members.contains_key("peer_cidrs"), members.contains_key("security_policies")) {
        (true, true) => Some(Fault::new(
            "",
            "conflicting_ranges",
            "give either peer_cidrs or security_policies, not both",
        )),
        (false, false) if required == RequiredRanges::ExactlyOne => Some(Fault::new(
            "",
            "missing_ranges",
            "every change must give peer_cidrs or security_policies, even if only another field changes: repeat the \
             ranges that the tunnel has",
        )),
        _ => None,
    }
}

fn cidr(value: &Value, pointer: &str, faults: &mut Vec<Fault>) -> Option<Ipv4Cidr> {
    match value.as_str().map(str::parse) {
        Some(Ok(cidr)) => Some(cidr),
        Some(Err(error)) => {
            let error: super::cidr::InvalidCidr = error;
            faults.push(Fault::new(pointer, "invalid_cidr", error.to_string()));
            None
        }
        None => {
            faults.push(Fault::new(pointer, "wrong_type", "must be a string"));
            None
        }
    }
}

fn policy(value: &Value, pointer: &str, faults: &mut Vec<Fault>) -> Option<SecurityPolicy> {
    let Value::Object(members) = value else {
        faults.push(Fault::new(pointer, "wrong_type", "must be an object"));
        return None;
    };
    let mut reader = Reader::new(members, pointer, &["local_cidr", "peer_cidrs"], faults);
    reader.require("local_cidr");
    reader.require("peer_cidrs");
    let local_cidr = reader.text("local_cidr", |text| text.parse::<Ipv4Cidr>());
    let peer_cidrs = reader.list("peer_cidrs", cidr);
    Some(SecurityPolicy { local_cidr: local_cidr?, peer_cidrs: peer_cidrs? })
}

fn ike_patch(reader: &mut Reader<'_>) -> IkePatch {
    IkePatch {
        encryption_algorithm: reader.word("encryption_algorithm", words_of!(ike::IkeEncryption)),
        authentication_algorithm: reader.word("authentication_algorithm", words_of!(ike::IkeAuthentication)),
        exchange_mode: reader.word("exchange_mode", words_of!(ike::ExchangeMode)),
        local_identity: reader
            .object("local_identity", |value, pointer, faults| identity(value, pointer, faults, false)),
        remote_identity: reader
            .object("remote_identity", |value, pointer, faults| identity(value, pointer, faults, true)),
        dh_group: reader.word("dh_group", words_of!(ike::DhGroup)),
        sa_lifetime_seconds: reader.number("sa_lifetime_seconds", ike::SA_LIFETIME_SECONDS, "seconds"),
    }
}

fn identity(
    members: &Map<String, Value>,
    pointer: &str,
    faults: &mut Vec<Fault>,
    address_required: bool,
) -> Option<Identity> {
    let mut reader = Reader::new(members, pointer, &["type", "address", "fqdn"], faults);
    reader.require("type");
    let kind = reader.word("type", words_of!(IdentityType));
    let address = reader.address("address");
    let fqdn = reader.fqdn("fqdn");
    match kind? {
        IdentityType::Address => {
            reader.forbid("fqdn", "is allowed only with type fqdn");
            if address_required {
                reader.require("address");
            }
            (address.is_some() || !members.contains_key("address")).then_some(Identity::Address(address))
        }
        IdentityType::Fqdn => {
            reader.forbid("address", "is allowed only with type address");
            reader.require("fqdn");
            fqdn.map(Identity::Fqdn)
        }
    }
}

fn ipsec_patch(reader: &mut Reader<'_>) -> IpsecPatch {
    IpsecPatch {
        encryption_algorithm: reader.word(
            "encryption_algorithm",
            (
                |word| match word {
                    NONE_ALIAS => Some(IpsecEncryption::None),
                    word => IpsecEncryption::from_word(word),
                },
                IpsecEncryption::WORDS,
            ),
        ),
        integrity_algorithm: reader.word(
            "integrity_algorithm",
            (
                |word| match word {
                    SHA_ALIAS => Some(IpsecIntegrity::Sha),
                    word => IpsecIntegrity::from_word(word),
                },
                IpsecIntegrity::WORDS,
            ),
        ),
        sa_lifetime_seconds: reader.number("sa_lifetime_seconds", ipsec::SA_LIFETIME_SECONDS, "seconds"),
        sa_lifetime_kilobytes: reader.number(
            "sa_lifetime_kilobytes",
            ipsec::SA_LIFETIME_KILOBYTES,
            "kilobytes",
        ),
        pfs_dh_group: reader.word(
            "pfs_dh_group",
            (
                |word| match word {
                    NONE_ALIAS => Some(PfsDhGroup::None),
                    word => PfsDhGroup::from_word(word),
                },
                PfsDhGroup::WORDS,
            ),
        ),
    }
}

#[cfg(test)]
mod tests;
