use serde_json::json;

use super::*;
use crate::domain::api::Api;
use crate::domain::ike::IkeSettings;
use crate::domain::ipsec::IpsecSettings;

const V2: Requirements = Requirements { api: Api::V2, groups_go_together: false };
const V3: Requirements = Requirements { api: Api::V3, groups_go_together: false };

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// A tunnel without DPD and without a health check.
fn tunnel() -> Tunnel {
    Tunnel {
        ike: IkeSettings {
            version: some("ikev2"),
            encryption_algorithm: some("aes-gcm-256"),
            authentication_algorithm: some("sha-256"),
            exchange_mode: some("main"),
            local_identity: some("address"),
            local_address: some("203.0.113.10"),
            remote_identity: some("address"),
            remote_address: some("203.0.113.20"),
            dh_group: some("group20"),
            sa_lifetime_seconds: some("86400"),
            ..IkeSettings::default()
        },
        ipsec: IpsecSettings {
            encryption_algorithm: some("Future-Cipher"),
            integrity_algorithm: some("sha"),
            sa_lifetime_seconds: some("3600"),
            sa_lifetime_kilobytes: some("1843200"),
            pfs_dh_group: some("none"),
        },
        ..Tunnel::default()
    }
}

fn change(document: &serde_json::Value, requirements: Requirements) -> TunnelChange {
    let path = TunnelPath {
        vpc_id: "vpc-1".parse().expect("an id"),
        gateway_id: "vpngw-1".parse().expect("an id"),
        tunnel_id: "vpnx-1".parse().expect("an id"),
    };
    as_given(&path, &Patch::parse(document, requirements).expect("a patch"))
}

#[test]
fn a_touched_group_is_whole_and_keeps_what_the_gateway_does_not_know() {
    let mut partial =
        change(&json!({"ike": {"dh_group": "group21"}, "ipsec": {"pfs_dh_group": "dh-group20"}}), V3);
    assert_eq!(fill(&mut partial, &tunnel(), V3), Ok(()));
    let ike = partial.ike.expect("the group");
    assert_eq!((ike.missing(Api::V3), ike.dh_group.as_deref()), (None, Some("group21")));
    assert_eq!(
        (ike.version.as_deref(), ike.encryption_algorithm.as_deref()),
        (Some("ikev2"), Some("aes-gcm-256"))
    );
    let ipsec = partial.ipsec.expect("the group");
    assert_eq!(ipsec.encryption_algorithm.as_deref(), Some("Future-Cipher"), "as the cloud shows it");
    assert_eq!(ipsec.pfs_dh_group.as_deref(), Some("dh-group20"));
}

#[test]
fn an_identity_replaces_the_other_kind_whole() {
    let fqdn = json!({"ike": {"remote_identity": {"type": "fqdn", "fqdn": "idc.example.com"}}});
    let mut change = change(&fqdn, V3);
    assert_eq!(fill(&mut change, &tunnel(), V3), Ok(()));
    let ike = change.ike.expect("the group");
    assert_eq!((ike.remote_fqdn.as_deref(), ike.remote_address), (Some("idc.example.com"), None));
    assert_eq!(ike.local_address.as_deref(), Some("203.0.113.10"));
}

#[test]
fn ike_is_whole_with_its_version_only_on_api_3() {
    let mut there = tunnel();
    there.ike.version = None;
    let mut on_v2 = change(&json!({"peer_cidrs": ["10.0.0.0/8"], "ike": {"dh_group": "group14"}}), V2);
    assert_eq!(fill(&mut on_v2, &there, V2), Ok(()));
    let mut on_v3 = change(&json!({"ike": {"dh_group": "group14"}}), V3);
    assert_eq!(fill(&mut on_v3, &there, V3), Err(NotMerged::Unshown { group: "ike", setting: "version" }));
    let mut given = change(&json!({"ike": {"version": "ikev1"}}), V3);
    assert_eq!(fill(&mut given, &there, V3), Ok(()));
}

#[test]
fn dpd_repeats_what_the_tunnel_shows_and_needs_its_switch() {
    let mut longer = change(&json!({"dpd": {"timeout_seconds": 60}}), V3);
    // The cloud's default is off.
    let unshown = NotMerged::Unshown { group: "dpd", setting: "enabled" };
    assert_eq!(fill(&mut longer, &tunnel(), V3), Err(unshown));
    let mut on = change(&json!({"dpd": {"enabled": true}}), V3);
    assert_eq!(fill(&mut on, &tunnel(), V3), Ok(()));
    let mut there = tunnel();
    (there.dpd.enabled, there.dpd.action) = (Some(true), some("restart"));
    assert_eq!(fill(&mut longer, &there, V3), Ok(()));
    let dpd = longer.dpd.expect("the group");
    assert_eq!(
        (dpd.enabled, dpd.action.as_deref(), dpd.timeout_seconds.as_deref()),
        (Some(true), Some("restart"), Some("60"))
    );
}

#[test]
fn the_record_of_a_health_check_is_sent_whole_or_not_at_all() {
    let mut first = change(&json!({"health_check": {"enabled": true, "interval_ms": 2000}}), V3);
    let Err(NotMerged::Invalid(faults)) = fill(&mut first, &tunnel(), V3) else {
        panic!("the tunnel has nothing that the record could keep");
    };
    let pointers: Vec<&str> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
    assert_eq!(pointers, ["/health_check/timeout_ms", "/health_check/failure_threshold"]);

    let mut on = change(&json!({"health_check": {"enabled": true}}), V3);
    assert_eq!(fill(&mut on, &tunnel(), V3), Ok(()));

    let mut there = tunnel();
    there.health_check = HealthCheckSettings {
        enabled: Some(true),
        interval_ms: some("5000"),
        timeout_ms: some("100"),
        failure_threshold: some("3"),
        ..HealthCheckSettings::default()
    };
    let mut faster = change(&json!({"health_check": {"interval_ms": 1000}}), V3);
    assert_eq!(fill(&mut faster, &there, V3), Ok(()));
    let check = faster.health_check.expect("the group");
    assert_eq!(check.enabled, Some(true), "a check that is on stays on");
    let record = check.record().map(|(_, setting)| setting.as_deref());
    assert_eq!(record, [Some("1000"), Some("100"), Some("3")]);
}
