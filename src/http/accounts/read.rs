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
    let accounts = call.state.service.all_accounts().into_iter();
    let mut found: Vec<_> = accounts.filter_map(|account| AccountView::of(account, &vpcs)).collect();
    // By name, so that a page begins where the last one ended, also if the settings have changed meanwhile.
    found.retain(|account| after.as_ref().is_none_or(|after| account.name > *after));
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(Page::of(found, limit, |last| last.name.clone()).respond(&call.request, |account| account))
}
