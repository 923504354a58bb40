//! `GET /tunnels`.

mod cursor;
pub mod document;

use actix_web::HttpResponse;

use crate::domain::principal::Scope;
use crate::domain::tunnel_search::InvalidSearch;
use crate::service::all_tunnels::filter::TunnelFilter;

use crate::http::call::Call;
use crate::http::page::Page;
use crate::http::problem::{Problem, ProblemType};
use cursor::{Cursor, digest};

pub async fn list(call: Call) -> Result<HttpResponse, Problem> {
    let vpcs = call.vpcs(Scope::TunnelsRead)?;
    let mut query = call.query();
    let filter = TunnelFilter {
        account: query.text("account"),
        vpc_id: query.text("vpc_id"),
        gateway_id: query.text("gateway_id"),
        search: query.value("search", || InvalidSearch.to_string(), |text| text.parse().ok()),
        has_drift: query.flag("drift"),
    };
    let (limit, after) = (query.limit(), query.cursor::<Cursor>());
    let filters = digest(&filter);
    if after.as_ref().is_some_and(|after| after.filters != filters) {
        let detail = "belongs to a list with other filters: repeat the filters of the request that returned it, or \
                      omit the cursor to begin again";
        query.fault("cursor", ProblemType::InvalidCursor.describe().code, detail);
    }
    query.finish()?;
    let found = call
        .state
        .ask(|service| async move {
            let from = after.map(|after| after.place);
            service.all_tunnels(&vpcs, &filter, from.as_ref(), limit as usize).await
        })
        .await?;
    let next = found.next.map(|place| Cursor { filters, place });
    Ok(Page::until(found.tunnels, next).respond(&call.request, |tunnel| tunnel))
}
