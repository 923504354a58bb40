//! `GET /drift`.

use actix_web::HttpResponse;

use crate::domain::principal::Scope;
use crate::service::ledger::{DriftFilter, OpenDrift};

use super::key::Key;
use super::view::DriftView;
use crate::http::call::Call;
use crate::http::page::Page;
use crate::http::problem::Problem;

pub async fn list(call: Call) -> Result<HttpResponse, Problem> {
    let vpcs = call.vpcs(Scope::TunnelsRead)?;
    let mut query = call.query();
    let filter = DriftFilter {
        vpc_id: query.text("vpc_id"),
        tunnel_id: query.text("tunnel_id"),
        account: query.text("account"),
    };
    let (limit, after) = (query.limit(), query.cursor::<Key>());
    query.finish()?;
    let after = after.map(|key| (key.seq, key.pointer));
    let found = call
        .state
        .ask(|service| async move { service.drifts(&vpcs, &filter, after, limit + 1).await })
        .await?;
    let key = |last: &OpenDrift| Key { seq: last.seq, pointer: last.drift.pointer.clone() };
    Ok(Page::of(found, limit, key).respond(&call.request, DriftView::from))
}
