use std::collections::BTreeSet;

use super::*;
use crate::domain::ike::{DhGroup, IkeAuthentication, IkeEncryption};
use crate::domain::ipsec::{IpsecEncryption, IpsecIntegrity, PfsDhGroup};

fn contains(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.contains(line), "{line} in {text}");
    }
}

#[test]
fn the_remote_side_of_the_cloud_is_the_peer_s_own() {
    let lines = |format| -> &[&str] {
        match format {
            PeerFormat::Strongswan => &[
                "    version = 1\n",
                "local_addrs = 203.0.113.20\n",
                "remote_addrs = 203.0.113.10\n",
                "    proposals = aes256-sha1-modp2048\n",
                "rekey_time = 77760s\n    over_time = 8640s\n",
                "    local {\n      auth = psk\n      id = fqdn:idc.example.com\n    }\n",
                "    remote {\n      auth = psk\n      id = 203.0.113.10\n    }\n",
                "local_ts = 172.16.0.0/16\n        remote_ts = 10.9.0.0/24\n",
                "esp_proposals = aes128-md5\n        life_time = 3600s\n        rekey_time = 3240s\n",
                "life_bytes = 1887436800\n",
                "start_action = trap\n",
                "id-1 = fqdn:idc.example.com\n    id-2 = 203.0.113.10\n    secret = \"<PRE_SHARED_KEY>\"\n",
            ],
            PeerFormat::Libreswan => &[
                "#   @idc.example.com 203.0.113.10 : PSK \"<PRE_SHARED_KEY>\"\n",
                "    ikev2=no\n    aggressive=no\n    left=203.0.113.20\n    leftid=@idc.example.com\n",
                "    right=203.0.113.10\n    rightid=203.0.113.10\n    rightsubnet=10.9.0.0/24\n",
                "    ike=aes256-sha1-dh14\n    ikelifetime=86400s\n    esp=aes128-md5\n    pfs=no\n    salifetime=3600s\n",
                "auto=ondemand\n",
            ],
            PeerFormat::CiscoIos => &[
                " encryption aes 256\n hash sha\n authentication pre-share\n group 14\n lifetime 86400\n",
                " pre-shared-key address 203.0.113.10 key <PRE_SHARED_KEY>\n",
                "! With IKEv1 the identity is this device's own name: `hostname` and `ip domain name` must give idc.example.com.\n",
                " self-identity fqdn\n match identity address 203.0.113.10 255.255.255.255\n",
                "crypto ipsec transform-set TG-vpnx-1 esp-aes 128 esp-md5-hmac\n mode tunnel\n",
                " permit ip 172.16.0.0 0.0.255.255 10.9.0.0 0.0.0.255\n",
                " set peer 203.0.113.10\n set transform-set TG-vpnx-1\n set isakmp-profile TG-vpnx-1\n",
                " set security-association lifetime seconds 3600\n set security-association lifetime kilobytes 1843200\n",
            ],
            PeerFormat::Juniper => &[
                "set security ike proposal TG-vpnx-1 encryption-algorithm aes-256-cbc\n",
                "set security ike policy TG-vpnx-1 mode main\n",
                "set security ike policy TG-vpnx-1 pre-shared-key ascii-text \"<PRE_SHARED_KEY>\"\n",
                "set security ike gateway TG-vpnx-1 address 203.0.113.10\n",
                "set security ike gateway TG-vpnx-1 local-identity hostname idc.example.com\n",
                "set security ike gateway TG-vpnx-1 remote-identity inet 203.0.113.10\n",
                "set security ike gateway TG-vpnx-1 version v1-only\n",
                "traffic-selector TS-2 local-ip 172.16.0.0/16 remote-ip 10.9.0.0/24\n",
            ],
            PeerFormat::Routeros => &[
                "hash-algorithm=sha1 enc-algorithm=aes-256 dh-group=modp2048 lifetime=86400s dpd-interval=disable-dpd\n",
                "auth-algorithms=md5 enc-algorithms=aes-128-cbc pfs-group=none lifetime=3600s\n",
                "address=203.0.113.10/32 local-address=203.0.113.20 profile=TG-vpnx-1 exchange-mode=main passive=no\n",
                "secret=\"<PRE_SHARED_KEY>\" my-id=fqdn:idc.example.com remote-id=address:203.0.113.10\n",
                "src-address=172.16.0.0/16 dst-address=10.9.0.0/24 proposal=TG-vpnx-1 level=unique\n",
            ],
        }
    };
    for format in PeerFormat::ALL {
        let text = config(*format, &tunnel());
        contains(&text, lines(*format));
        contains(&text, &["no pairs of ranges", "does not show dead peer detection", "MD5"]);
        assert!(!text.contains("no public addresses"), "{text}");
    }
}

#[test]
fn ikev2_with_policies_and_dead_peer_detection() {
    let lines = |format| -> &[&str] {
        match format {
            PeerFormat::Strongswan => &[
                "    version = 2\n    local_addrs = <PEER_ADDRESS>\n    remote_addrs = 203.0.113.10\n",
                "proposals = aes256-sha256-ecp384\n",
                "dpd_delay = 10s\n    local {",
                "local_ts = 172.16.1.0/24, 172.16.2.0/24\n        remote_ts = 10.1.0.0/24\n",
                "local_ts = 172.17.0.0/16\n        remote_ts = 10.2.0.0/24\n",
                "esp_proposals = aes256gcm16-modp2048\n",
                "dpd_action = restart\n",
                "# With IKEv2 a peer is dead after the last retransmission",
            ],
            PeerFormat::Libreswan => &[
                "conn vpnx-1-3\n    type=tunnel\n    authby=secret\n    ikev2=yes\n    left=<PEER_ADDRESS>\n",
                "ike=aes256-sha2_256-dh20\n",
                "esp=aes_gcm256-none-dh14\n    pfs=yes\n",
                "dpddelay=10s\n    dpdtimeout=30s\n    dpdaction=restart\n",
            ],
            PeerFormat::CiscoIos => &[
                " encryption aes-cbc-256\n integrity sha256\n group 20\n",
                " match address local <PEER_ADDRESS>\n proposal TG-vpnx-1\n",
                "  address 203.0.113.10\n  pre-shared-key <PRE_SHARED_KEY>\n",
                " match identity remote address 203.0.113.10 255.255.255.255\n identity local fqdn idc.example.com\n",
                " lifetime 86400\n dpd 20 2 periodic\n",
                "transform-set TG-vpnx-1 esp-gcm 256\n",
                " set ikev2-profile TG-vpnx-1\n set pfs group14\n",
            ],
            PeerFormat::Juniper => &[
                "dh-group group20\n",
                "authentication-algorithm sha-256\n",
                "version v2-only\n",
                "dead-peer-detection always-send\n",
                "dead-peer-detection interval 10\n",
                "dead-peer-detection threshold 3\n",
                "ipsec proposal TG-vpnx-1 encryption-algorithm aes-256-gcm\n",
                "perfect-forward-secrecy keys group14\n",
                "traffic-selector TS-3 local-ip 172.17.0.0/16 remote-ip 10.2.0.0/24\n",
                "establish-tunnels on-traffic\n",
            ],
            PeerFormat::Routeros => &[
                "hash-algorithm=sha256 enc-algorithm=aes-256 dh-group=ecp384 lifetime=86400s dpd-interval=10s dpd-maximum-failures=3\n",
                "auth-algorithms=null enc-algorithms=aes-256-gcm pfs-group=modp2048",
                "exchange-mode=ike2",
            ],
        }
    };
    let mut tunnel = tunnel_of_api_3();
    tunnel.ike.authentication_algorithm = Some("sha-256".into());
    tunnel.ike.dh_group = Some("group20".into());
    tunnel.ipsec.encryption_algorithm = Some("aes-gcm-256".into());
    for format in PeerFormat::ALL {
        let text = config(*format, &tunnel);
        contains(&text, lines(*format));
        contains(&text, &["no public addresses"]);
        // MD5 is not in use beside AES-GCM.
        assert!(!text.contains("no pairs of ranges") && !text.contains("MD5"), "{text}");
        // Only what a policy has.
        assert!(!text.contains("172.17.0.0/16 remote-ip 10.1.0.0/24"), "{text}");
    }
}

#[test]
fn ikev1_negotiates_each_pair_of_a_policy() {
    let mut tunnel = tunnel_of_api_3();
    tunnel.ike.version = Some("ikev1".into());
    let text = config(PeerFormat::Strongswan, &tunnel);
    assert_eq!(text.matches("local_ts").count(), 3, "{text}");
    contains(&text, &["dpd_delay = 10s\n    dpd_timeout = 30s\n"]);
    assert!(!text.contains("local_ts = 172.17.0.0/16\n        remote_ts = 10.1.0.0/24"), "{text}");
    tunnel.ike.exchange_mode = Some("aggressive".into());
    for (format, line) in [
        (PeerFormat::Strongswan, "aggressive = yes"),
        (PeerFormat::Libreswan, "aggressive=yes"),
        (PeerFormat::CiscoIos, "initiate mode aggressive"),
        (PeerFormat::Juniper, "mode aggressive"),
        (PeerFormat::Routeros, "exchange-mode=aggressive"),
    ] {
        contains(&config(format, &tunnel), &[line]);
    }
    tunnel.ike.encryption_algorithm = Some("aes-gcm-128".into());
    for format in PeerFormat::ALL {
        assert_eq!(faults(*format, &tunnel), [("/ike/encryption_algorithm".into(), "not_supported")]);
    }
}

#[test]
fn the_end_that_starts_is_the_one_that_the_cloud_says() {
    for (format, starts) in [
        (PeerFormat::Strongswan, ["start_action = none", "start_action = start", "start_action = trap"]),
        (PeerFormat::Libreswan, ["auto=add", "auto=start", "auto=ondemand"]),
        (
            PeerFormat::Juniper,
            [
                "establish-tunnels responder-only",
                "establish-tunnels immediately",
                "establish-tunnels on-traffic",
            ],
        ),
        (PeerFormat::Routeros, ["passive=yes", "passive=no", "without waiting for traffic"]),
        (
            PeerFormat::CiscoIos,
            ["! The cloud starts", "! The cloud leaves the start", "! Traffic from a range"],
        ),
    ] {
        for (word, line) in ["active", "passive", "flow-trigger"].into_iter().zip(starts) {
            let mut tunnel = tunnel_of_api_3();
            tunnel.negotiation_type = Some(word.into());
            contains(&config(format, &tunnel), &[line]);
        }
    }
}

#[test]
fn a_value_beyond_a_format_s_limits_is_in_a_comment() {
    let mut tunnel = tunnel_of_api_3();
    tunnel.ike.sa_lifetime_seconds = Some("604800".into());
    tunnel.ipsec.sa_lifetime_seconds = Some("604800".into());
    tunnel.ipsec.sa_lifetime_kilobytes = Some("4294967295".into());
    tunnel.dpd.timeout_seconds = Some("86400".into());
    let times = |format| match format {
        PeerFormat::Strongswan => 0,
        PeerFormat::Libreswan => 3,
        PeerFormat::CiscoIos => 3,
        PeerFormat::Juniper => 5,
        PeerFormat::Routeros => 3,
    };
    for format in PeerFormat::ALL {
        for version in ["ikev1", "ikev2"] {
            tunnel.ike.version = Some(version.into());
            let text = config(*format, &tunnel);
            let said: Vec<&str> = text.lines().filter(|line| line.contains("the cloud has")).collect();
            assert_eq!(said.len(), times(*format), "{text}");
            assert!(said.iter().all(|line| line.starts_with(sign(*format))), "{text}");
        }
    }
    contains(
        &config(PeerFormat::Strongswan, &tunnel),
        &["life_time = 604800s", "life_bytes = 4398046510080"],
    );
    contains(&config(PeerFormat::Libreswan, &tunnel), &["ikelifetime=86400s", "salifetime=86400s"]);
    contains(&config(PeerFormat::CiscoIos, &tunnel), &["Older releases have shorter limits"]);
}

#[test]
fn each_comment_is_one_line_at_the_top() {
    for tunnel in [tunnel(), tunnel_of_api_3()] {
        for format in PeerFormat::ALL {
            let text = config(*format, &tunnel);
            let comments = text.lines().take_while(|line| line.starts_with(sign(*format))).count();
            assert!(comments >= 5, "{text}");
            assert!(text.lines().skip(comments).all(|line| !line.starts_with(sign(*format))), "{text}");
            assert!(text.ends_with('\n') && !text.contains("\n\n"), "{text}");
        }
    }
}

/// Sets each value of a setting in turn; the values that have no form in the format.
fn missing(
    format: PeerFormat,
    values: &[&'static str],
    set: fn(&mut Tunnel, String),
) -> BTreeSet<&'static str> {
    let is_missing = |value: &&&'static str| {
        let mut tunnel = tunnel_of_api_3();
        set(&mut tunnel, (**value).to_owned());
        match made(format, &tunnel) {
            Ok(text) => {
                let mut lines = text.lines().filter(|line| !line.starts_with(sign(format)));
                assert!(lines.all(|line| !line.contains("--") && !line.ends_with([' ', '-', '='])), "{text}");
                false
            }
            Err(faults) => {
                assert!(matches!(&faults[..], [one] if one.code == "not_supported"), "{faults:?}");
                true
            }
        }
    };
    values.iter().filter(is_missing).copied().collect()
}

#[test]
fn each_value_has_a_form_or_is_a_fault() {
    let old = ["group1", "group2", "group24"];
    let old_pfs = ["dh-group1", "dh-group2", "dh-group24"];
    for format in PeerFormat::ALL {
        type Words = BTreeSet<&'static str>;
        let (mut ike, mut ipsec) = (Words::from(["sm4"]), Words::from(["sm4"]));
        let (mut hash, mut group, mut pfs) = (Words::from(["sm3"]), Words::new(), Words::new());
        match format {
            PeerFormat::Strongswan => {}
            PeerFormat::Libreswan => {
                ike.insert("des-cbc");
                ipsec.insert("des-cbc");
                group.extend(old);
                pfs.extend(old_pfs);
            }
            PeerFormat::CiscoIos => ike.extend(["aes-gcm-192"]),
            PeerFormat::Juniper => {
                // AES-GCM of 128 bits has a form with SHA-256 only.
                ike.extend(["aes-gcm-128", "aes-gcm-192", "aes-gcm-256"]);
                ipsec.insert("none");
            }
            PeerFormat::Routeros => {
                ike.extend(["aes-gcm-128", "aes-gcm-192", "aes-gcm-256"]);
                hash.insert("sha-384");
                group.insert("group24");
                pfs.insert("dh-group24");
            }
        }
        let found = missing(*format, IkeEncryption::WORDS, |t, word| t.ike.encryption_algorithm = Some(word));
        assert_eq!(found, ike, "{format:?}");
        let found = missing(*format, IkeAuthentication::WORDS, |t, word| {
            t.ike.authentication_algorithm = Some(word);
        });
        assert_eq!(found, Words::new(), "{format:?}");
        let found = missing(*format, DhGroup::WORDS, |t, word| t.ike.dh_group = Some(word));
        assert_eq!(found, group, "{format:?}");
        let found =
            missing(*format, IpsecEncryption::WORDS, |t, word| t.ipsec.encryption_algorithm = Some(word));
        assert_eq!(found, ipsec, "{format:?}");
        let found =
            missing(*format, IpsecIntegrity::WORDS, |t, word| t.ipsec.integrity_algorithm = Some(word));
        assert_eq!(found, hash, "{format:?}");
        let found = missing(*format, PfsDhGroup::WORDS, |t, word| t.ipsec.pfs_dh_group = Some(word));
        assert_eq!(found, pfs, "{format:?}");
    }
    let mut tunnel = tunnel();
    tunnel.ipsec.pfs_dh_group = Some("dh-group19".into());
    assert_eq!(faults(PeerFormat::Libreswan, &tunnel), [("/ipsec/pfs_dh_group".into(), "not_supported")]);
}

#[test]
fn on_junos_aes_gcm_in_ike_defines_the_pseudo_random_function() {
    let mut tunnel = tunnel_of_api_3();
    for hash in IkeAuthentication::WORDS {
        tunnel.ike.authentication_algorithm = Some((*hash).to_owned());
        tunnel.ike.encryption_algorithm = Some("aes-gcm-256".into());
        let fault = ("/ike/encryption_algorithm".into(), "not_supported");
        assert_eq!(faults(PeerFormat::Juniper, &tunnel), [fault], "{hash}");
        tunnel.ike.encryption_algorithm = Some("aes-gcm-128".into());
        if *hash == "sha-256" {
            let text = config(PeerFormat::Juniper, &tunnel);
            contains(&text, &["ike proposal TG-vpnx-1 encryption-algorithm aes-128-gcm\n"]);
            assert!(!text.contains("ike proposal TG-vpnx-1 authentication-algorithm"), "{text}");
        } else {
            let fault = ("/ike/authentication_algorithm".into(), "not_supported");
            assert_eq!(faults(PeerFormat::Juniper, &tunnel), [fault], "{hash}");
        }
    }
}

#[test]
fn all_faults_are_told_at_once_and_there_is_no_configuration() {
    let mut tunnel = tunnel();
    tunnel.ike.encryption_algorithm = Some("sm4".into());
    tunnel.ipsec.integrity_algorithm = Some("future-9".into());
    tunnel.ike.dh_group = None;
    tunnel.ike.remote_fqdn = Some("a\"; evil".into());
    tunnel.peer_cidrs = None;
    tunnel.dpd.enabled = Some(true);
    let expected = [
        ("/ike/remote_identity", "not_supported"),
        ("/ike/dh_group", "not_shown"),
        ("/ipsec/integrity_algorithm", "unknown_value"),
        ("/peer_cidrs", "not_shown"),
        ("/dpd/timeout_seconds", "not_shown"),
        ("/dpd/action", "not_shown"),
    ];
    for format in PeerFormat::ALL {
        let found = faults(*format, &tunnel);
        let found: Vec<(&str, &str)> =
            found.iter().map(|(pointer, code)| (pointer.as_str(), *code)).collect();
        assert_eq!(found, expected);
    }
    tunnel.ipsec.integrity_algorithm = Some("sm3".into());
    tunnel.ike.dh_group = Some("group24".into());
    tunnel.ike.remote_fqdn = Some("idc.example.com".into());
    tunnel.peer_cidrs = Some(vec!["172.16.0.0/16".into()]);
    tunnel.dpd.enabled = Some(false);
    let found = faults(PeerFormat::Routeros, &tunnel);
    let found: Vec<&str> = found.iter().map(|(pointer, _)| pointer.as_str()).collect();
    assert_eq!(found, ["/ike/encryption_algorithm", "/ike/dh_group", "/ipsec/integrity_algorithm"]);
}
