//! The table of all routes. The server registers the routes from it, and a test compares it with the OpenAPI document. A new
//! call is one line in [`table`] and a description in the `document.rs` beside its handler.

use actix_web::http::Method;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Resource, Responder, Route, guard, web};

use super::problem::{Problem, ProblemType, pages};
use super::state::HttpState;
use super::{accounts, audit, console, drift, health, openapi, operations, principal, sign_in, tunnels};

const TUNNELS: &str = "/vpcs/{vpc_id}/gateways/{gateway_id}/tunnels";
const TUNNEL: &str = "/vpcs/{vpc_id}/gateways/{gateway_id}/tunnels/{tunnel_id}";
const PEER_CONFIG: &str = "/vpcs/{vpc_id}/gateways/{gateway_id}/tunnels/{tunnel_id}/peer-config";

/// A path with its handlers by method.
struct Endpoint {
    path: &'static str,
    calls: Vec<(Method, Route)>,
}

fn at(path: &'static str) -> Endpoint {
    Endpoint { path, calls: Vec::new() }
}

impl Endpoint {
    fn on<F, Args>(mut self, method: Method, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.calls.push((method.clone(), web::method(method).to(handler)));
        self
    }

    /// GET and HEAD; [`super::headed`] drops the body of HEAD.
    fn get<F, Args>(mut self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let either = guard::Any(guard::Get()).or(guard::Head());
        self.calls.push((Method::GET, web::route().guard(either).to(handler)));
        self
    }

    /// The value of `Allow`.
    fn allowed(&self) -> String {
        let methods = self.calls.iter().map(|(method, _)| match method {
            &Method::GET => "GET, HEAD",
            other => other.as_str(),
        });
        methods.collect::<Vec<_>>().join(", ")
    }

    /// The actix resource; other methods answer 405 with `Allow`.
    fn resource(self) -> Resource {
        let allowed = self.allowed();
        let refuse = move |request: HttpRequest| {
            let detail = refusal(request.method().as_str(), &allowed);
            let problem = Problem::new(ProblemType::MethodNotAllowed, detail);
            let problem = match HeaderValue::from_str(&allowed) {
                Ok(allowed) => problem.with_header(header::ALLOW, allowed),
                Err(_) => problem,
            };
            async move { Err::<HttpResponse, _>(problem) }
        };
        let resource = web::resource(self.path).default_service(web::to(refuse));
        self.calls.into_iter().fold(resource, |resource, (_, route)| resource.route(route))
    }
}

/// Why the method is refused. `fetch` in browsers and Node.js sends `patch` as it was written.
fn refusal(method: &str, allowed: &str) -> String {
    let meant = allowed.split(", ").find(|name| name.eq_ignore_ascii_case(method));
    match meant {
        Some(meant) => {
            format!("methods are case-sensitive: write {meant} instead of {method}; allowed here: {allowed}")
        }
        None => format!("allowed here: {allowed}"),
    }
}

/// The routes in the OpenAPI document. If two paths match, the first wins.
fn table() -> Vec<Endpoint> {
    vec![
        at("/tunnels").get(tunnels::all::list),
        at(TUNNELS).get(tunnels::read::list),
        at(TUNNEL).get(tunnels::read::one).on(Method::PATCH, tunnels::change::patch),
        at(PEER_CONFIG).get(tunnels::peer_config::peer_config),
        at("/operations").get(operations::read::list),
        at("/operations/{id}").get(operations::read::one),
        at("/operations/{id}/rollback").on(Method::POST, operations::rollback::rollback),
        at("/operations/{id}/stream").get(operations::stream::stream),
        at("/principal").get(principal::read::one),
        at("/accounts").get(accounts::read::list),
        at("/drift").get(drift::read::list),
        at("/audit-events").get(audit::read::list),
        at("/audit-events/checkpoint").get(audit::checkpoint::checkpoint),
        at("/audit-events/counts").get(audit::counts::counts),
        at("/audit-events/verification").get(audit::chain::verify),
        at("/audit-events/stream").get(audit::stream::stream),
        at("/audit-events/{seq}").get(audit::read::one),
        at("/sign-in").get(sign_in::read::issuers),
        at("/problems").get(pages::list),
        at("/problems/{slug}").get(pages::one),
        at("/livez").get(health::livez),
        at("/readyz").get(health::readyz),
        at("/metrics").get(health::metrics),
        at("/openapi.json").get(openapi::serve),
    ]
}

/// Pages for browsers, which are not in the document.
fn pages() -> Vec<Endpoint> {
    vec![
        at("/").get(console::page),
        at("/console/{file}").get(console::asset),
        at("/docs").get(to_docs),
        at("/docs/{file:.*}").get(openapi::ui::file),
    ]
}

/// Registers the routes. The app's data must already contain the state, for [`super::observed`].
pub fn configure(config: &mut web::ServiceConfig) {
    for endpoint in table().into_iter().chain(pages()) {
        config.service(endpoint.resource());
    }
    config.default_service(web::to(nowhere));
}

/// 404, except for the public URL's own path without its last slash, where the console's relative links would miss.
async fn nowhere(request: HttpRequest, state: web::Data<HttpState>) -> Result<HttpResponse, Problem> {
    match &state.edge.public_url {
        Some(public) if request.path() == public.path() => Ok(moved(&public.of("/"))),
        _ => Err(Problem::of(ProblemType::NoSuchPath)),
    }
}

/// Relative, so that it is right behind every proxy.
async fn to_docs() -> HttpResponse {
    moved("docs/")
}

fn moved(address: &str) -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header((header::LOCATION, address)).finish()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::http::edge::public_url::OWN_PATHS;

    #[test]
    fn a_public_url_can_start_with_no_path_of_the_table() {
        let first = |endpoint: Endpoint| endpoint.path.split('/').nth(1).map(str::to_owned);
        let own: BTreeSet<String> = table().into_iter().chain(pages()).filter_map(first).collect();
        let own: Vec<&str> = own.iter().map(String::as_str).filter(|segment| !segment.is_empty()).collect();
        assert_eq!(own, OWN_PATHS);
    }

    #[test]
    fn every_route_is_in_the_document_and_the_other_way_round() {
        let mut routes = BTreeSet::new();
        for endpoint in table() {
            for (method, _) in endpoint.calls {
                assert!(
                    routes.insert(format!("{method} {}", endpoint.path)),
                    "{method} {} twice",
                    endpoint.path
                );
            }
        }
        let document: Value = serde_json::from_str(&openapi::document_json()).expect("JSON");
        let mut described = BTreeSet::new();
        for (path, calls) in document["paths"].as_object().expect("paths") {
            for method in calls.as_object().expect("calls").keys() {
                described.insert(format!("{} {path}", method.to_uppercase()));
            }
        }
        assert_eq!(routes, described);
    }
}
