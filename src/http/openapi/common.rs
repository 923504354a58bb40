//! The headers of all calls and the security scheme. A modifier adds them to the document after the calls are described, so
//! that no description can omit them.

use serde_json::json;
use utoipa::Modify;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{KnownFormat, SchemaFormat, SchemaType, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    Components, Header, HeaderBuilder, Object, ObjectBuilder, OpenApi, PathItem, Ref, RefOr, Required, Schema,
};

use super::answers;
use crate::domain::ids::ID_PATTERN;
use crate::domain::tunnel_search::MAX_SEARCH;
use crate::http::audit::chain::{DEFAULT_EVENTS, MAX_EVENTS};
use crate::http::input::body::PATCH_TYPES;
use crate::http::input::headers::MAX_IDEMPOTENCY_KEY;
use crate::http::input::query::{DEFAULT_LIMIT, MAX_LIMIT};
use crate::http::operations::last_event_id;
use crate::http::problem::ProblemType;
use crate::http::request_id::MAX_REQUEST_ID;

pub(super) struct Common;

impl Modify for Common {
    fn modify(&self, document: &mut OpenApi) {
        let components = document.components.get_or_insert_with(Components::new);
        components.add_security_scheme("bearer", bearer());
        for (name, header) in headers() {
            components.headers.insert(component(name), header.into());
        }
        for (name, parameter) in parameters() {
            components.parameters.insert(name.into(), parameter.into());
        }
        // The answer to a browser's preflight, which is not a call of the document.
        let refusal = answers::response(&[ProblemType::CorsRefused]);
        components.responses.insert("CorsRefused".into(), refusal.into());
        // The answers to what is no request of any call.
        for (name, kind) in [
            ("MalformedRequest", ProblemType::MalformedRequest),
            ("RequestTimeout", ProblemType::RequestTimeout),
            ("UriTooLong", ProblemType::UriTooLong),
            ("HeadersTooLarge", ProblemType::HeadersTooLarge),
        ] {
            components.responses.insert(name.into(), answers::response(&[kind]).into());
        }
        for item in document.paths.paths.values_mut() {
            for operation in operations(item) {
                complete(operation);
            }
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    [get, put, post, delete, patch].into_iter().filter_map(Option::as_mut)
}

fn complete(operation: &mut Operation) {
    let parameters = operation.parameters.get_or_insert_default();
    for parameter in &mut *parameters {
        let RefOr::T(parameter) = parameter else { continue };
        if let Some(schema) = limited(parameter) {
            parameter.schema = Some(schema.into());
        }
        if let Some(RefOr::T(Schema::Object(schema))) = &mut parameter.schema {
            never_null(schema);
        }
    }
    for name in ["RequestId", "Traceparent"] {
        parameters.push(RefOr::Ref(Ref::new(format!("#/components/parameters/{name}"))));
    }
    let call = operation.operation_id.clone().unwrap_or_default();
    if let Some(RefOr::T(body)) = &mut operation.request_body
        && OPTIONAL_BODY.contains(&call.as_str())
    {
        body.required = Some(Required::False);
    }
    let other_method = answers::response(&[ProblemType::MethodNotAllowed]);
    operation.responses.responses.insert("405".into(), other_method.into());
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        let of_status = ON_STATUS.iter().filter(|(on, _)| on == status).map(|(_, name)| *name);
        let own = ON_CALL.iter().filter(|(of, on, _)| *of == call && on.contains(&status.as_str()));
        let names = of_status.chain(own.flat_map(|(_, _, names)| names.iter().copied()));
        // A rate limit applies only to authenticated callers.
        let is_counted = operation.security.is_some() && !["401", "405"].contains(&status.as_str());
        let limits: &[&str] = if is_counted { &["RateLimit-Policy", "RateLimit"] } else { &[] };
        for name in names.chain(limits.iter().copied()).chain(["X-Request-Id"]) {
            let component = Ref::new(format!("#/components/headers/{}", component(name)));
            response.headers.insert(name.into(), RefOr::Ref(component));
        }
    }
}

/// A missing parameter is absent: queries and headers have no `null`.
fn never_null(schema: &mut Object) {
    if let SchemaType::Array(types) = &schema.schema_type
        && let Some(only) = types.iter().find(|kind| **kind != Type::Null)
    {
        schema.schema_type = SchemaType::Type(only.clone());
    }
}

/// The schemas of parameters with limits from constants.
fn limited(parameter: &Parameter) -> Option<ObjectBuilder> {
    Some(match (&parameter.parameter_in, parameter.name.as_str()) {
        (ParameterIn::Path, "vpc_id" | "gateway_id" | "tunnel_id") => text().pattern(Some(ID_PATTERN)),
        (ParameterIn::Query, "limit") => {
            whole().minimum(Some(1)).maximum(Some(MAX_LIMIT)).default(Some(json!(DEFAULT_LIMIT)))
        }
        (ParameterIn::Query, "search") => text().min_length(Some(1)).max_length(Some(MAX_SEARCH)),
        (ParameterIn::Query, "max_events") => {
            whole().minimum(Some(1)).maximum(Some(MAX_EVENTS)).default(Some(json!(DEFAULT_EVENTS)))
        }
        (ParameterIn::Header, "Idempotency-Key") => {
            text().min_length(Some(1)).max_length(Some(MAX_IDEMPOTENCY_KEY)).pattern(Some("^[!-~]+$"))
        }
        (ParameterIn::Header, "Last-Event-ID") | (ParameterIn::Query, "last_event_id") => {
            text().pattern(Some(last_event_id::PATTERN))
        }
        _ => return None,
    })
}

/// The calls whose body may be absent. An `Option` in the description would also allow `null`.
const OPTIONAL_BODY: &[&str] = &["rollback_operation"];

/// The headers of answers by status.
const ON_STATUS: &[(&str, &str)] = &[
    ("401", "WWW-Authenticate"),
    ("403", "WWW-Authenticate"),
    ("405", "Allow"),
    ("409", "Retry-After"),
    ("429", "Retry-After"),
    ("503", "Retry-After"),
];

/// The headers of single calls: operation id, statuses, headers.
const ON_CALL: &[(&str, &[&str], &[&str])] = &[
    ("patch_tunnel", &["200"], &["Location", "Preference-Applied", "Idempotent-Replayed"]),
    ("patch_tunnel", &["202"], &["Location", "Retry-After", "Preference-Applied", "Idempotent-Replayed"]),
    ("patch_tunnel", &["404", "409", "412", "422", "429", "502", "503"], &["Idempotent-Replayed"]),
    ("patch_tunnel", &["415"], &["Accept-Patch"]),
    ("rollback_operation", &["200"], &["Location", "Preference-Applied", "Idempotent-Replayed"]),
    (
        "rollback_operation",
        &["202"],
        &["Location", "Retry-After", "Preference-Applied", "Idempotent-Replayed"],
    ),
    ("rollback_operation", &["404", "409", "412", "422", "429", "502", "503"], &["Idempotent-Replayed"]),
    ("list_all_tunnels", &["200"], &["Link"]),
    ("list_tunnels", &["200"], &["Link"]),
    ("get_tunnel", &["200", "304"], &["ETag", "Cache-Control"]),
    ("openapi_json", &["200", "304"], &["ETag", "Cache-Control"]),
    ("list_problem_types", &["200"], &["Cache-Control", "Vary"]),
    ("get_problem_type", &["200"], &["Cache-Control", "Vary"]),
    ("list_operations", &["200"], &["Link"]),
    ("list_drift", &["200"], &["Link"]),
    ("list_audit_events", &["200"], &["Link"]),
    ("get_operation", &["200"], &["Preference-Applied"]),
];

/// The name of a header's component.
fn component(header: &str) -> String {
    header.replace('-', "")
}

fn whole() -> ObjectBuilder {
    let int32 = SchemaFormat::KnownFormat(KnownFormat::Int32);
    ObjectBuilder::new().schema_type(Type::Integer).format(Some(int32))
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn header(schema: ObjectBuilder, description: &str, example: serde_json::Value) -> Header {
    HeaderBuilder::new().schema(Some(schema)).description(Some(description)).example(Some(example)).build()
}

/// The headers of answers.
fn headers() -> Vec<(&'static str, Header)> {
    vec![
        (
            "X-Request-Id",
            header(
                text().min_length(Some(1)).max_length(Some(MAX_REQUEST_ID)),
                "The request's id: yours, if you sent a valid one, else a new one. The gateway's logs and the audit log \
                 contain it.",
                json!("deploy-42"),
            ),
        ),
        (
            "Retry-After",
            header(
                whole().minimum(Some(0)),
                "Seconds to wait before a retry. Absent where waiting does not help, and where an `Idempotency-Key` \
                 returns an earlier refusal.",
                json!(5),
            ),
        ),
        (
            "RateLimit-Policy",
            header(
                text(),
                "The rate limit, if one is set: `q` requests per token in `w` seconds \
                 (draft-ietf-httpapi-ratelimit-headers-10). Each process of the gateway counts separately.",
                json!("\"default\";q=600;w=60"),
            ),
        ),
        (
            "RateLimit",
            header(
                text(),
                "The rest of the rate limit, if one is set: `r` requests are left now, and the full quota is back in `t` \
                 seconds.",
                json!("\"default\";r=599;t=1"),
            ),
        ),
        (
            "WWW-Authenticate",
            header(
                text(),
                "The reason of the refusal (RFC 6750): no `error` if the request had no token, `invalid_token` (for a JWT \
                 with an `error_description`), or `insufficient_scope` with the missing scope.",
                json!("Bearer realm=\"tunnelgate\", error=\"invalid_token\""),
            ),
        ),
        ("Allow", header(text(), "The methods that this path supports.", json!("GET, HEAD, PATCH"))),
        (
            "Accept-Patch",
            header(text(), "The media types of patches (RFC 5789).", json!(PATCH_TYPES.join(", "))),
        ),
        (
            "Location",
            header(
                text().format(Some(SchemaFormat::Custom("uri-reference".into()))),
                "The address of the operation: a path, or a URL if the gateway has a public URL.",
                json!("/operations/0199b3a1-7c1e-7d2f-9c1a-0123456789ab"),
            ),
        ),
        (
            "Preference-Applied",
            header(text(), "The granted wait, if the request sent `Prefer: wait=N`.", json!("wait=20")),
        ),
        (
            "Idempotent-Replayed",
            header(
                text().enum_values(Some(["true"])),
                "The answer is the one to the first request with this `Idempotency-Key`; nothing was sent again.",
                json!("true"),
            ),
        ),
        (
            "ETag",
            header(
                text().pattern(Some("^(W/)?\"[0-9a-f]{32}(\\.[0-9a-f]{16})?\"$")),
                "The entity tag of the answer; it changes whenever the content does. Send it as `If-None-Match` with the \
                 next GET. A tunnel's tag also covers its key's fingerprint; send it as `If-Match` with a PATCH.",
                json!(super::examples::ETAG),
            ),
        ),
        (
            "Cache-Control",
            header(
                text(),
                "The caching rules. Answers without this header in their description have `no-store`.",
                json!("private, no-cache"),
            ),
        ),
        (
            "Vary",
            header(
                text(),
                "The request headers that the answer depends on, including `Accept-Encoding` for compressible answers, and \
                 the CORS headers if cross-origin pages may call.",
                json!("accept, accept-encoding"),
            ),
        ),
        (
            "Link",
            header(
                text(),
                "The next page (RFC 8288); absent on the last page.",
                json!("</operations?limit=50&cursor=MTow>; rel=\"next\""),
            ),
        ),
    ]
}

/// The optional headers of every request. An invalid value is never refused, so their schemas have no limits.
fn parameters() -> Vec<(&'static str, Parameter)> {
    let header = |name: &str, description: String| {
        ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(description))
            .schema(Some(text()))
            .build()
    };
    let id = format!(
        "Your id for this request: 1 to {MAX_REQUEST_ID} characters of A-Z a-z 0-9 . _ : / + = -. The gateway replaces an \
         invalid id by a new one."
    );
    let trace = "W3C trace context; the audit log records the trace id if the header is valid.".to_owned();
    vec![("RequestId", header("x-request-id", id)), ("Traceparent", header("traceparent", trace))]
}

fn bearer() -> SecurityScheme {
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("tg_ and 64 hexadecimal digits, or JWT")
        .description(Some(
            "An API key (`tg_…`) that the gateway's operators create with `tunnelgate keys create`, and the sandbox \
             prints; or a JWT of an OIDC issuer that the operators have configured: an ID token for the gateway's client, \
             or an access token for the gateway's audience.\n\n\
             Each scope of a key, or of the grants that a JWT's claims give, allows some calls, optionally only for VPC id \
             patterns such as `vpc-prod-*`:\n\n\
             | scope | allows |\n| --- | --- |\n\
             | `tunnels:read` | read tunnels and operations |\n\
             | `tunnels:write` | change tunnels |\n\
             | `audit:read` | read the audit log |",
        ))
        .build();
    SecurityScheme::Http(scheme)
}
