//! A patch: the change that a consumer asks for. Parsing a patch gives either a valid patch or all its faults.

use serde_json::{Map, Value};

use super::api::Api;
use super::bgp::BgpSettings;
use super::cidr::Ipv4Cidr;
use super::dpd::DpdSettings;
use super::fault::Fault;
use super::health_check::HealthCheckSettings;
use super::ids::CustomerGatewayId;
use super::ike::IkeSettings;
use super::ipsec::IpsecSettings;
use super::name::TunnelName;
use super::negotiation::NegotiationType;
use super::policy::SecurityPolicy;
use super::secret::PreSharedKey;

mod groups;
mod reader;

use reader::{Faults, Reader};

/// What the account's API requires of a patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requirements {
    /// API 2.0 wants exactly one kind of ranges in every change; API 3.0 wants at most one, and takes more fields and
    /// values.
    pub api: Api,
    /// True if the API's parameters mix `ike` and `ipsec`, so that sending one of them whole takes both.
    pub groups_go_together: bool,
}

/// The ranges that a patch sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ranges {
    /// `peer_cidrs`: the ranges on the peer's side (the older, coarser way).
    PeerCidrs(Vec<Ipv4Cidr>),
    /// `security_policies`: pairs of ranges, one on the VPC's side and one on the peer's.
    SecurityPolicies(Vec<SecurityPolicy>),
}

/// The change that a consumer asks for. The tunnel keeps the settings that are `None`. Settings are in our words.
#[derive(Debug, Clone, Default)]
pub struct Patch {
    pub name: Option<TunnelName>,
    pub pre_shared_key: Option<PreSharedKey>,
    /// `None` only with API 3.0.
    pub ranges: Option<Ranges>,
    pub ike: Option<IkeSettings>,
    pub ipsec: Option<IpsecSettings>,
    /// API 3.0 only, like the settings after it.
    pub dpd: Option<DpdSettings>,
    pub negotiation_type: Option<String>,
    pub health_check: Option<HealthCheckSettings>,
    pub customer_gateway_id: Option<CustomerGatewayId>,
    /// With all three settings.
    pub bgp: Option<BgpSettings>,
    /// Values beyond the documented ones, each with its fault. The patch is valid if the tunnel has these values
    /// already: whatever a GET shows can be sent back.
    pub outside: Vec<Fault>,
}

/// The members of a patch, in the order of the documentation.
pub const MEMBERS: &[&str] = &[
    "name",
    "pre_shared_key",
    "peer_cidrs",
    "security_policies",
    "ike",
    "ipsec",
    "dpd",
    "negotiation_type",
    "health_check",
    "customer_gateway_id",
    "bgp",
];

impl Patch {
    /// Parses a JSON document as a merge patch (RFC 7396).
    ///
    /// # Errors
    /// Every fault of the document, with JSON pointers. No detail repeats a value, which might be a secret.
    pub fn parse(document: &Value, requirements: Requirements) -> Result<Self, Vec<Fault>> {
        let Value::Object(members) = document else {
            return Err(vec![Fault::new("", "wrong_type", "must be a JSON object")]);
        };
        let mut faults = Faults::new(requirements.api);
        let mut reader = Reader::new(members, "", MEMBERS, &mut faults);
        if members.is_empty() {
            reader.fault("", "empty", "must give at least one field: an empty patch changes nothing");
        }
        let name = reader.name("name");
        let pre_shared_key = reader.text("pre_shared_key", PreSharedKey::parse);
        let peer_cidrs = reader.list("peer_cidrs", cidr);
        let security_policies = reader.list("security_policies", policy);
        let mut patch = Self {
            name,
            pre_shared_key,
            ranges: peer_cidrs.map(Ranges::PeerCidrs).or(security_policies.map(Ranges::SecurityPolicies)),
            ike: reader.group("ike", groups::IKE_MEMBERS, groups::ike),
            ipsec: reader.group("ipsec", groups::IPSEC_MEMBERS, groups::ipsec),
            ..Self::default()
        };
        if reader.has_api_3("dpd") {
            patch.dpd = reader.group("dpd", groups::DPD_MEMBERS, groups::dpd);
        }
        if reader.has_api_3("negotiation_type") {
            patch.negotiation_type = reader.word::<NegotiationType>("negotiation_type");
        }
        if reader.has_api_3("health_check") {
            patch.health_check =
                reader.group("health_check", groups::HEALTH_CHECK_MEMBERS, groups::health_check);
        }
        if reader.has_api_3("customer_gateway_id") {
            patch.customer_gateway_id =
                reader.text("customer_gateway_id", |text| text.parse::<CustomerGatewayId>());
        }
        if reader.has_api_3("bgp") {
            patch.bgp = reader.group("bgp", groups::BGP_MEMBERS, groups::bgp);
        }
        faults.found.extend(ranges_fault(members, requirements.api));
        if faults.found.is_empty() {
            return Ok(Self { outside: faults.outside, ..patch });
        }
        faults.found.append(&mut faults.outside);
        Err(faults.found)
    }
}

/// The fault of too many or too few kinds of ranges. An invalid member counts as present, so that one mistake is one
/// fault.
fn ranges_fault(members: &Map<String, Value>, api: Api) -> Option<Fault> {
    match (members.contains_key("peer_cidrs"), members.contains_key("security_policies")) {
        (true, true) => Some(Fault::new(
            "",
            "conflicting_ranges",
            "give either peer_cidrs or security_policies, not both",
        )),
        (false, false) if api == Api::V2 => Some(Fault::new(
            "",
            "missing_ranges",
            "every change must give peer_cidrs or security_policies, even if only another field changes: repeat the \
             ranges that the tunnel has",
        )),
        _ => None,
    }
}

fn cidr(value: &Value, pointer: &str, faults: &mut Faults) -> Option<Ipv4Cidr> {
    match value.as_str().map(str::parse) {
        Some(Ok(cidr)) => Some(cidr),
        Some(Err(error)) => {
            let error: super::cidr::InvalidCidr = error;
            faults.add(Fault::new(pointer, "invalid_cidr", error.to_string()));
            None
        }
        None => {
            faults.add(Fault::new(pointer, "wrong_type", "must be a string"));
            None
        }
    }
}

fn policy(value: &Value, pointer: &str, faults: &mut Faults) -> Option<SecurityPolicy> {
    let Value::Object(members) = value else {
        faults.add(Fault::new(pointer, "wrong_type", "must be an object"));
        return None;
    };
    let mut reader = Reader::new(members, pointer, &["local_cidr", "peer_cidrs"], faults);
    reader.require("local_cidr");
    reader.require("peer_cidrs");
    let local_cidr = reader.text("local_cidr", |text| text.parse::<Ipv4Cidr>());
    let peer_cidrs = reader.list("peer_cidrs", cidr);
    Some(SecurityPolicy { local_cidr: local_cidr?, peer_cidrs: peer_cidrs? })
}

#[cfg(test)]
mod tests;
