//! No text of the cloud reaches a configuration as anything else than a value.

use super::{PeerFormat, Tunnel, config, made, tunnel_of_api_3};
use crate::domain::policy::ShownPolicy;
use crate::domain::secret::PreSharedKey;
use crate::domain::tunnel::Reported;

/// Every one has a character that ends a line, a value or a comment in some format.
const HOSTILE: [&str; 19] = [
    "EVIL\nx",
    "x\r\nEVIL",
    "x\rEVIL",
    "EVIL\u{2028}x",
    "EVIL\u{85}x",
    "EVIL\"x",
    "EVIL'x",
    "EVIL`x",
    "EVIL x",
    "EVIL\tx",
    "EVIL;x",
    "EVIL}x",
    "EVIL#x",
    "EVIL!x",
    "EVIL\\x",
    "$(EVIL)",
    "EVIL=x",
    "EVIL,x",
    "-EVIL",
];

type Set = fn(&mut Tunnel, String);

/// Settings of which both ends must know the value.
const SETTINGS: [(&str, Set); 25] = [
    ("ike.version", |tunnel, text| tunnel.ike.version = Some(text)),
    ("ike.encryption_algorithm", |tunnel, text| tunnel.ike.encryption_algorithm = Some(text)),
    ("ike.authentication_algorithm", |tunnel, text| tunnel.ike.authentication_algorithm = Some(text)),
    ("ike.local_identity", |tunnel, text| tunnel.ike.local_identity = Some(text)),
    ("ike.local_address", |tunnel, text| tunnel.ike.local_address = Some(text)),
    ("ike.local_fqdn", |tunnel, text| {
        tunnel.ike.local_identity = Some("fqdn".into());
        tunnel.ike.local_fqdn = Some(text);
    }),
    ("ike.remote_identity", |tunnel, text| tunnel.ike.remote_identity = Some(text)),
    ("ike.remote_address", |tunnel, text| tunnel.ike.remote_address = Some(text)),
    ("ike.remote_fqdn", |tunnel, text| tunnel.ike.remote_fqdn = Some(text)),
    ("ike.dh_group", |tunnel, text| tunnel.ike.dh_group = Some(text)),
    ("ike.sa_lifetime_seconds", |tunnel, text| tunnel.ike.sa_lifetime_seconds = Some(text)),
    ("ipsec.encryption_algorithm", |tunnel, text| tunnel.ipsec.encryption_algorithm = Some(text)),
    ("ipsec.integrity_algorithm", |tunnel, text| tunnel.ipsec.integrity_algorithm = Some(text)),
    ("ipsec.sa_lifetime_seconds", |tunnel, text| tunnel.ipsec.sa_lifetime_seconds = Some(text)),
    ("ipsec.sa_lifetime_kilobytes", |tunnel, text| tunnel.ipsec.sa_lifetime_kilobytes = Some(text)),
    ("ipsec.pfs_dh_group", |tunnel, text| tunnel.ipsec.pfs_dh_group = Some(text)),
    ("gateway_address", |tunnel, text| tunnel.gateway_address = Some(text)),
    ("peer_address", |tunnel, text| tunnel.peer_address = Some(text)),
    ("security_policies.local_cidr", |tunnel, text| {
        tunnel.security_policies =
            Some(vec![ShownPolicy { local_cidr: text, peer_cidrs: vec!["172.16.0.0/16".into()] }]);
    }),
    ("security_policies.peer_cidrs", |tunnel, text| {
        tunnel.security_policies =
            Some(vec![ShownPolicy { local_cidr: "10.0.0.0/16".into(), peer_cidrs: vec![text] }]);
    }),
    ("dpd.timeout_seconds", |tunnel, text| tunnel.dpd.timeout_seconds = Some(text)),
    ("dpd.action", |tunnel, text| tunnel.dpd.action = Some(text)),
    ("local_cidrs", |tunnel, text| {
        tunnel.security_policies = None;
        tunnel.local_cidrs = Some(vec![text]);
    }),
    ("peer_cidrs", |tunnel, text| {
        tunnel.security_policies = None;
        tunnel.peer_cidrs = Some(vec!["172.16.0.0/16".into(), text]);
    }),
    ("negotiation_type", |tunnel, text| tunnel.negotiation_type = Some(text)),
];

/// What no configuration contains.
const OTHERS: [(&str, Set); 7] = [
    ("name", |tunnel, text| tunnel.name = Some(text)),
    ("pre_shared_key", |tunnel, text| tunnel.pre_shared_key = Some(PreSharedKey::from_cloud(&text))),
    ("created_at", |tunnel, text| tunnel.created_at = Some(text)),
    ("status", |tunnel, text| tunnel.status = Some(Reported::Other(text))),
    ("customer_gateway_id", |tunnel, text| tunnel.customer_gateway_id = Some(text)),
    ("tunnel_ids", |tunnel, text| tunnel.tunnel_ids = vec![text]),
    // IKEv2 has no modes.
    ("ike.exchange_mode", |tunnel, text| tunnel.ike.exchange_mode = Some(text)),
];

#[test]
fn a_hostile_setting_is_a_fault_that_does_not_repeat_it() {
    for format in PeerFormat::ALL {
        for (name, set) in SETTINGS {
            for text in HOSTILE {
                let mut tunnel = tunnel_of_api_3();
                set(&mut tunnel, text.to_owned());
                let faults = made(*format, &tunnel).expect_err(&format!("{format:?} {name} {text:?}"));
                assert!(!format!("{faults:?}").contains("EVIL"), "{name}: {faults:?}");
            }
        }
    }
}

#[test]
fn a_hostile_name_or_key_changes_nothing() {
    for format in PeerFormat::ALL {
        let clean = config(*format, &tunnel_of_api_3());
        for (name, set) in OTHERS {
            for text in HOSTILE {
                let mut tunnel = tunnel_of_api_3();
                set(&mut tunnel, text.to_owned());
                assert_eq!(config(*format, &tunnel), clean, "{format:?} {name} {text:?}");
            }
        }
    }
}

#[test]
fn the_addresses_of_bgp_and_of_the_health_check_are_not_repeated() {
    for text in HOSTILE {
        let mut tunnel = tunnel_of_api_3();
        tunnel.bgp.tunnel_cidr = Some(text.into());
        tunnel.bgp.remote_ip = Some(text.into());
        tunnel.health_check.enabled = Some(true);
        tunnel.health_check.remote_ip = Some(text.into());
        for format in PeerFormat::ALL {
            let config = config(*format, &tunnel);
            assert!(!config.contains("EVIL"), "{config}");
            assert!(config.contains("BGP session") && config.contains("health_check.remote_ip"), "{config}");
        }
    }
}
