//! The schema of a patch, built from the same constants as the code that parses it.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use serde_json::{Value, json};
use utoipa::openapi::schema::Schema;
use utoipa::openapi::{Object, RefOr};
use utoipa::{PartialSchema, ToSchema};

use crate::domain::ike::{self, DhGroup, ExchangeMode, IkeAuthentication, IkeEncryption, MAX_FQDN_LENGTH};
use crate::domain::ipsec::{self, IpsecEncryption, IpsecIntegrity, PfsDhGroup};
use crate::domain::name::MAX_NAME_LENGTH;
use crate::domain::secret::MAX_PRE_SHARED_KEY_LENGTH;

fn words(words: &[&str], description: &str) -> Value {
    json!({"type": "string", "enum": words, "description": description})
}

fn lifetime(range: &RangeInclusive<u32>, description: &str) -> Value {
    json!({"type": "integer", "minimum": range.start(), "maximum": range.end(), "description": description})
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
            "encryption_algorithm": words(IkeEncryption::WORDS, "Encryption algorithm."),
            "authentication_algorithm": words(IkeAuthentication::WORDS, "Authentication algorithm; `sha` is SHA-1."),
            "exchange_mode": words(ExchangeMode::WORDS, "Exchange mode."),
            "local_identity": identity("The identity of the gateway's side; without an address, the gateway's public IP.", false),
            "remote_identity": identity("The identity of the peer.", true),
            "dh_group": words(DhGroup::WORDS, "Diffie-Hellman group."),
            "sa_lifetime_seconds": lifetime(&ike::SA_LIFETIME_SECONDS, "Lifetime of the IKE SA, in seconds.")
        }
    })
}

fn ipsec_schema() -> Value {
    json!({
        "type": "object", "additionalProperties": false, "minProperties": 1,
        "description": "IPsec (phase 2). The gateway completes a partial group with the tunnel's current values.",
        "properties": {
            "encryption_algorithm": words(
                &[IpsecEncryption::WORDS, &[ipsec::NONE_ALIAS]].concat(),
                "Encryption algorithm; `none` (or the string `\"null\"`, the cloud's own word) disables encryption."),
            "integrity_algorithm": words(
                &[IpsecIntegrity::WORDS, &[ipsec::SHA_ALIAS]].concat(), "Integrity algorithm; `sha` and `sha1` are the same."),
            "sa_lifetime_seconds": lifetime(&ipsec::SA_LIFETIME_SECONDS, "Lifetime of the IPsec SA, in seconds."),
            "sa_lifetime_kilobytes": lifetime(&ipsec::SA_LIFETIME_KILOBYTES, "Lifetime of the IPsec SA, in kilobytes."),
            "pfs_dh_group": words(
                &[PfsDhGroup::WORDS, &[ipsec::NONE_ALIAS]].concat(),
                "Diffie-Hellman group of perfect forward secrecy; `none` disables it.")
        }
    })
}

/// The body of a PATCH, as JSON Schema; it is parsed by `domain::patch`.
pub fn tunnel_patch() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "minProperties": 1,
        "description": "The fields to change (RFC 7396): absent fields stay unchanged, `null` is refused. The cloud \
            requires exactly one of `peer_cidrs` and `security_policies` in every change.",
        // Exactly one of the two, in keywords that client generators ignore.
        "if": {"required": ["peer_cidrs"]},
        "then": {"not": {"required": ["security_policies"]}},
        "else": {"required": ["security_policies"]},
        "properties": {
            "name": {"type": "string", "minLength": 1, "maxLength": MAX_NAME_LENGTH,
                     "description": "The tunnel's name; control characters are refused."},
            "pre_shared_key": {"type": "string", "format": "password", "writeOnly": true, "minLength": 1,
                               "maxLength": MAX_PRE_SHARED_KEY_LENGTH, "pattern": "^[ -~]+$",
                               "description": "Printable ASCII. Never shown again: answers contain its keyed fingerprint instead."},
            "peer_cidrs": {"type": "array", "minItems": 1, "items": cidr(),
                           "description": "The ranges of the peer."},
            "security_policies": {
                "type": "array", "minItems": 1,
                "description": "Pairs of a VPC range and the peer ranges that it reaches.",
                "items": {"type": "object", "additionalProperties": false,
                          "required": ["local_cidr", "peer_cidrs"],
                          "properties": {"local_cidr": cidr(),
                                         "peer_cidrs": {"type": "array", "minItems": 1, "items": cidr()}}}
            },
            "ike": ike_schema(),
            "ipsec": ipsec_schema()
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
