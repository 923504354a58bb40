//! The console at `/`: embedded static files. They contain no secrets and need no token; the page calls the API with the
//! token that its user enters.

use std::sync::LazyLock;

use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};

use super::asset::Asset;
use super::problem::{Problem, ProblemType};
use super::sign_in::policy;
use super::state::HttpState;

/// The page may load files from, and send requests to, this host only; and call the token endpoints of the issuers, which are
/// added at the end.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types 'none'; connect-src 'self'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// The page to which an issuer returns. With several issuers each returns to a name of its own, `signed-in-….html`, so that
/// the answers of one can't be taken for those of another.
const RETURN_PAGE: &str = "signed-in.html";
const RETURN_PAGES: (&str, &str) = ("signed-in-", ".html");

/// The page itself, which is served only at `/`.
const PAGE: &str = "index.html";

macro_rules! assets {
    ($($name:literal: $media_type:expr),+ $(,)?) => {
        vec![$(($name, Asset::new($media_type, &include_bytes!(concat!("assets/", $name))[..]))),+]
    };
}

/// The embedded files by their names.
static ASSETS: LazyLock<Vec<(&str, Asset)>> = LazyLock::new(|| {
    assets![
        "index.html": HTML,
        "console.css": CSS,
        "icon.svg": SVG,
        "main.js": JAVASCRIPT,
        "api.js": JAVASCRIPT,
        "dom.js": JAVASCRIPT,
        "time.js": JAVASCRIPT,
        "words.js": JAVASCRIPT,
        "list.js": JAVASCRIPT,
        "tunnels.js": JAVASCRIPT,
        "inventory.js": JAVASCRIPT,
        "tunnel.js": JAVASCRIPT,
        "change.js": JAVASCRIPT,
        "form.js": JAVASCRIPT,
        "schema.js": JAVASCRIPT,
        "peer.js": JAVASCRIPT,
        "rights.js": JAVASCRIPT,
        "paths.js": JAVASCRIPT,
        "unanswered.js": JAVASCRIPT,
        "writes.js": JAVASCRIPT,
        "retry.js": JAVASCRIPT,
        "operations.js": JAVASCRIPT,
        "operation.js": JAVASCRIPT,
        "rollback.js": JAVASCRIPT,
        "timeline.js": JAVASCRIPT,
        "stream.js": JAVASCRIPT,
        "audit.js": JAVASCRIPT,
        "chart.js": JAVASCRIPT,
        "chain.js": JAVASCRIPT,
        "oidc.js": JAVASCRIPT,
        "person.js": JAVASCRIPT,
        "docs-sign-in.js": JAVASCRIPT,
        "signed-in.html": HTML,
        "signed-in.js": JAVASCRIPT,
    ]
});

pub(super) async fn page(request: HttpRequest, state: web::Data<HttpState>) -> Result<HttpResponse, Problem> {
    serve(PAGE, &request, &policy::token_endpoints(&state).await?).await
}

pub(super) async fn asset(request: HttpRequest, name: web::Path<String>) -> Result<HttpResponse, Problem> {
    if *name == PAGE {
        return Err(Problem::of(ProblemType::NoSuchPath));
    }
    let (start, end) = RETURN_PAGES;
    let is_return_page = name.starts_with(start) && name.ends_with(end);
    serve(if is_return_page { RETURN_PAGE } else { &name }, &request, "").await
}

async fn serve(name: &str, request: &HttpRequest, endpoints: &str) -> Result<HttpResponse, Problem> {
    let found = ASSETS.iter().find(|(known, _)| *known == name);
    let (_, asset) = found.ok_or_else(|| Problem::of(ProblemType::NoSuchPath))?;
    let mut response = asset.respond(request)?;
    let policies = [
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CROSS_ORIGIN_OPENER_POLICY, "same-origin"),
        (header::CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
    ];
    for (name, value) in policies {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    if let Ok(value) = HeaderValue::from_str(&format!("{POLICY}{endpoints}")) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, value);
    }
    Ok(response)
}
