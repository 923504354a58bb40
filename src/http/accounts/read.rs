//! `GET /accounts`.

use actix_web::HttpResponse;

use crate::domain::principal::Scope;

use super::view::AccountView;
use crate::http::call::Call;
use crate::http::page::Page;
use crate::http::problem::Problem;

pub async fn list(call: Call) -> Result<HttpResponse, Problem> {
    let vpcs = call.vpcs(Scope::TunnelsRead)?;
    let mut query = call.query();
    let (limit, after) = (query.limit(), query.cursor::<String>());
    query.finish()?;
    // By name, so that a page begins where the last one ended, also if the settings have changed meanwhile.
    let readable = call.state.service.readable_accounts(&vpcs).into_iter().map(AccountView::from);
    let found = readable.filter(|account| after.as_ref().is_none_or(|after| account.name > *after)).collect();
    Ok(Page::of(found, limit, |last| last.name.clone()).respond(&call.request, |account| account))
}
