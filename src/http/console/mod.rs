//! The console at `/`: a page for people who would rather look than read. Plain files, embedded as they are; they hold
//! nothing that is secret and need no token. What they show they ask for over the API, with the token that the reader
//! gives them.

use std::sync::LazyLock;

use actix_web::http::header::{self, EntityTag, Header, IfNoneMatch};
use actix_web::{HttpRequest, HttpResponse, web};
use sha2::{Digest, Sha256};

use crate::domain::fingerprint::hex;

use super::problem::{Problem, ProblemType};

/// What the page may load, and whom it may ask: this host, and nobody else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// The name of the page itself, which is served at `/` only.
const PAGE: &str = "index.html";

/// One embedded file.
struct Asset {
    name: &'static str,
    media_type: &'static str,
    bytes: &'static [u8],
    tag: EntityTag,
}

macro_rules! assets {
    ($($name:literal: $media_type:expr),+ $(,)?) => {
        vec![$(Asset::new($name, $media_type, include_bytes!(concat!("assets/", $name)))),+]
    };
}

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
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
        "operations.js": JAVASCRIPT,
        "operation.js": JAVASCRIPT,
        "timeline.js": JAVASCRIPT,
        "stream.js": JAVASCRIPT,
        "audit.js": JAVASCRIPT,
        "chart.js": JAVASCRIPT,
        "chain.js": JAVASCRIPT,
    ]
});

impl Asset {
    fn new(name: &'static str, media_type: &'static str, bytes: &'static [u8]) -> Self {
        // Weak, because it may be packed on its way.
        let tag = EntityTag::new_weak(hex(&Sha256::digest(bytes)[..16]));
        Self { name, media_type, bytes, tag }
    }

    /// The file, or 304 if the browser has it already. It asks each time: after an upgrade no old part meets a new one.
    fn respond(&self, request: &HttpRequest) -> HttpResponse {
        let is_known = match IfNoneMatch::parse(request) {
            Ok(IfNoneMatch::Any) => true,
            Ok(IfNoneMatch::Items(tags)) => tags.iter().any(|tag| tag.weak_eq(&self.tag)),
            Err(_) => false,
        };
        let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
        response
            .insert_header(header::ETag(self.tag.clone()))
            .insert_header((header::CACHE_CONTROL, "no-cache"))
            .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
            .insert_header((header::REFERRER_POLICY, "no-referrer"))
            .insert_header(("cross-origin-opener-policy", "same-origin"))
            .insert_header(("cross-origin-resource-policy", "same-origin"));
        if is_known {
            return response.finish();
        }
        response.content_type(self.media_type).body(self.bytes)
    }
}

pub(super) async fn page(request: HttpRequest) -> Result<HttpResponse, Problem> {
    serve(PAGE, &request).await
}

pub(super) async fn asset(request: HttpRequest, name: web::Path<String>) -> Result<HttpResponse, Problem> {
    if *name == PAGE {
        return Err(Problem::of(ProblemType::NoSuchPath));
    }
    serve(&name, &request).await
}

async fn serve(name: &str, request: &HttpRequest) -> Result<HttpResponse, Problem> {
    match ASSETS.iter().find(|asset| asset.name == name) {
        Some(asset) => Ok(asset.respond(request)),
        None => Err(Problem::of(ProblemType::NoSuchPath)),
    }
}
