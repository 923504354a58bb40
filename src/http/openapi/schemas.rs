//! Schemas that are built from the same constants as the code that parses.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use serde_json::{Value, json};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{Object, Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use super::examples;
use crate::domain::ike::{self, DhGroup, ExchangeMode, IkeAuthentication, IkeEncryption, MAX_FQDN_LENGTH};
use crate::domain::ipsec::{self, IpsecEncryption, IpsecIntegrity, PfsDhGroup};
use crate::domain::name::MAX_NAME_LENGTH;
use crate::domain::secret::MAX_PRE_SHARED_KEY_LENGTH;
use crate::domain::tunnel_view::TunnelView;
use crate::http::audit::view::EventSchema;
use crate::http::operations::view::OperationView;
use crate::http::page::Page;
use crate::http::problem::pages::TypeView;
use crate::http::tunnels::dry_run::DryRunView;

fn words(words: &[&str], description: &str) -> Value {
    json!({"type": "string", "enum": words, "description": description})
}

fn lifetime(range: &RangeInclusive<u32>, description: &str) -> Value {
    json!({"type": "integer", "minimum": range.start(), "maximum": range.end(), "description": description})
}

fn cidr() -> Value {
    json!({"type": "string", "examples": ["10.100.2.0/24"],
           "description": "An IPv4 range; host bits are allowed."})
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
        "description": "IKE (phase 1). A group that is given in part is merged with what the tunnel has.",
        "properties": {
            "encryption_algorithm": words(IkeEncryption::WORDS, "Encryption."),
            "authentication_algorithm": words(IkeAuthentication::WORDS, "Authentication; `sha` is SHA-1."),
            "exchange_mode": words(ExchangeMode::WORDS, "Exchange mode."),
            "local_identity": identity("How this side names itself; without an address by the gateway's public IP.", false),
            "remote_identity": identity("How the peer names itself.", true),
            "dh_group": words(DhGroup::WORDS, "Diffie-Hellman group."),
            "sa_lifetime_seconds": lifetime(&ike::SA_LIFETIME_SECONDS, "Lifetime of the IKE SA, in seconds.")
        }
    })
}

fn ipsec_schema() -> Value {
    json!({
        "type": "object", "additionalProperties": false, "minProperties": 1,
        "description": "IPsec (phase 2). A group that is given in part is merged with what the tunnel has.",
        "properties": {
            "encryption_algorithm": words(
                &[IpsecEncryption::WORDS, &[ipsec::CLOUD_NONE]].concat(),
                "Encryption; `none` (also written `\"null\"`, as the cloud does) switches it off."),
            "integrity_algorithm": words(
                &[IpsecIntegrity::WORDS, &["sha1"]].concat(), "Integrity; `sha` and `sha1` are the same."),
            "sa_lifetime_seconds": lifetime(&ipsec::SA_LIFETIME_SECONDS, "Lifetime of the IPsec SA, in seconds."),
            "sa_lifetime_kilobytes": lifetime(&ipsec::SA_LIFETIME_KILOBYTES, "Lifetime of the IPsec SA, in kilobytes."),
            "pfs_dh_group": words(
                &[PfsDhGroup::WORDS, &[ipsec::CLOUD_NONE]].concat(),
                "Diffie-Hellman group of perfect forward secrecy; `none` switches it off.")
        }
    })
}

/// The body of a PATCH, as JSON Schema; it is parsed by `domain::patch`.
pub(super) fn tunnel_patch() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "minProperties": 1,
        "description": "What to change (RFC 7396): an absent field stays as it is, `null` is refused. The cloud \
            wants exactly one of `peer_cidrs` and `security_policies` in every change.",
        // Exactly one of the two, in words that generators of clients leave alone.
        "if": {"required": ["peer_cidrs"]},
        "then": {"not": {"required": ["security_policies"]}},
        "else": {"required": ["security_policies"]},
        "properties": {
            "name": {"type": "string", "minLength": 1, "maxLength": MAX_NAME_LENGTH,
                     "description": "The tunnel's name; control characters are refused."},
            "pre_shared_key": {"type": "string", "format": "password", "writeOnly": true, "minLength": 1,
                               "maxLength": MAX_PRE_SHARED_KEY_LENGTH, "pattern": "^[ -~]+$",
                               "description": "Printable ASCII. Never shown again: it stands as its keyed fingerprint."},
            "peer_cidrs": {"type": "array", "minItems": 1, "items": cidr(),
                           "description": "The peer's ranges."},
            "security_policies": {
                "type": "array", "minItems": 1,
                "description": "Which range of the VPC talks to which ranges of the peer.",
                "items": {"type": "object", "additionalProperties": false,
                          "required": ["local_cidr", "peer_cidrs"],
                          "properties": {"local_cidr": cidr(),
                                         "peer_cidrs": {"type": "array", "minItems": 1, "items": cidr()}}}
            },
            "ike": ike_schema(),
            "ipsec": ipsec_schema()
        },
        "examples": [examples::patch()]
    })
}

/// Stands for [`tunnel_patch`] where calls are described: utoipa's own types can't hold all that it says.
pub(super) struct TunnelPatch;

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

/// A page of operations.
pub(super) type OperationPage = Page<OperationView<'static>>;
/// A page of events.
pub(super) type AuditEventPage = Page<EventSchema>;
/// A page of tunnels.
pub(super) type TunnelPage = Page<TunnelView>;
/// A page of types of problems.
pub(super) type ProblemTypePage = Page<TypeView>;

impl<T: ToSchema> PartialSchema for Page<T> {
    fn schema() -> RefOr<Schema> {
        let cursor = ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
            .description(Some("Give it as `cursor` to get the next page; `null` on the last."));
        ObjectBuilder::new()
            .description(Some("One page of a list."))
            .property("items", ArrayBuilder::new().items(Ref::from_schema_name(T::name())))
            .required("items")
            .property("next_cursor", cursor)
            .into()
    }
}

impl<T: ToSchema> ToSchema for Page<T> {
    fn name() -> Cow<'static, str> {
        format!("{}Page", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(schemas);
    }
}

/// Makes required what may be `null`: serde leaves nothing out that it is not told to leave out, and what it is told so
/// is described as never `null`.
pub(super) fn require_nullable(schema: &mut Value) {
    let names = schema["properties"].as_object().into_iter().flatten();
    let nullable: Vec<Value> =
        names.filter(|(_, property)| allows_null(property)).map(|(name, _)| json!(name)).collect();
    if !nullable.is_empty() {
        let members = schema["required"].as_array().into_iter().flatten();
        let mut required: Vec<Value> = members.cloned().collect();
        required.extend(nullable.into_iter().filter(|name| !required.contains(name)).collect::<Vec<_>>());
        schema["required"] = required.into();
    }
    match schema {
        Value::Object(members) => members.values_mut().for_each(require_nullable),
        Value::Array(items) => items.iter_mut().for_each(require_nullable),
        _ => {}
    }
}

/// True if the type of a schema allows `null`.
pub(super) fn allows_null(schema: &Value) -> bool {
    let is_null = |kind: &Value| kind == "null";
    let kinds = &schema["type"];
    let either = ["oneOf", "anyOf"].iter().filter_map(|word| schema[word].as_array()).flatten();
    is_null(kinds)
        || kinds.as_array().is_some_and(|kinds| kinds.iter().any(is_null))
        || either.into_iter().any(allows_null)
}

/// What a PATCH answers: the operation, or with `dry_run=true` what it would do.
#[derive(serde::Serialize, ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "describes an answer to the OpenAPI document")]
pub(super) enum PatchAnswer {
    Operation(OperationView<'static>),
    DryRun(DryRunView<'static>),
}

#[cfg(test)]
use {
    crate::domain::bucket::Bucket,
    crate::domain::event::EventKind,
    crate::domain::operation::Status,
    crate::http::audit::chain::VerificationView,
    crate::http::audit::checkpoint::Checkpoint,
    crate::http::audit::counts::CountsView,
    crate::http::health::{Alive, Ready},
    crate::http::operations::stream::StepView,
    crate::http::problem::Problem,
};

/// What each view of a call, and each that it leads to, registers, with everything that stands twice.
#[cfg(test)]
pub(super) fn registered() -> Vec<(String, RefOr<Schema>)> {
    fn add<T: ToSchema>(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(schemas);
    }
    let mut schemas = Vec::new();
    macro_rules! add {
        ($($view:ty),+ $(,)?) => { $(add::<$view>(&mut schemas);)+ };
    }
    add!(
        TunnelPatch,
        TunnelPage,
        TunnelView,
        PatchAnswer,
        OperationPage,
        OperationView,
        StepView,
        Status,
        AuditEventPage,
        EventSchema,
        EventKind,
        Checkpoint,
        Bucket,
        CountsView,
        VerificationView,
        Problem,
        ProblemTypePage,
        TypeView,
        Alive,
        Ready,
    );
    schemas
}
