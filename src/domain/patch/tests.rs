use serde_json::{Value, json};

use super::*;
use crate::domain::changes::Changes;
use crate::domain::fingerprint::FingerprintKey;

const V2: Requirements = Requirements { api: Api::V2, groups_go_together: false };
const V3: Requirements = Requirements { api: Api::V3, ..V2 };

fn faults(document: Value) -> Vec<(String, &'static str)> {
    faults_under(V2, document)
}

fn faults_under(requirements: Requirements, document: Value) -> Vec<(String, &'static str)> {
    match Patch::parse(&document, requirements) {
        Ok(patch) => patch.outside.into_iter().map(|f| (f.pointer, f.code)).collect(),
        Err(faults) => faults.into_iter().map(|f| (f.pointer, f.code)).collect(),
    }
}

fn at(pointer: &str, code: &'static str) -> (String, &'static str) {
    (pointer.to_owned(), code)
}

#[test]
fn every_field_of_the_table_is_read() -> Result<(), Vec<Fault>> {
    let document = json!({
        "name": "hq",
        "pre_shared_key": "tencenttest",
        "security_policies": [{"local_cidr": "10.0.0.5/24", "peer_cidrs": ["172.16.0.0/16", "172.17.0.0/16"]}],
        "ike": {
            "encryption_algorithm": "aes-cbc-256", "authentication_algorithm": "sha", "exchange_mode": "main",
            "local_identity": {"type": "address"},
            "remote_identity": {"type": "fqdn", "fqdn": "idc.example.com"},
            "dh_group": "group14", "sa_lifetime_seconds": 86400
        },
        "ipsec": {
            "encryption_algorithm": "null", "integrity_algorithm": "sha1", "sa_lifetime_seconds": 3600,
            "sa_lifetime_kilobytes": 2560, "pfs_dh_group": "none"
        }
    });
    let patch = Patch::parse(&document, V2)?;
    assert_eq!(patch.name.as_ref().map(TunnelName::as_str), Some("hq"));
    assert!(matches!(&patch.ranges, Some(Ranges::SecurityPolicies(p)) if p[0].peer_cidrs.len() == 2));
    let ike = patch.ike.unwrap_or_default();
    assert_eq!(ike.missing(Api::V2), None);
    assert_eq!((ike.local_identity.as_deref(), ike.local_address), (Some("address"), None));
    let ipsec = patch.ipsec.unwrap_or_default();
    assert_eq!(ipsec.missing(), None);
    assert_eq!(ipsec.encryption_algorithm.as_deref(), Some("none"));
    assert_eq!(ipsec.integrity_algorithm.as_deref(), Some("sha"));
    Ok(())
}

#[test]
fn every_fault_is_reported_at_once() {
    assert_eq!(
        faults(json!({
            "name": "", "pre_shared_key": "ü", "peer_cidrs": ["10.0.0.0/8", "nonsense", 7], "surprise/~": 1,
            "ike": {"dh_group": "group3", "sa_lifetime_seconds": 59, "remote_identity": {"type": "address"}},
            "ipsec": {"sa_lifetime_kilobytes": 604801, "sa_lifetime_seconds": 180.5, "pfs_dh_group": 14}
        })),
        [
            at("/surprise~1~0", "unknown_field"),
            at("/pre_shared_key", "invalid"),
            at("/peer_cidrs/1", "invalid_cidr"),
            at("/peer_cidrs/2", "wrong_type"),
            at("/ike/remote_identity/address", "required"),
            at("/ipsec/sa_lifetime_seconds", "out_of_range"),
            at("/ipsec/pfs_dh_group", "wrong_type"),
            // The tunnel may have these, so they come last.
            at("/name", "invalid"),
            at("/ike/dh_group", "unknown_value"),
            at("/ike/sa_lifetime_seconds", "out_of_range"),
            at("/ipsec/sa_lifetime_kilobytes", "out_of_range"),
        ]
    );
}

#[test]
fn null_is_refused_wherever_it_stands() {
    assert_eq!(
        faults(
            json!({"name": null, "peer_cidrs": ["10.0.0.0/8"], "ike": null, "ipsec": {"pfs_dh_group": null}})
        ),
        [at("/name", "null"), at("/ike", "null"), at("/ipsec/pfs_dh_group", "null")]
    );
}

#[test]
fn exactly_one_kind_of_ranges() {
    assert_eq!(faults(json!({"name": "hq"})), [at("", "missing_ranges")]);
    assert_eq!(
        faults(json!({
            "peer_cidrs": ["10.0.0.0/8"],
            "security_policies": [{"local_cidr": "10.0.0.0/8", "peer_cidrs": ["10.0.0.0/8"]}]
        })),
        [at("", "conflicting_ranges")]
    );
}

#[test]
fn ranges_may_be_left_out_where_the_api_does_not_require_them() -> Result<(), Vec<Fault>> {
    assert_eq!(Patch::parse(&json!({"name": "hq"}), V3)?.ranges, None);
    assert_eq!(faults_under(V3, json!({})), [at("", "empty")]);
    let both = json!({
        "peer_cidrs": ["10.0.0.0/8"],
        "security_policies": [{"local_cidr": "10.0.0.0/8", "peer_cidrs": ["10.0.0.0/8"]}]
    });
    assert_eq!(faults_under(V3, both), [at("", "conflicting_ranges")]);
    Ok(())
}

#[test]
fn nothing_asked_for_is_a_fault() {
    assert_eq!(faults(json!({})), [at("", "empty"), at("", "missing_ranges")]);
    assert_eq!(
        faults(json!({"peer_cidrs": [], "ike": {}, "ipsec": {}})),
        [at("/peer_cidrs", "empty"), at("/ike", "empty"), at("/ipsec", "empty")]
    );
    assert_eq!(faults(json!(["name"])), [at("", "wrong_type")]);
}

#[test]
fn an_identity_holds_what_its_type_needs_and_nothing_else() {
    let with = |local: Value| faults(json!({"peer_cidrs": ["10.0.0.0/8"], "ike": {"local_identity": local}}));
    let pointer = |member: &str| format!("/ike/local_identity/{member}");
    assert_eq!(with(json!({"type": "address", "address": "203.0.113.10"})), []);
    assert_eq!(with(json!({"type": "fqdn"})), [at(&pointer("fqdn"), "required")]);
    assert_eq!(with(json!({})), [at(&pointer("type"), "required")]);
    assert_eq!(with(json!({"type": "address", "fqdn": "a.example"})), [at(&pointer("fqdn"), "not_allowed")]);
    assert_eq!(with(json!({"type": "address", "address": "::1"})), [at(&pointer("address"), "invalid")]);
}

#[test]
fn limits_themselves_are_allowed() {
    for (seconds, kilobytes) in [(180, 2560), (604_800, 604_800)] {
        let patch = json!({
            "peer_cidrs": ["0.0.0.0/0"],
            "ipsec": {"sa_lifetime_seconds": seconds, "sa_lifetime_kilobytes": kilobytes}
        });
        assert_eq!(faults(patch), []);
    }
}

#[test]
fn words_are_read_in_any_letter_case_and_kept_in_ours() -> Result<(), Vec<Fault>> {
    let patch = Patch::parse(
        &json!({"peer_cidrs": ["10.0.0.0/8"],
            "ike": {"encryption_algorithm": "AES-CBC-128", "authentication_algorithm": "SHA1", "dh_group": "Group14",
                    "local_identity": {"type": "FQDN", "fqdn": "Hq.example"}},
            "ipsec": {"encryption_algorithm": "NULL", "integrity_algorithm": "Sha", "pfs_dh_group": "DH-GROUP5"}}),
        V2,
    )?;
    assert_eq!(patch.outside, []);
    let (ike, ipsec) = (patch.ike.unwrap_or_default(), patch.ipsec.unwrap_or_default());
    assert_eq!(ike.encryption_algorithm.as_deref(), Some("aes-cbc-128"));
    assert_eq!(ike.authentication_algorithm.as_deref(), Some("sha"));
    assert_eq!(ike.dh_group.as_deref(), Some("group14"));
    assert_eq!(
        (ike.local_identity.as_deref(), ike.local_fqdn.as_deref()),
        (Some("fqdn"), Some("Hq.example"))
    );
    assert_eq!(ipsec.encryption_algorithm.as_deref(), Some("none"));
    assert_eq!(ipsec.integrity_algorithm.as_deref(), Some("sha"));
    assert_eq!(ipsec.pfs_dh_group.as_deref(), Some("dh-group5"));
    Ok(())
}

#[test]
fn a_whole_number_may_have_a_fraction_of_zero() -> Result<(), Vec<Fault>> {
    let with =
        |seconds: Value| json!({"peer_cidrs": ["10.0.0.0/8"], "ike": {"sa_lifetime_seconds": seconds}});
    for seconds in ["86400", "86400.0", "8.64e4"] {
        let document = with(serde_json::from_str(seconds).unwrap_or_default());
        let ike = Patch::parse(&document, V2)?.ike.unwrap_or_default();
        assert_eq!(ike.sa_lifetime_seconds.as_deref(), Some("86400"), "{seconds}");
    }
    for odd in [json!(86400.5), json!(-86400.0), json!(1e300), json!(-0.5)] {
        assert_eq!(faults(with(odd.clone())), [at("/ike/sa_lifetime_seconds", "out_of_range")], "{odd}");
    }
    Ok(())
}

#[test]
fn every_field_of_api_3_is_read() -> Result<(), Vec<Fault>> {
    let document = json!({
        "ike": {"version": "ikev2", "encryption_algorithm": "aes-gcm-256", "authentication_algorithm": "sha-512",
                "dh_group": "group21"},
        "ipsec": {"encryption_algorithm": "sm4", "integrity_algorithm": "sm3", "pfs_dh_group": "dh-group19",
                  "sa_lifetime_kilobytes": 4_294_967_295_u64},
        "dpd": {"enabled": true, "timeout_seconds": 30, "action": "restart"},
        "negotiation_type": "flow-trigger",
        "health_check": {"enabled": true, "local_ip": "169.254.128.1", "remote_ip": "169.254.128.2",
                         "interval_ms": 5000, "timeout_ms": 10, "failure_threshold": 8},
        "customer_gateway_id": "cgw-mgp33pll",
        "bgp": {"tunnel_cidr": "169.254.129.0/30", "local_ip": "169.254.129.1", "remote_ip": "169.254.129.2"}
    });
    let patch = Patch::parse(&document, V3)?;
    assert_eq!(patch.outside, []);
    let changes = Changes::of(&patch, &FingerprintKey::derive(b"test"));
    assert_eq!(json!(changes), document, "changes have every field, in the form of the patch");
    Ok(())
}

#[test]
fn what_api_2_can_not_carry_is_a_fault_of_its_own() {
    let document = json!({
        "peer_cidrs": ["10.0.0.0/8"],
        "ike": {"version": "ikev2", "encryption_algorithm": "sm4", "dh_group": "group19"},
        "ipsec": {"integrity_algorithm": "sha-256", "sa_lifetime_kilobytes": 604_801},
        "dpd": {"enabled": true}, "negotiation_type": "active", "health_check": {}, "customer_gateway_id": 1,
        "bgp": null
    });
    assert_eq!(
        faults(document),
        [
            at("/ike/version", "needs_api_3"),
            at("/dpd", "needs_api_3"),
            at("/negotiation_type", "needs_api_3"),
            at("/health_check", "needs_api_3"),
            at("/customer_gateway_id", "needs_api_3"),
            at("/bgp", "needs_api_3"),
            at("/ike/encryption_algorithm", "needs_api_3"),
            at("/ike/dh_group", "needs_api_3"),
            at("/ipsec/integrity_algorithm", "needs_api_3"),
            at("/ipsec/sa_lifetime_kilobytes", "out_of_range"),
        ]
    );
}

#[test]
fn the_new_groups_have_rules_of_their_own() {
    assert_eq!(
        faults_under(
            V3,
            json!({
                "dpd": {"enabled": 1, "timeout_seconds": 0, "action": "hold"}, "negotiation_type": "flow trigger",
                "health_check": {"local_ip": "::1", "interval_ms": 999, "timeout_ms": 5001, "failure_threshold": 9},
                "customer_gateway_id": "a b", "bgp": {"tunnel_cidr": "169.254.129.0/29", "local_ip": "169.254.129.1"}
            })
        ),
        [
            at("/dpd/enabled", "wrong_type"),
            at("/health_check/local_ip", "invalid"),
            at("/customer_gateway_id", "invalid"),
            at("/bgp/remote_ip", "required"),
            at("/bgp/tunnel_cidr", "invalid"),
            at("/dpd/timeout_seconds", "out_of_range"),
            at("/dpd/action", "unknown_value"),
            at("/negotiation_type", "unknown_value"),
            at("/health_check/interval_ms", "out_of_range"),
            at("/health_check/timeout_ms", "out_of_range"),
            at("/health_check/failure_threshold", "out_of_range"),
        ]
    );
    let bgp = json!({"bgp": {"tunnel_cidr": "169.254.129.2/30", "local_ip": "169.254.129.1", "remote_ip": "169.254.129.4"}});
    assert_eq!(faults_under(V3, bgp), [at("/bgp/remote_ip", "outside_tunnel_cidr")]);
}

#[test]
fn no_fault_repeats_a_secret() {
    let document = json!({"pre_shared_key": "canary\u{7}", "peer_cidrs": ["10.0.0.0/8"]});
    let Err(faults) = Patch::parse(&document, V2) else {
        panic!("a control character is not printable");
    };
    assert!(!format!("{faults:?}").contains("canary"));
}
