use serde_json::{Value, json};

use super::*;

const ONE: Requirements = Requirements { ranges: RequiredRanges::ExactlyOne, groups_go_together: false };
const AT_MOST_ONE: Requirements = Requirements { ranges: RequiredRanges::AtMostOne, ..ONE };

fn faults(document: Value) -> Vec<(String, &'static str)> {
    faults_under(ONE, document)
}

fn faults_under(requirements: Requirements, document: Value) -> Vec<(String, &'static str)> {
    match Patch::parse(&document, requirements) {
        Ok(_) => Vec::new(),
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
    let patch = Patch::parse(&document, ONE)?;
    assert_eq!(patch.name.as_ref().map(TunnelName::as_str), Some("hq"));
    assert!(matches!(&patch.ranges, Some(Ranges::SecurityPolicies(p)) if p[0].peer_cidrs.len() == 2));
    let ike = patch.ike.unwrap_or_default();
    assert!(ike.is_whole());
    assert_eq!(ike.local_identity, Some(Identity::Address(None)));
    let ipsec = patch.ipsec.unwrap_or_default();
    assert!(ipsec.is_whole());
    assert_eq!(ipsec.encryption_algorithm, Some(IpsecEncryption::None));
    assert_eq!(ipsec.integrity_algorithm, Some(IpsecIntegrity::Sha));
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
            at("/name", "invalid"),
            at("/pre_shared_key", "invalid"),
            at("/peer_cidrs/1", "invalid_cidr"),
            at("/peer_cidrs/2", "wrong_type"),
            at("/ike/remote_identity/address", "required"),
            at("/ike/dh_group", "unknown_value"),
            at("/ike/sa_lifetime_seconds", "out_of_range"),
            at("/ipsec/sa_lifetime_seconds", "out_of_range"),
            at("/ipsec/sa_lifetime_kilobytes", "out_of_range"),
            at("/ipsec/pfs_dh_group", "wrong_type"),
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
    assert_eq!(Patch::parse(&json!({"name": "hq"}), AT_MOST_ONE)?.ranges, None);
    assert_eq!(faults_under(AT_MOST_ONE, json!({})), [at("", "empty")]);
    let both = json!({
        "peer_cidrs": ["10.0.0.0/8"],
        "security_policies": [{"local_cidr": "10.0.0.0/8", "peer_cidrs": ["10.0.0.0/8"]}]
    });
    assert_eq!(faults_under(AT_MOST_ONE, both), [at("", "conflicting_ranges")]);
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
fn no_fault_repeats_a_secret() {
    let document = json!({"pre_shared_key": "canary\u{7}", "peer_cidrs": ["10.0.0.0/8"]});
    let Err(faults) = Patch::parse(&document, ONE) else {
        panic!("a control character is not printable");
    };
    assert!(!format!("{faults:?}").contains("canary"));
}
