//! `GET /problems` and `/problems/{slug}`: the meaning and remedy of each problem type, as HTML for browsers and JSON for other
//! clients. They need no token, so that a caller without a valid token can read why.

use std::fmt::Write;
use std::sync::LazyLock;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::example::example;
use super::{Problem, ProblemType};
use crate::http::address::address;
use crate::http::input::accept;
use crate::http::page::Page;

/// The pages change only with the version.
const CACHING: &str = "public, max-age=3600";

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:16px/1.6 system-ui,sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem}\
h1{line-height:1.25;margin:0 0 .5rem}h2{font-size:1rem;margin:2rem 0 .25rem}p{margin:.25rem 0}\
code,pre{font:.9em/1.5 ui-monospace,monospace}\
pre{padding:1rem;overflow-x:auto;border:1px solid #8886;border-radius:.4rem}\
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.35rem .75rem .35rem 0;border-bottom:1px solid #8883;vertical-align:top}";

/// Allows only the page's own style, by its hash.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
});

/// A problem type.
#[derive(Serialize, ToSchema)]
#[schema(as = ProblemType)]
pub struct TypeView {
    /// The address of the type's page, as in a problem's `type`.
    #[serde(rename = "type")]
    #[schema(example = "/problems/operation-in-progress")]
    kind: String,
    /// The stable code, for programs.
    #[schema(example = "operation_in_progress")]
    code: &'static str,
    /// The HTTP status of its answers; `null` for a type that only occurs in an operation's `error`.
    status: Option<u16>,
    /// A short name.
    title: &'static str,
    /// Its meaning.
    meaning: &'static str,
    /// The steps that the caller can take.
    remedy: &'static str,
}

impl From<ProblemType> for TypeView {
    fn from(kind: ProblemType) -> Self {
        let described = kind.describe();
        Self {
            kind: address(&kind.path()),
            code: described.code,
            status: kind.is_answer().then(|| described.status.as_u16()),
            title: described.title,
            meaning: described.meaning,
            remedy: described.remedy,
        }
    }
}

pub async fn list(request: HttpRequest) -> HttpResponse {
    if !wants_html(&request) {
        let items = ProblemType::ALL.iter().copied().map(TypeView::from).collect();
        return json(&Page::only(items));
    }
    let mut rows = String::new();
    for kind in ProblemType::ALL {
        let (view, slug) = (TypeView::from(*kind), kind.slug());
        let status = view.status.map_or_else(String::new, |status| status.to_string());
        let _ = write!(
            rows,
            "<tr><td>{status}</td><td><a href=\"problems/{slug}\"><code>{}</code></a></td><td>{}</td></tr>",
            view.code,
            rich(view.title)
        );
    }
    let body = format!(
        "<h1>Problems</h1><p>Every error answer of this service is a problem (RFC 9457) with one of these types.</p>\
         <table><thead><tr><th>Status</th><th>Code</th><th>Title</th></tr></thead><tbody>{rows}</tbody></table>"
    );
    html("Problems", &body)
}

pub async fn one(request: HttpRequest, slug: web::Path<String>) -> Result<HttpResponse, Problem> {
    let kind = ProblemType::from_slug(&slug).ok_or_else(|| Problem::of(ProblemType::NoSuchPath))?;
    let view = TypeView::from(kind);
    if !wants_html(&request) {
        return Ok(json(&view));
    }
    let status = match view.status {
        Some(status) => format!("HTTP status {status}"),
        None => "In the <code>error</code> of an operation".to_owned(),
    };
    let example = match view.status {
        Some(_) => format!("<h2>Example</h2><pre>{}</pre>", escaped(&pretty(&example(kind)))),
        None => String::new(),
    };
    let body = format!(
        "<p><a href=\"../problems\">All problems</a></p><h1>{}</h1><p>{status}, code <code>{}</code></p>\
         <h2>Meaning</h2><p>{}</p><h2>Remedy</h2><p>{}</p>{example}",
        rich(view.title),
        view.code,
        rich(view.meaning),
        rich(view.remedy)
    );
    Ok(html(view.title, &body))
}

/// True for browsers, which accept `text/html`.
fn wants_html(request: &HttpRequest) -> bool {
    accept::preferred(request, &[("application/json", false), ("text/html", true)], false)
}

fn json(view: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, CACHING))
        .insert_header((header::VARY, "accept"))
        .json(view)
}

fn html(title: &str, body: &str) -> HttpResponse {
    let title = escaped(title);
    let page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title} · tunnelgate</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head>\
         <body><main>{body}</main></body></html>\n"
    );
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, CACHING))
        .insert_header((header::VARY, "accept"))
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY.as_str()))
        .content_type("text/html; charset=utf-8")
        .body(page)
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A text of the table as HTML; backquotes mark code.
fn rich(text: &str) -> String {
    let parts = escaped(text);
    let parts = parts.split('`').enumerate();
    parts.map(|(at, part)| if at % 2 == 1 { format!("<code>{part}</code>") } else { part.into() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backquotes_become_code_and_nothing_becomes_markup() {
        assert_eq!(rich("see `a < b` & c"), "see <code>a &lt; b</code> &amp; c");
    }

    #[test]
    fn backquotes_come_in_pairs() {
        for kind in ProblemType::ALL {
            for words in [kind.describe().title, kind.describe().meaning, kind.describe().remedy] {
                assert_eq!(words.matches('`').count() % 2, 0, "{words}");
            }
        }
    }
}
