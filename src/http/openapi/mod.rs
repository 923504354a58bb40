//! The OpenAPI document and the Swagger UI that shows it.

pub(super) mod answers;
mod common;
mod document;
pub(super) mod examples;
mod nullable;
pub(super) mod ui;

use actix_web::{HttpRequest, HttpResponse, web};
use common::Common;
use serde_json::{Value, json};
use utoipa::OpenApi;

use crate::domain::peer_config::PeerFormat;

use super::asset::Asset;
use super::edge::PublicUrl;
use super::problem::Problem;
use super::state::HttpState;
use super::{accounts, audit, drift, health, operations, principal, problem, sign_in, tunnels};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "tunnelgate",
        description = "Changes Tencent Cloud VPN tunnels safely: each change is sent at most once, followed to its \
            end, read back, and recorded in an append-only audit log.\n\nAuthorize with an API key (`tg_…`), which \
            the gateway's operators create with `tunnelgate keys create`, and the sandbox prints; or with a token of an \
            OIDC issuer that the operators have configured.\n\n\
            Every path with GET also supports HEAD: the same headers, without the body.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    tags(
        (name = "tunnels", description = "Read and change tunnels"),
        (name = "operations", description = "Follow changes to their end"),
        (name = "drift", description = "What was changed outside of the gateway"),
        (name = "principal", description = "Who you are at this gateway, and what you may do"),
        (name = "accounts", description = "The accounts of the cloud, and their standing"),
        (name = "audit", description = "Who changed what: append-only, with a hash chain that reveals tampering"),
        (name = "problems", description = "The meaning and the remedy of each error"),
        (name = "health", description = "For the operators of the gateway")
    ),
    paths(
        tunnels::all::document::list_all_tunnels,
        tunnels::document::list_tunnels, tunnels::document::get_tunnel, tunnels::document::patch_tunnel,
        tunnels::peer_config::document::get_peer_config,
        operations::document::list_operations, operations::document::get_operation,
        operations::document::stream_operation, operations::rollback::document::rollback_operation,
        principal::document::get_principal, accounts::document::list_accounts, drift::document::list_drift, audit::document::list_audit_events, audit::document::stream_audit_events, audit::document::get_audit_event, audit::document::get_checkpoint,
        audit::document::count_audit_events, audit::document::verify_audit_events,
        sign_in::document::list_sign_ins, problem::document::list_problem_types, problem::document::get_problem_type,
        health::document::livez, health::document::readyz, health::document::metrics, document::openapi_json
    ),
    // Schemas that no call's body refers to.
    components(schemas(Problem, operations::stream::StepView, PeerFormat)),
    modifiers(&Common)
)]
struct Document;

/// The document as checked in: pretty-printed, with a final newline.
#[must_use]
pub fn document_json() -> String {
    let mut document = serde_json::to_value(Document::openapi()).unwrap_or_default();
    if let Some(schema) = document.pointer_mut("/components/schemas/TunnelPatch") {
        *schema = tunnels::schema::tunnel_patch();
    }
    if let Some(schema) = document.pointer_mut("/components/schemas/Rollback") {
        *schema = operations::rollback::document::rollback();
    }
    nullable::require_nullable(&mut document["components"]["schemas"]);
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}

/// The document with the address that callers use.
fn located(public: &PublicUrl) -> String {
    let mut document: Value = serde_json::from_str(&document_json()).unwrap_or_default();
    document["servers"] = json!([{"url": public.to_string()}]);
    document.to_string()
}

pub(super) async fn serve(
    request: HttpRequest,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let text = || state.edge.public_url.as_ref().map_or_else(document_json, located);
    state.document.get_or_init(|| Asset::new("application/json", text())).respond(&request)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use utoipa::ToSchema;
    use utoipa::openapi::RefOr;
    use utoipa::openapi::schema::Schema;

    use super::*;
    use crate::domain::bucket::Bucket;
    use crate::domain::event::EventKind;
    use crate::domain::operation::Status;
    use crate::domain::tunnel_view::TunnelView;
    use crate::http::accounts::view::AccountView;
    use crate::http::audit::chain::VerificationView;
    use crate::http::audit::checkpoint::Checkpoint;
    use crate::http::audit::counts::CountsView;
    use crate::http::audit::view::EventSchema;
    use crate::http::drift::view::DriftView;
    use crate::http::health::{Alive, Ready};
    use crate::http::operations::rollback::document::RollbackBody;
    use crate::http::operations::stream::StepView;
    use crate::http::operations::view::OperationView;
    use crate::http::page::Page;
    use crate::http::principal::view::PrincipalView;
    use crate::http::problem::pages::TypeView;
    use crate::http::sign_in::view::SignInView;
    use crate::http::tunnels::document::PatchAnswer;
    use crate::http::tunnels::schema::TunnelPatch;

    /// The schemas that the views of all calls register, directly and through their members, including duplicates.
    fn registered() -> Vec<(String, RefOr<Schema>)> {
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
            Page<TunnelView>,
            TunnelView,
            PatchAnswer,
            Page<OperationView<'static>>,
            OperationView,
            StepView,
            RollbackBody,
            Status,
            PeerFormat,
            Page<DriftView<'static>>,
            DriftView,
            PrincipalView,
            Page<AccountView>,
            AccountView,
            Page<EventSchema>,
            EventSchema,
            EventKind,
            Checkpoint,
            Bucket,
            CountsView,
            VerificationView,
            SignInView,
            Problem,
            Page<TypeView>,
            TypeView,
            Alive,
            Ready,
        );
        schemas
    }

    /// A review shows each change of the contract as a change of the checked-in file.
    #[test]
    fn the_checked_in_document_is_up_to_date() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/openapi.json");
        let document = document_json();
        if std::env::var_os("UPDATE_OPENAPI").is_some() {
            std::fs::write(file, &document).expect("the file can be written");
        }
        let checked_in = std::fs::read_to_string(file).unwrap_or_default();
        assert!(checked_in == document, "run UPDATE_OPENAPI=1 cargo test and check openapi/openapi.json in");
    }

    #[test]
    fn every_reference_leads_to_a_component() {
        fn references<'a>(value: &'a serde_json::Value, found: &mut Vec<&'a str>) {
            found.extend(value["$ref"].as_str());
            match value {
                serde_json::Value::Object(members) => {
                    members.values().for_each(|member| references(member, found))
                }
                serde_json::Value::Array(items) => items.iter().for_each(|item| references(item, found)),
                _ => {}
            }
        }
        let document: serde_json::Value = serde_json::from_str(&document_json()).expect("JSON");
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > 100, "{}", found.len());
        found.retain(|reference| document.pointer(reference.trim_start_matches('#')).is_none());
        assert!(found.is_empty(), "{found:?}");
    }

    /// The document contains the limits of the code, and marks secrets.
    #[test]
    fn the_patch_is_described_with_its_limits() {
        let document: serde_json::Value = serde_json::from_str(&document_json()).expect("JSON");
        let patch = &document["components"]["schemas"]["TunnelPatch"];
        let properties = &patch["properties"];
        let secret = &properties["pre_shared_key"];
        assert_eq!(
            (secret["writeOnly"].as_bool(), secret["format"].as_str()),
            (Some(true), Some("password"))
        );
        assert_eq!(secret["maxLength"], crate::domain::secret::MAX_PRE_SHARED_KEY_LENGTH);
        assert_eq!(properties["name"]["maxLength"], crate::domain::name::MAX_NAME_LENGTH);
        let lifetime = &properties["ike"]["properties"]["sa_lifetime_seconds"];
        assert_eq!(lifetime["maximum"], *crate::domain::ike::SA_LIFETIME_SECONDS.end());
        assert_eq!(patch["additionalProperties"], false);
    }

    /// Clients need not distinguish `null` from absent: a nullable member is always present, and an optional member is never
    /// `null`.
    #[test]
    fn what_may_be_null_is_required() {
        fn walk(schema: &Value, found: &mut usize) {
            for (name, property) in schema["properties"].as_object().into_iter().flatten() {
                if nullable::allows_null(property) {
                    *found += 1;
                    let required = schema["required"].as_array().expect("required members");
                    assert!(required.contains(&json!(name)), "{name} in {schema}");
                }
            }
            match schema {
                Value::Object(members) => members.values().for_each(|member| walk(member, found)),
                Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
                _ => {}
            }
        }
        let document: Value = serde_json::from_str(&document_json()).expect("JSON");
        let schemas = &document["components"]["schemas"];
        let mut found = 0;
        walk(schemas, &mut found);
        assert!(found > 30, "{found}");
        for (name, member) in [
            ("Problem", "upstream"),
            ("Problem", "operation_id"),
            ("IdentityView", "address"),
            ("IdentityView", "fqdn"),
        ] {
            let property = &schemas[name]["properties"][member];
            assert!(property.is_object() && !nullable::allows_null(property), "{name}.{member}: {property}");
        }
    }

    /// The document maps names to schemas: of two views with the same name it would contain only one.
    #[test]
    fn no_two_views_have_one_name() {
        let mut shown: BTreeMap<String, Value> = BTreeMap::new();
        for (name, schema) in registered() {
            let schema = json!(schema);
            let other = shown.entry(name.clone()).or_insert_with(|| schema.clone());
            assert_eq!(*other, schema, "two views have the name {name}");
        }
        let document = json!(Document::openapi());
        let described: BTreeMap<String, Value> =
            serde_json::from_value(document["components"]["schemas"].clone()).expect("schemas");
        let names = |schemas: &BTreeMap<String, Value>| schemas.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&shown), names(&described), "add each view of a call to registered()");
        assert!(shown == described);
    }

    #[test]
    fn every_content_of_a_good_answer_has_a_schema_and_an_example() {
        let document: Value = serde_json::from_str(&document_json()).expect("JSON");
        for (path, calls) in document["paths"].as_object().expect("paths") {
            for call in calls.as_object().expect("calls").values() {
                let responses = call["responses"].as_object().expect("responses");
                for (status, answer) in responses.iter().filter(|(status, _)| status.starts_with('2')) {
                    for (media, content) in answer["content"].as_object().into_iter().flatten() {
                        let place = format!("{path} {status} {media}");
                        let has_example =
                            ["example", "examples"].iter().any(|word| content.get(word).is_some());
                        assert!(has_example, "{place}");
                        // The schema of the document itself is external; content other than JSON is text.
                        let schema = &content["schema"];
                        let has_schema = schema["$ref"].is_string() || schema["type"] == "string";
                        assert!(has_schema || path == "/openapi.json", "{place}: {schema}");
                    }
                }
            }
        }
    }

    #[test]
    fn every_answer_of_every_call_has_a_description_and_every_call_but_health_needs_a_token() {
        let document: serde_json::Value = serde_json::from_str(&document_json()).expect("JSON");
        let paths = document["paths"].as_object().expect("paths");
        for (path, calls) in paths {
            for (method, call) in calls.as_object().expect("calls") {
                let is_open = [
                    "/livez",
                    "/readyz",
                    "/metrics",
                    "/openapi.json",
                    "/problems",
                    "/problems/{slug}",
                    "/sign-in",
                ]
                .contains(&path.as_str());
                assert_eq!(call["security"].is_array(), !is_open, "{method} {path}");
                for (status, answer) in call["responses"].as_object().expect("responses") {
                    assert!(answer["description"].as_str().is_some_and(|d| !d.is_empty()), "{path} {status}");
                }
            }
        }
    }
}
