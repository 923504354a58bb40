//! `GET /vpcs/{vpc_id}/gateways/{gateway_id}/tunnels` and `…/tunnels/{tunnel_id}`.

use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, web};

use crate::domain::ids::{GatewayId, VpcId};
use crate::domain::principal::Scope;
use crate::service::tunnels::TunnelError;

use super::path::Path;
use crate::http::call::Call;
use crate::http::input::conditional;
use crate::http::page::Page;
use crate::http::problem::Problem;

/// Clients may cache a tunnel but must revalidate it.
const REVALIDATE: (header::HeaderName, HeaderValue) =
    (header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));

pub async fn one(call: Call, path: web::Path<Path>) -> Result<HttpResponse, Problem> {
    let vpcs = call.vpcs(Scope::TunnelsRead)?;
    let mut query = call.query();
    let cached = query.header(conditional::if_none_match(&call.request)).unwrap_or_default();
    query.finish()?;
    // An invalid id and a VPC outside the caller's scope look like a missing tunnel.
    let path = path.parse(&mut Vec::new()).filter(|path| vpcs.allows(path.vpc_id.as_str()));
    let path = path.ok_or_else(TunnelError::not_found)?;
    let tunnel = call.state.ask(|service| async move { service.tunnel(&path).await }).await?;
    let etag = tunnel.etag();
    let mut response = if cached.contains(&etag) { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response.insert_header((header::ETAG, etag.to_string())).insert_header(REVALIDATE);
    Ok(if cached.contains(&etag) { response.finish() } else { response.json(tunnel) })
}

pub async fn list(call: Call, path: web::Path<(String, String)>) -> Result<HttpResponse, Problem> {
    let vpcs = call.vpcs(Scope::TunnelsRead)?;
    let mut query = call.query();
    let has_drift = query.flag("drift");
    let (limit, after) = (query.limit(), query.cursor::<String>());
    query.finish()?;
    let vpc = path.0.parse::<VpcId>().ok().filter(|vpc| vpcs.allows(vpc.as_str()));
    let (Some(vpc), Ok(gateway)) = (vpc, path.1.parse::<GatewayId>()) else {
        return Err(TunnelError::not_found().into());
    };
    let tunnels = call
        .state
        .ask(|service| async move {
            service.tunnels(&vpc, &gateway, has_drift, after.as_deref(), limit as usize + 1).await
        })
        .await?;
    Ok(Page::of(tunnels, limit, |last| last.tunnel_id.clone()).respond(&call.request, |tunnel| tunnel))
}
