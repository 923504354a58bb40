//! The schema of a patch, built from the same constants as the code that parses it.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use serde_json::{Value, json};
use utoipa::openapi::schema::Schema;
use utoipa::openapi::{Object, RefOr};
use utoipa::{PartialSchema, ToSchema};

use crate::domain::api::Api;
use crate::domain::bgp::TUNNEL_PREFIX;
use crate::domain::dpd::{self, DpdAction};
use crate::domain::health_check;
use crate::domain::ids::ID_PATTERN;
use crate::domain::ike::{
    self, DhGroup, ExchangeMode, IkeAuthentication, IkeEncryption, IkeVersion, MAX_FQDN_LENGTH,
};
use crate::domain::ipsec::{self, IpsecEncryption, IpsecIntegrity, PfsDhGroup};
use crate::domain::name::MAX_NAME_LENGTH;
use crate::domain::negotiation::NegotiationType;
use crate::domain::secret::MAX_PRE_SHARED_KEY_LENGTH;
use crate::domain::wire_words::WireWords;

/// In a field: `true` if only API 3.0 has it. In an enumeration: the words that only API 3.0 has.
const NEEDS_API_3: &str = "x-api-3-only";
/// Second spellings of words of an enumeration.
const SYNONYMS: &str = "x-synonyms";

/// A word, with a second spelling that is accepted too, and the words that only API 3.0 has.
fn words<T: WireWords>(description: &str, also: &[&str]) -> Value {
    let all = T::words_of(Api::V3);
    let old = T::words_of(Api::V2);
    let new: Vec<String> =
        all.iter().filter(|word| !old.contains(word)).map(|word| format!("`{word}`")).collect();
    let needs = if new.is_empty() || old.is_empty() {
        String::new()
    } else {
        format!(" API 3.0 only: {}.", new.join(", "))
    };
    let words = [all.as_slice(), also].concat();
    let mut schema = json!({"type": "string", "enum": words, "description": format!("{description}{needs}")});
    if !needs.is_empty() {
        schema[NEEDS_API_3] = all.iter().filter(|word| !old.contains(word)).copied().collect();
    }
    if !also.is_empty() {
        schema[SYNONYMS] = json!(also);
    }
    schema
}

/// A field that only API 3.0 has.
fn of_api_3(mut schema: Value) -> Value {
    schema[NEEDS_API_3] = json!(true);
    schema
}

fn number(range: &RangeInclusive<u64>, description: &str) -> Value {
    json!({"type": "integer", "minimum": range.start(), "maximum": range.end(), "description": description})
}

fn address(description: &str) -> Value {
    json!({"type": "string", "format": "ipv4", "description": description})
}

fn cidr() -> Value {
    json!({"type": "string", "examples": ["10.100.2.0/24"],
           "description": "An IPv4 range in CIDR notation; host bits are allowed."})
}

fn identity(description: &str, address_required: bool) -> Value {
    let address: &[&str] = if address_required { &["type", "address"] } else { &["type"] };
    json!({
        "description": description,
        "oneOf": [
            {"type": "object", "additionalProperties": false, "required": address,
             "properties": {"type": {"const": "address"}, "address": {"type": "string", "format": "ipv4"}}},
            {"type": "object", "additionalProperties": false, "required": ["type", "fqdn"],
             "properties": {"type": {"const": "fqdn"},
                            "fqdn": {"type": "string", "minLength": 1, "maxLength": MAX_FQDN_LENGTH}}}
        ]
    })
}

fn ike_schema() -> Value {
    json!({
        "type": "object", "additionalProperties": false, "minProperties": 1,
        "description": "IKE (phase 1). The gateway completes a partial group with the tunnel's current values.",
        "properties": {
            "version": of_api_3(words::<IkeVersion>("Version of IKE. API 3.0 only.", &[])),
            "encryption_algorithm": words::<IkeEncryption>("Encryption algorithm.", &[]),
            "authentication_algorithm": words::<IkeAuthentication>(
                "Authentication algorithm; `sha` and `sha1` are the same.", &["sha1"]),
            "exchange_mode": words::<ExchangeMode>("Exchange mode.", &[]),
            "local_identity": identity("The identity of the gateway's side; without an address, the gateway's public IP.", false),
            "remote_identity": identity("The identity of the peer.", true),
            "dh_group": words::<DhGroup>("Diffie-Hellman group.", &[]),
            "sa_lifetime_seconds": number(&ike::SA_LIFETIME_SECONDS, "Lifetime of the IKE SA, in seconds.")
        }
    })
}

fn ipsec_schema() -> Value {
    let kilobytes = format!(
        "Lifetime of the IPsec SA, in kilobytes; with API 2.0 at most {}, or the value that the tunnel has.",
        ipsec::sa_lifetime_kilobytes(Api::V2).end()
    );
    json!({
        "type": "object", "additionalProperties": false, "minProperties": 1,
        "description": "IPsec (phase 2). The gateway completes a partial group with the tunnel's current values.",
        "properties": {
            "encryption_algorithm": words::<IpsecEncryption>(
                "Encryption algorithm; `none` (or the string `\"null\"`, the cloud's own word) disables encryption.", &["null"]),
            "integrity_algorithm": words::<IpsecIntegrity>("Integrity algorithm; `sha` and `sha1` are the same.", &["sha1"]),
            "sa_lifetime_seconds": number(&ipsec::SA_LIFETIME_SECONDS, "Lifetime of the IPsec SA, in seconds."),
            "sa_lifetime_kilobytes": number(&ipsec::sa_lifetime_kilobytes(Api::V3), &kilobytes),
            "pfs_dh_group": words::<PfsDhGroup>(
                "Diffie-Hellman group of perfect forward secrecy; `none` disables it.", &["null"])
        }
    })
}

fn dpd_schema() -> Value {
    json!({
        "type": "object", "additionalProperties": false, "minProperties": 1,
        "description": "Dead peer detection. API 3.0 only.",
        "properties": {
            "enabled": {"type": "boolean", "description": "Whether the gateway checks that the peer is alive."},
            "timeout_seconds": number(&dpd::TIMEOUT_SECONDS, "Time without an answer after which the peer is dead, in seconds."),
            "action": words::<DpdAction>("What the gateway does then: `clear` ends the session, `restart` negotiates again.", &[])
        }
    })
}

fn health_check_schema() -> Value {
    json!({
        "type": "object", "additionalProperties": false, "minProperties": 1,
        "description": "Probes through the tunnel. API 3.0 only. The cloud keeps `interval_ms`, `timeout_ms` and \
            `failure_threshold` together: the gateway completes them with the tunnel's current values, and a tunnel without \
            them needs all three.",
        "properties": {
            "enabled": {"type": "boolean", "description": "Whether the cloud probes the tunnel."},
            "local_ip": address("The cloud's end of the probe."),
            "remote_ip": address("The peer's end of the probe."),
            "interval_ms": number(&health_check::INTERVAL_MS, "Time between probes, in milliseconds."),
            "timeout_ms": number(&health_check::TIMEOUT_MS, "Time limit of a probe, in milliseconds."),
            "failure_threshold": number(&health_check::FAILURE_THRESHOLD, "Failed probes after which routes switch.")
        }
    })
}

fn bgp_schema() -> Value {
    json!({
        "type": "object", "additionalProperties": false, "required": ["tunnel_cidr", "local_ip", "remote_ip"],
        "description": "The BGP session, always with all three fields. API 3.0 only.",
        "properties": {
            "tunnel_cidr": {"type": "string", "examples": ["169.254.129.0/30"],
                            "description": format!("An IPv4 range of prefix length {TUNNEL_PREFIX}.")},
            "local_ip": address("The cloud's address, inside `tunnel_cidr`."),
            "remote_ip": address("The peer's address, inside `tunnel_cidr`.")
        }
    })
}

/// The body of a PATCH, as JSON Schema; it is parsed by `domain::patch`.
pub fn tunnel_patch() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "minProperties": 1,
        "description": "The fields to change (RFC 7396): absent fields stay unchanged, `null` is refused. With an account of \
            API 2.0 every change requires exactly one of `peer_cidrs` and `security_policies`; with API 3.0 both are \
            optional, and never go together. Letter case does not matter in words. A value beyond the documented ones \
            is accepted if the tunnel has it already.",
        // At most one of the two, in keywords that client generators ignore.
        "if": {"required": ["peer_cidrs"]},
        "then": {"not": {"required": ["security_policies"]}},
        "properties": {
            "name": {"type": "string", "minLength": 1, "maxLength": MAX_NAME_LENGTH,
                     "description": "The tunnel's name; control characters, and characters that break lines or change the direction of text, are refused."},
            "pre_shared_key": {"type": "string", "format": "password", "writeOnly": true, "minLength": 1,
                               "maxLength": MAX_PRE_SHARED_KEY_LENGTH, "pattern": "^[ -~]+$",
                               "description": "Printable ASCII. Never shown again: answers contain its keyed fingerprint instead."},
            "peer_cidrs": {"type": "array", "minItems": 1, "items": cidr(),
                           "description": "The ranges of the peer. With API 3.0 each range that the tunnel has on the VPC's side gets a security policy to these ranges."},
            "security_policies": {
                "type": "array", "minItems": 1,
                "description": "Pairs of a VPC range and the peer ranges that it reaches.",
                "items": {"type": "object", "additionalProperties": false,
                          "required": ["local_cidr", "peer_cidrs"],
                          "properties": {"local_cidr": cidr(),
                                         "peer_cidrs": {"type": "array", "minItems": 1, "items": cidr()}}}
            },
            "ike": ike_schema(),
            "ipsec": ipsec_schema(),
            "dpd": of_api_3(dpd_schema()),
            "negotiation_type": of_api_3(words::<NegotiationType>(
                "Who starts the negotiation: the gateway (`active`), the peer (`passive`), or the gateway when traffic \
                 arrives (`flow-trigger`). API 3.0 only.", &[])),
            "health_check": of_api_3(health_check_schema()),
            "customer_gateway_id": of_api_3(json!({"type": "string", "pattern": ID_PATTERN,
                "description": "The customer gateway: the peer's device. API 3.0 only."})),
            "bgp": of_api_3(bgp_schema())
        },
        "examples": [example()]
    })
}

/// The placeholder for [`tunnel_patch`], whose schema utoipa's types can't express.
pub struct TunnelPatch;

impl PartialSchema for TunnelPatch {
    fn schema() -> RefOr<Schema> {
        Object::new().into()
    }
}

impl ToSchema for TunnelPatch {
    fn name() -> Cow<'static, str> {
        "TunnelPatch".into()
    }
}

/// A patch that works against the sandbox.
pub fn example() -> Value {
    json!({"peer_cidrs": ["10.100.2.0/24"], "pre_shared_key": "tencenttest"})
}
