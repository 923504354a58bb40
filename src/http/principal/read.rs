//! `GET /principal`.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, HeaderValue};

use super::view::PrincipalView;
use crate::http::call::Call;
use crate::http::problem::Problem;

/// Any valid token will do: no scope is needed.
pub async fn one(call: Call) -> Result<HttpResponse, Problem> {
    call.query().finish()?;
    // The same address has another answer for another token.
    let no_store = (CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(HttpResponse::Ok().insert_header(no_store).json(PrincipalView::of(&call.principal)))
}
