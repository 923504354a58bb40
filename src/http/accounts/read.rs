//! `GET /accounts`.

use actix_web::HttpResponse;

use crate::domain::principal::{Scope, VpcScope};

use super::view::AccountView;
use crate::http::call::Call;
use crate::http::page::Page;
use crate::http::problem::Problem;

pub async fn list(call: Call) -> Result<HttpResponse, Problem> {
    let mut vpcs = call.vpcs(Scope::TunnelsRead)?;
    let mut query = call.query();
    let (limit, after) = (query.limit(), query.cursor::<String>());
    query.finish()?;
    let mut found = Vec::new();
    for account in call.state.service.all_accounts() {
        let served = account.vpcs.clone();
        found.extend(AccountView::of(account, &vpcs));
        // The first account whose pattern matches answers, so later ones never serve these VPCs. Only a star of the
        // account's pattern can match the star of a caller's.
        if let VpcScope::Matching(patterns) = &mut vpcs {
            patterns.retain(|pattern| !served.allows(pattern.as_str()));
        }
    }
    // By name, so that a page begins where the last one ended, also if the settings have changed meanwhile.
    found.retain(|account| after.as_ref().is_none_or(|after| account.name > *after));
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(Page::of(found, limit, |last| last.name.clone()).respond(&call.request, |account| account))
}
