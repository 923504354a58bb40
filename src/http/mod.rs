//! The API that consumers speak: routes, authorization, problem details, OpenAPI.

mod audit;
mod auth;
mod body;
pub mod event_view;
mod figures;
mod headers;
mod health;
pub mod openapi;
mod operations;
mod problem;
mod query;
mod request;
mod tunnels;

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::middleware::from_fn;
use actix_web::{HttpResponse, Resource, web};
use tokio::runtime::Handle;
use tracing::{Instrument, Span, error};

use crate::chance::Chance;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::service::Service;
use crate::shutdown::Shutdown;

use problem::Problem;

/// What every request handler works with.
pub struct HttpState {
    service: Service,
    metrics: Arc<Metrics>,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
    shutdown: Shutdown,
    /// Where everything that leaves the process runs.
    core: Handle,
    figures: figures::Figures,
    known: auth::Known,
}

impl HttpState {
    /// Puts the state together; `core` is the runtime of the service's connections.
    pub fn new(
        service: Service,
        metrics: Arc<Metrics>,
        clock: Arc<dyn Clock>,
        chance: Arc<dyn Chance>,
        shutdown: Shutdown,
        core: Handle,
    ) -> Self {
        let figures = figures::Figures::new(&metrics);
        Self { service, metrics, clock, chance, shutdown, core, figures, known: auth::Known::default() }
    }

    /// Runs work on the core runtime. It goes on when the caller hangs up.
    async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Problem> {
        let task = self.core.spawn(work.instrument(Span::current()));
        task.await.map_err(|failed| {
            error!(error = &failed as &dyn std::error::Error, "a request's work came to no end");
            Problem::internal()
        })
    }
}

/// Adds the routes. The state has to be the app's data already, for [`observe`].
pub fn configure(config: &mut web::ServiceConfig) {
    let tunnel = "/vpcs/{vpc_id}/gateways/{gateway_id}/tunnels/{tunnel_id}";
    config
        .service(only(web::resource(tunnel).route(web::patch().to(tunnels::patch)), "PATCH"))
        .service(only(web::resource("/operations").route(web::get().to(operations::list)), "GET"))
        .service(only(web::resource("/operations/{id}").route(web::get().to(operations::one)), "GET"))
        .service(only(web::resource("/audit-events").route(web::get().to(audit::list)), "GET"))
        .service(only(
            web::resource("/audit-events/checkpoint").route(web::get().to(audit::checkpoint)),
            "GET",
        ))
        .service(only(web::resource("/audit-events/{seq}").route(web::get().to(audit::one)), "GET"))
        .service(only(web::resource("/livez").route(web::get().to(health::livez)), "GET"))
        .service(only(web::resource("/readyz").route(web::get().to(health::readyz)), "GET"))
        .service(only(web::resource("/metrics").route(web::get().to(health::metrics)), "GET"))
        .service(only(web::resource("/openapi.json").route(web::get().to(openapi::serve)), "GET"))
        .service(web::resource("/docs").route(web::get().to(to_docs)))
        .service(web::scope("/docs").wrap(from_fn(openapi::framed)).service(openapi::swagger_ui()))
        .default_service(web::to(nowhere));
}

/// The middleware that goes around everything: `App::wrap(observe!())`.
#[macro_export]
macro_rules! observe {
    () => {
        ::actix_web::middleware::from_fn($crate::http::observed)
    };
}

pub use request::observed;

/// A resource whose other methods are refused with what it allows.
fn only(resource: Resource, allowed: &'static str) -> Resource {
    resource.default_service(web::to(move || async move {
        let detail = format!("only {allowed} works here");
        let status = StatusCode::METHOD_NOT_ALLOWED;
        Err::<HttpResponse, _>(
            Problem::new(status, "method_not_allowed", "method not allowed", detail)
                .with_header(header::ALLOW, HeaderValue::from_static(allowed)),
        )
    }))
}

async fn nowhere() -> Result<HttpResponse, Problem> {
    let detail = "no such path; /docs/ shows those that there are";
    Err(Problem::new(StatusCode::NOT_FOUND, "no_such_path", "no such path", detail))
}

async fn to_docs() -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header((header::LOCATION, "/docs/")).finish()
}
