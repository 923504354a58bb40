//! `/tunnels` and `/vpcs/{vpc_id}/gateways/{gateway_id}/tunnels`.

mod all;
mod api_3;
mod codes;
mod conditional;
mod dry_run;
mod idempotency;
mod input;
mod list;
mod locks;
mod merging;
mod misbehaviour;
mod peer_config;
mod plain_style;
mod read;
mod shortage;
