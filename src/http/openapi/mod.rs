//! The OpenAPI document and the Swagger UI that shows it.

mod answers;
mod common;
mod examples;
mod paths;
mod schemas;
pub(super) mod ui;

use std::sync::LazyLock;

use actix_web::{HttpRequest, HttpResponse};
use common::Common;
use utoipa::OpenApi;

use super::asset::Asset;
use super::problem::{Problem, ProblemType};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "tunnelgate",
        description = "Changes Tencent Cloud VPN tunnels safely: each change is sent at most once, followed to its \
            end, read back, and written into an append-only audit log.\n\nAuthorize with an API key (`tg_…`), which \
            the gateway's operators make with `tunnelgate keys create`; the sandbox prints one.\n\n\
            Whatever answers GET answers HEAD too: with the same headers, and without the body.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    tags(
        (name = "tunnels", description = "Reading and changing tunnels"),
        (name = "operations", description = "Following what became of a change"),
        (name = "audit", description = "Who changed what: append-only, with a hash chain that shows tampering"),
        (name = "problems", description = "What the errors mean, and what to do about them"),
        (name = "health", description = "For the operators of the gateway")
    ),
    paths(
        paths::tunnels::list_tunnels, paths::tunnels::get_tunnel, paths::tunnels::patch_tunnel,
        paths::operations::list_operations, paths::operations::get_operation,
        paths::operations::stream_operation,
        paths::audit::list_audit_events, paths::audit::get_audit_event, paths::audit::get_checkpoint,
        paths::audit::count_audit_events, paths::audit::verify_audit_events,
        paths::problems::list_problem_types, paths::problems::get_problem_type,
        paths::service::livez, paths::service::readyz, paths::service::metrics, paths::service::openapi_json
    ),
    components(schemas(
        schemas::TunnelPatch, schemas::TunnelPage, schemas::PatchAnswer, schemas::OperationPage,
        schemas::AuditEventPage,
        super::operations::OperationView<'static>, super::operations::PathView<'static>,
        super::dry_run::DryRunView<'static>, super::dry_run::FieldView<'static>,
        super::dry_run::CallView<'static>, super::dry_run::ParameterView<'static>,
        crate::domain::tunnel_view::TunnelView, crate::domain::tunnel_view::IkeView,
        crate::domain::tunnel_view::IpsecView, crate::domain::tunnel_view::IdentityView,
        crate::domain::tunnel_view::Amount, crate::domain::tunnel_view::Fingerprint,
        super::stream::StepView,
        super::event_view::EventSchema, super::audit::Checkpoint, super::counts::CountsView, super::counts::CountView,
        super::verification::VerificationView, crate::domain::bucket::Bucket, super::problem::Problem,
        super::problem::pages::TypeView, super::problem::pages::TypePage,
        crate::domain::fault::Fault, crate::domain::operation::OperationError,
        crate::domain::operation::UpstreamError, crate::domain::operation::ErrorCode,
        crate::domain::operation::Status, crate::domain::verification::Verification,
        crate::domain::verification::Difference, crate::domain::event::EventKind,
        crate::domain::event::ActorKind
    )),
    modifiers(&Common)
)]
struct Document;

/// A problem of a type, as an example.
pub(super) fn example(kind: ProblemType) -> serde_json::Value {
    examples::problem(kind)
}

/// The document, as it is checked in: pretty, with a line end at its end.
#[must_use]
pub fn document_json() -> String {
    let mut document = serde_json::to_value(Document::openapi()).unwrap_or_default();
    if let Some(schema) = document.pointer_mut("/components/schemas/TunnelPatch") {
        *schema = schemas::tunnel_patch();
    }
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}

pub(super) async fn serve(request: HttpRequest) -> Result<HttpResponse, Problem> {
    static DOCUMENT: LazyLock<Asset> = LazyLock::new(|| Asset::new("application/json", document_json()));
    DOCUMENT.respond(&request)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The contract shows in review: a change of the document is a change of the checked-in file.
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

    /// The limits of the code are in the document, and secrets are marked as such.
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

    #[test]
    fn every_answer_of_every_call_has_a_description_and_every_call_but_health_needs_a_token() {
        let document: serde_json::Value = serde_json::from_str(&document_json()).expect("JSON");
        let paths = document["paths"].as_object().expect("paths");
        for (path, calls) in paths {
            for (method, call) in calls.as_object().expect("calls") {
                let is_open =
                    ["/livez", "/readyz", "/metrics", "/openapi.json", "/problems", "/problems/{slug}"]
                        .contains(&path.as_str());
                assert_eq!(call["security"].is_array(), !is_open, "{method} {path}");
                for (status, answer) in call["responses"].as_object().expect("responses") {
                    assert!(answer["description"].as_str().is_some_and(|d| !d.is_empty()), "{path} {status}");
                }
            }
        }
    }
}
