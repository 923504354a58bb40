//! The Swagger UI at `/docs/`: the embedded files of its distribution, configured for this document.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use utoipa_swagger_ui::{Config, serve};

use crate::http::asset::Asset;
use crate::http::problem::{Problem, ProblemType};
use crate::http::sign_in::policy;
use crate::http::state::HttpState;

/// The page itself.
const PAGE: &str = "index.html";
/// The file that configures the page; ours.
const INITIALIZER: &str = "swagger-initializer.js";
/// The files that the page loads.
const PARTS: &[&str] = &[
    "favicon-16x16.png",
    "favicon-32x32.png",
    "index.css",
    INITIALIZER,
    "swagger-ui-bundle.js",
    "swagger-ui-standalone-preset.js",
    "swagger-ui.css",
];

/// The page may load only files of this host, and no other page may embed it. It may also call the token endpoints of the
/// issuers, which are added at the end.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'; connect-src 'self'";

const HEADERS: [(HeaderName, HeaderValue); 3] = [
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

static FILES: LazyLock<BTreeMap<&str, Asset>> = LazyLock::new(|| {
    let config = Arc::new(Config::from("../openapi.json"));
    let file = |name: &'static str| {
        if name == INITIALIZER {
            return Some((name, Asset::new("text/javascript", include_str!("swagger-initializer.js"))));
        }
        let file = serve(name, config.clone()).ok().flatten()?;
        Some((name, Asset::new(file.content_type, file.bytes.into_owned())))
    };
    PARTS.iter().chain([&PAGE]).copied().filter_map(file).collect()
});

pub async fn file(
    request: HttpRequest,
    name: web::Path<String>,
    state: web::Data<HttpState>,
) -> Result<HttpResponse, Problem> {
    let name = if name.is_empty() { PAGE } else { name.as_str() };
    let file = FILES.get(name).ok_or_else(|| Problem::of(ProblemType::NoSuchPath))?;
    let mut response = file.respond(&request)?;
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, value);
    }
    let endpoints = if name == PAGE { policy::token_endpoints(&state).await? } else { String::new() };
    if let Ok(value) = HeaderValue::from_str(&format!("{POLICY}{endpoints}")) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, value);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_in_the_distribution_and_the_page_loads_no_other() {
        assert_eq!(FILES.len(), PARTS.len() + 1, "{:?}", FILES.keys());
        let page = serve(PAGE, Arc::new(Config::from("/"))).expect("the distribution").expect("the page");
        let page = String::from_utf8(page.bytes.into_owned()).expect("text");
        let links = page.split("src=\"").skip(1).chain(page.split("href=\"").skip(1));
        let links: Vec<&str> = links.filter_map(|rest| rest.split('"').next()).collect();
        assert!(links.len() > 4, "{links:?}");
        for link in links {
            assert!(PARTS.contains(&link.trim_start_matches("./")), "{link}");
        }
    }
}
