mod formats;
mod injection;

use super::*;
use crate::domain::policy::ShownPolicy;

/// A tunnel as API 2.0 shows it.
fn tunnel() -> Tunnel {
    let text = |text: &str| Some(text.to_owned());
    let mut tunnel = Tunnel {
        local_cidrs: Some(vec!["10.0.0.0/16".into(), "10.9.0.5/24".into()]),
        peer_cidrs: Some(vec!["172.16.0.0/16".into()]),
        gateway_address: text("203.0.113.10"),
        peer_address: text("203.0.113.20"),
        ..Tunnel::default()
    };
    let (ike, ipsec) = (&mut tunnel.ike, &mut tunnel.ipsec);
    ike.encryption_algorithm = text("aes-cbc-256");
    ike.authentication_algorithm = text("sha");
    ike.exchange_mode = text("main");
    (ike.local_identity, ike.local_address) = (text("address"), text("203.0.113.10"));
    (ike.remote_identity, ike.remote_fqdn) = (text("fqdn"), text("idc.example.com"));
    ike.dh_group = text("group14");
    ike.sa_lifetime_seconds = text("86400");
    ipsec.encryption_algorithm = text("aes-cbc-128");
    ipsec.integrity_algorithm = text("md5");
    ipsec.sa_lifetime_seconds = text("3600");
    ipsec.sa_lifetime_kilobytes = text("1843200");
    ipsec.pfs_dh_group = text("none");
    tunnel
}

/// The same tunnel as API 3.0 shows it, with IKEv2, two policies and dead peer detection.
fn tunnel_of_api_3() -> Tunnel {
    let policy = |local: &str, peers: &[&str]| ShownPolicy {
        local_cidr: local.into(),
        peer_cidrs: peers.iter().map(|peer| (*peer).to_owned()).collect(),
    };
    let mut tunnel = Tunnel { gateway_address: None, peer_address: None, ..tunnel() };
    tunnel.security_policies = Some(vec![
        policy("10.1.0.0/24", &["172.16.1.0/24", "172.16.2.0/24"]),
        policy("10.2.0.0/24", &["172.17.0.0/16"]),
    ]);
    tunnel.ike.version = Some("ikev2".into());
    tunnel.ipsec.pfs_dh_group = Some("dh-group14".into());
    tunnel.negotiation_type = Some("flow-trigger".into());
    tunnel.dpd.enabled = Some(true);
    tunnel.dpd.timeout_seconds = Some("30".into());
    tunnel.dpd.action = Some("restart".into());
    tunnel
}

fn made(format: PeerFormat, tunnel: &Tunnel) -> Result<String, Vec<Fault>> {
    format.of(tunnel, &"vpnx-1".parse().expect("an id"))
}

fn config(format: PeerFormat, tunnel: &Tunnel) -> String {
    made(format, tunnel).unwrap_or_else(|faults| format!("{faults:?}"))
}

/// The pointers and codes of the faults.
fn faults(format: PeerFormat, tunnel: &Tunnel) -> Vec<(String, &'static str)> {
    let faults = made(format, tunnel).expect_err("faults");
    faults.into_iter().map(|fault| (fault.pointer, fault.code)).collect()
}

fn sign(format: PeerFormat) -> &'static str {
    if format == PeerFormat::CiscoIos { "! " } else { "# " }
}
