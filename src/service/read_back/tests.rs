use serde_json::json;

use super::*;
use crate::domain::api::Api;
use crate::domain::fault::Fault;
use crate::domain::ike::IkeSettings;
use crate::domain::ipsec::IpsecSettings;
use crate::domain::patch::{Patch, Requirements};
use crate::domain::policy::ShownPolicy;
use crate::domain::secret::PreSharedKey;
use crate::domain::tunnel::{Reported, TunnelStatus};

fn key() -> FingerprintKey {
    FingerprintKey::derive(b"test")
}

fn asked(patch: &Value) -> Result<Changes, Vec<Fault>> {
    let requirements = Requirements { api: Api::V3, groups_go_together: false };
    Ok(Changes::of(&Patch::parse(patch, requirements)?, &key()))
}

fn tunnel() -> Tunnel {
    let some = |text: &str| Some(text.to_owned());
    Tunnel {
        gateway_address: some("203.0.113.10"),
        name: some("hq"),
        pre_shared_key: Some(PreSharedKey::from_cloud("tencenttest")),
        local_cidrs: Some(vec!["10.0.0.0/24".into()]),
        peer_cidrs: Some(vec!["172.17.0.0/16".into(), "172.16.0.0/16".into()]),
        status: Some(Reported::Known(TunnelStatus::Running)),
        ike: IkeSettings {
            encryption_algorithm: some("AES-CBC-128"),
            local_identity: some("address"),
            local_address: some("203.0.113.10"),
            sa_lifetime_seconds: some("86400"),
            ..IkeSettings::default()
        },
        ipsec: IpsecSettings { integrity_algorithm: some("sha"), ..IpsecSettings::default() },
        ..Tunnel::default()
    }
}

fn verdict(patch: &Value) -> Result<Verification, Vec<Fault>> {
    Ok(compare(&asked(patch)?, &tunnel(), Some(&key())).verdict())
}

#[test]
fn order_host_bits_letter_case_and_numbers_as_texts_do_not_matter() -> Result<(), Vec<Fault>> {
    let patch = json!({
        "name": "hq", "pre_shared_key": "tencenttest", "peer_cidrs": ["172.16.3.1/16", "172.17.0.0/16"],
        "ike": {"encryption_algorithm": "aes-cbc-128", "sa_lifetime_seconds": 86400,
                "local_identity": {"type": "address"}},
        "ipsec": {"integrity_algorithm": "sha1"}
    });
    assert_eq!(verdict(&patch)?, Verification::Confirmed);
    Ok(())
}

#[test]
fn every_field_that_differs_is_named_and_no_secret_shown() -> Result<(), Vec<Fault>> {
    let patch = json!({
        "pre_shared_key": "another", "peer_cidrs": ["172.16.0.0/16"],
        "ike": {"encryption_algorithm": "3des-cbc", "sa_lifetime_seconds": 60,
                "local_identity": {"type": "fqdn", "fqdn": "a.example"}}
    });
    let Verification::Diverged { differences } = verdict(&patch)? else {
        panic!("nothing of this is so");
    };
    let mut pointers: Vec<&str> = differences.iter().map(|d| d.pointer.as_str()).collect();
    pointers.sort_unstable();
    let expected = [
        "/ike/encryption_algorithm",
        "/ike/local_identity",
        "/ike/sa_lifetime_seconds",
        "/peer_cidrs",
        "/pre_shared_key",
    ];
    assert_eq!(pointers, expected);
    assert!(!format!("{differences:?}").contains("another"));
    Ok(())
}

#[test]
fn what_the_cloud_does_not_show_is_not_confirmed() -> Result<(), Vec<Fault>> {
    let patch = json!({"peer_cidrs": ["172.16.0.0/16", "172.17.0.0/16"], "ipsec": {"pfs_dh_group": "none"}});
    assert!(
        matches!(verdict(&patch)?, Verification::Unavailable { reason: Some(r) } if r.contains("/ipsec/pfs_dh_group"))
    );
    Ok(())
}

#[test]
fn policies_are_confirmed_only_where_the_ranges_of_both_sides_prove_them() -> Result<(), Vec<Fault>> {
    let one = json!({"security_policies": [{"local_cidr": "10.0.0.0/24", "peer_cidrs": ["172.16.0.0/16", "172.17.0.0/16"]}]});
    assert_eq!(verdict(&one)?, Verification::Confirmed);
    let other =
        json!({"security_policies": [{"local_cidr": "10.0.1.0/24", "peer_cidrs": ["172.16.0.0/16"]}]});
    assert!(matches!(verdict(&other)?, Verification::Diverged { .. }));
    let mut there = tunnel();
    there.local_cidrs = Some(vec!["10.0.0.0/24".into(), "10.0.1.0/24".into()]);
    let two = asked(&json!({"security_policies": [
        {"local_cidr": "10.0.0.0/24", "peer_cidrs": ["172.16.0.0/16"]},
        {"local_cidr": "10.0.1.0/24", "peer_cidrs": ["172.17.0.0/16"]}
    ]}))?;
    let verdict = compare(&two, &there, Some(&key())).verdict();
    assert!(matches!(verdict, Verification::Unavailable { .. }), "the same ranges could be joined otherwise");
    Ok(())
}

#[test]
fn pairs_that_the_cloud_shows_are_compared_as_pairs() -> Result<(), Vec<Fault>> {
    let policy =
        |local: &str, peer: &str| ShownPolicy { local_cidr: local.into(), peer_cidrs: vec![peer.into()] };
    let mut there = tunnel();
    there.security_policies =
        Some(vec![policy("10.0.1.0/24", "172.17.0.0/16"), policy("10.0.0.0/24", "172.16.0.0/16")]);
    let asked_for = |peers: [&str; 2]| {
        asked(&json!({"security_policies": [
            {"local_cidr": "10.0.0.7/24", "peer_cidrs": [peers[0]]},
            {"local_cidr": "10.0.1.0/24", "peer_cidrs": [peers[1]]}
        ]}))
    };
    let verdict = |changes: Changes| compare(&changes, &there, Some(&key())).verdict();
    assert_eq!(verdict(asked_for(["172.16.0.0/16", "172.17.0.0/16"])?), Verification::Confirmed);
    let crossed = verdict(asked_for(["172.17.0.0/16", "172.16.0.0/16"])?);
    assert!(matches!(crossed, Verification::Diverged { .. }), "{crossed:?}");
    Ok(())
}

/// The tunnel with two pairs: each side has two ranges, and each range reaches one.
fn crossed() -> Tunnel {
    let policy =
        |local: &str, peer: &str| ShownPolicy { local_cidr: local.into(), peer_cidrs: vec![peer.into()] };
    let policies = vec![policy("10.0.0.0/24", "172.16.0.0/16"), policy("10.0.1.0/24", "172.17.0.0/16")];
    Tunnel { security_policies: Some(policies), ..tunnel() }
}

#[test]
fn peers_are_as_requested_only_if_every_range_reaches_them() -> Result<(), Vec<Fault>> {
    let changes = asked(&json!({"peer_cidrs": ["172.16.0.0/16", "172.17.0.0/16"]}))?;
    let crossed = crossed();
    let comparison = compare(&changes, &crossed, Some(&key()));
    assert!(comparison.same.is_empty());
    assert_eq!(comparison.differences[0].observed, json!(crossed.security_policies));
    // The same peers, and yet the change has something to do.
    let before = before(&changes, &crossed, &key());
    assert_eq!(telling(&changes, &before, None).fields, BTreeSet::from(["/peer_cidrs".to_owned()]));
    Ok(())
}

#[test]
fn the_gateway_s_own_address_is_confirmed_only_if_it_is_known_which_one_that_is() -> Result<(), Vec<Fault>> {
    let changes = asked(&json!({"ike": {"local_identity": {"type": "address"}}}))?;
    let (other, own) = ("198.51.100.7", "203.0.113.10");
    let compared = |address: Option<&str>, gateway_address: Option<&str>| {
        let text = |text: &str| text.to_owned();
        let ike = IkeSettings { local_address: address.map(text), ..tunnel().ike };
        let there = Tunnel { gateway_address: gateway_address.map(text), ike, ..tunnel() };
        let before = before(&changes, &there, &key());
        let telling = telling(&changes, &before, gateway_address);
        let tells = (telling.fields.len(), telling.unknown.len());
        (compare(&changes, &there, Some(&key())).verdict().result(), tells)
    };
    assert_eq!(compared(Some(own), Some(own)), ("confirmed", (0, 0)));
    assert_eq!(compared(None, None), ("confirmed", (0, 0)));
    assert_eq!(compared(Some(other), Some(own)), ("diverged", (1, 0)));
    assert_eq!(compared(Some(other), None), ("unavailable", (0, 1)), "it may be the gateway's own");
    Ok(())
}
