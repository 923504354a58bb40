//! A tunnel's path, in requests and in answers.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::fault::Fault;
use crate::domain::ids::TunnelPath;
use crate::http::address::address;

/// The segments of a tunnel's path, unchecked.
#[derive(Deserialize)]
pub struct Path {
    pub vpc_id: String,
    gateway_id: String,
    tunnel_id: String,
}

impl Path {
    pub fn parse(&self, faults: &mut Vec<Fault>) -> Option<TunnelPath> {
        // All three are parsed first, so that every fault is reported.
        let vpc_id = id(&self.vpc_id, "vpc_id", faults);
        let gateway_id = id(&self.gateway_id, "gateway_id", faults);
        let tunnel_id = id(&self.tunnel_id, "tunnel_id", faults);
        Some(TunnelPath { vpc_id: vpc_id?, gateway_id: gateway_id?, tunnel_id: tunnel_id? })
    }
}

fn id<T: std::str::FromStr<Err: std::fmt::Display>>(
    text: &str,
    name: &str,
    faults: &mut Vec<Fault>,
) -> Option<T> {
    text.parse()
        .map_err(|error: T::Err| {
            faults.push(Fault::new(format!("path:{name}"), "invalid_id", error.to_string()))
        })
        .ok()
}

/// The address of the tunnel's configuration for its peer, without the format.
pub fn peer_config(path: &TunnelPath) -> String {
    let TunnelPath { vpc_id, gateway_id, tunnel_id } = path;
    address(&format!("/vpcs/{vpc_id}/gateways/{gateway_id}/tunnels/{tunnel_id}/peer-config"))
}

/// The path of a tunnel.
#[derive(Serialize, ToSchema)]
#[schema(as = TunnelPath)]
pub struct PathView<'a> {
    #[schema(example = "vpc-03vihbk9")]
    vpc_id: &'a str,
    #[schema(example = "vpngw-kfldykuz")]
    gateway_id: &'a str,
    #[schema(example = "vpnx-ol6bcqp0")]
    tunnel_id: &'a str,
}

impl<'a> From<&'a TunnelPath> for PathView<'a> {
    fn from(path: &'a TunnelPath) -> Self {
        Self {
            vpc_id: path.vpc_id.as_str(),
            gateway_id: path.gateway_id.as_str(),
            tunnel_id: path.tunnel_id.as_str(),
        }
    }
}
