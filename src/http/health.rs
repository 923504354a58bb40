//! `/livez`, `/readyz`, `/metrics`.

use actix_web::{HttpResponse, web};

use super::HttpState;
use super::problem::{Problem, ProblemType};

/// The text format of Prometheus.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(super) async fn livez() -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({"status": "alive"}))
}

/// Ready: the ledger is migrated and can be written. Never the cloud: one bad day there must not take all replicas out.
pub(super) async fn readyz(state: web::Data<HttpState>) -> Result<HttpResponse, Problem> {
    if state.shutdown.is_requested() {
        return Err(Problem::of(ProblemType::ShuttingDown));
    }
    let service = state.service.clone();
    state.run(async move { service.ready().await }).await??;
    Ok(HttpResponse::Ok().json(serde_json::json!({"status": "ready"})))
}

pub(super) async fn metrics(state: web::Data<HttpState>) -> HttpResponse {
    HttpResponse::Ok().content_type(OPENMETRICS).body(state.metrics.render())
}
