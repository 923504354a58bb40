//! Tunnels: `/tunnels`, `/vpcs/{vpc_id}/gateways/{gateway_id}/tunnels` and the paths below.

pub mod all;
pub mod change;
pub mod document;
pub mod dry_run;
pub mod path;
pub mod peer_config;
pub mod read;
pub mod schema;
