//! `…/tunnels/{tunnel_id}/peer-config` in the OpenAPI document.
#![allow(dead_code, reason = "the function carries the description, and is never called")]

use crate::domain::ids::TunnelId;
use crate::domain::ike::IkeSettings;
use crate::domain::ipsec::IpsecSettings;
use crate::domain::peer_config::PeerFormat;
use crate::domain::tunnel::Tunnel;
use crate::http::openapi::answers::{CALLER, problems};

problems!(PeerConfigProblems: CALLER, InvalidQuery, TunnelNotFound, VpcNotServed, PeerConfigUnavailable,
    UpstreamInvalidParameter, UpstreamRateLimited, CallBudget, UpstreamCredentials, UpstreamReplay, UpstreamFailed,
    UpstreamUnavailable, TunnelUnreadable);

/// Get the configuration for a tunnel's peer
///
/// The other end of the tunnel, as the cloud has the tunnel now, in the form of a program or device. After a change of
/// algorithms, identities, ranges or the key, the peer has to change too. Its comments say what to fill in: the pre-shared key is
/// always a placeholder, and so is an address that the cloud does not show.
///
/// Both ends must agree on algorithms, groups, identities and ranges. If the cloud does not show one of them, the gateway does
/// not know its value, or the format does not have it, the answer is 409 with the reason for each. Lifetimes, dead peer
/// detection and who starts are each end's own: a format that lacks one has a comment in its place.
#[utoipa::path(get, path = "/vpcs/{vpc_id}/gateways/{gateway_id}/tunnels/{tunnel_id}/peer-config", tag = "tunnels",
    operation_id = "get_peer_config",
    security(("bearer" = ["tunnels:read"])),
    params(
        ("vpc_id" = String, Path, description = "The VPC", example = "vpc-03vihbk9"),
        ("gateway_id" = String, Path, description = "The VPN gateway in it", example = "vpngw-kfldykuz"),
        ("tunnel_id" = String, Path, description = "The VPN tunnel on it", example = "vpnx-ol6bcqp0"),
        ("format" = PeerFormat, Query, description = "The program or device at the other end", example = "strongswan")
    ),
    responses(
        (status = 200, description = "The configuration", body = String, content_type = "text/plain",
            examples(
                ("strongswan" = (summary = "strongSwan: swanctl.conf", value = json!(example(PeerFormat::Strongswan)))),
                ("libreswan" = (summary = "Libreswan: ipsec.conf", value = json!(example(PeerFormat::Libreswan)))),
                ("cisco-ios" = (summary = "Cisco IOS and IOS XE", value = json!(example(PeerFormat::CiscoIos)))),
                ("juniper" = (summary = "Junos on SRX", value = json!(example(PeerFormat::Juniper)))),
                ("routeros" = (summary = "MikroTik RouterOS 7", value = json!(example(PeerFormat::Routeros)))))),
        PeerConfigProblems
    ))]
pub fn get_peer_config() {}

/// The configuration of the example of a tunnel.
fn example(format: PeerFormat) -> Option<String> {
    let text = |text: &str| Some(text.to_owned());
    let tunnel = Tunnel {
        local_cidrs: Some(vec!["10.0.0.0/16".into()]),
        peer_cidrs: Some(vec!["172.16.0.0/16".into()]),
        gateway_address: text("203.0.113.10"),
        peer_address: text("203.0.113.20"),
        ike: IkeSettings {
            encryption_algorithm: text("aes-cbc-256"),
            authentication_algorithm: text("sha"),
            exchange_mode: text("main"),
            local_identity: text("address"),
            local_address: text("203.0.113.10"),
            remote_identity: text("address"),
            remote_address: text("203.0.113.20"),
            dh_group: text("group14"),
            sa_lifetime_seconds: text("86400"),
            ..IkeSettings::default()
        },
        ipsec: IpsecSettings {
            encryption_algorithm: text("aes-cbc-256"),
            integrity_algorithm: text("sha"),
            sa_lifetime_seconds: text("3600"),
            sa_lifetime_kilobytes: text("1843200"),
            pfs_dh_group: text("dh-group14"),
        },
        ..Tunnel::default()
    };
    format.of(&tunnel, &"vpnx-ol6bcqp0".parse::<TunnelId>().ok()?).ok()
}
