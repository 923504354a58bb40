//! `GET /sign-in`.

use actix_web::{HttpResponse, web};

use super::view::SignInView;
use crate::http::problem::Problem;
use crate::http::state::HttpState;

/// Without a token: who asks has none yet. Nothing of the answer is secret.
pub async fn issuers(state: web::Data<HttpState>) -> Result<HttpResponse, Problem> {
    let service = state.service.clone();
    let sign_ins = state.run(async move { service.sign_ins().await }).await?;
    Ok(HttpResponse::Ok().json(SignInView::of(sign_ins)))
}
