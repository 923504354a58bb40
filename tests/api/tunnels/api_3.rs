//! The fields and values that only API 3.0 has.

use serde_json::{Value, json};
use tunnelgate::domain::api::Api;
use tunnelgate::domain::dpd::DpdAction;
use tunnelgate::domain::ike::{DhGroup, ExchangeMode, IkeAuthentication, IkeEncryption, IkeVersion};
use tunnelgate::domain::ipsec::{IpsecEncryption, IpsecIntegrity, PfsDhGroup};
use tunnelgate::domain::negotiation::NegotiationType;
use tunnelgate::domain::wire_words::WireWords;

use super::input::pointers;
use crate::harness::{Harness, path};
use crate::operations::rollback::roll_back;
use crate::support::Store;

const WAIT: [(&str, &str); 1] = [("prefer", "wait=30")];

async fn on_api_3() -> Harness {
    Harness::with(Store::sqlite(), |settings| settings.accounts[0].api = Api::V3).await
}

async fn shown(harness: &Harness, tunnel: &str) -> Value {
    harness.consumer.get(&path(tunnel), &[]).await.json()
}

/// Makes the change, which must end as asked; returns the operation.
async fn changed(harness: &Harness, tunnel: &str, patch: &Value) -> Value {
    let answer = harness.consumer.patch(&path(tunnel), patch, &WAIT).await;
    let operation = answer.json();
    assert_eq!(operation["status"], "succeeded", "{patch}: {operation}");
    assert_eq!(operation["verification"], json!({"result": "confirmed"}), "{patch}: {operation}");
    operation
}

/// The word of a column of the table, again from the start where the column is shorter.
fn word<T: WireWords>(turn: usize) -> &'static str {
    let words = T::words_of(Api::V3);
    words[turn % words.len()]
}

/// A patch with every field of the contract; each turn has the next word of each table.
fn every_field(turn: usize) -> Value {
    let identities = [
        json!({"type": "address", "address": "203.0.113.77"}),
        json!({"type": "fqdn", "fqdn": "idc.example.com"}),
    ];
    let pick = |values: [u64; 2]| values[turn % 2];
    json!({
        "name": format!("größe {turn}"), "pre_shared_key": format!("key-{turn}"),
        "security_policies": [
            {"local_cidr": "10.0.0.0/24", "peer_cidrs": ["172.16.0.0/16", format!("172.30.{turn}.0/24")]},
            {"local_cidr": "10.0.1.0/24", "peer_cidrs": ["172.17.0.0/16"]}],
        "ike": {
            "version": word::<IkeVersion>(turn), "encryption_algorithm": word::<IkeEncryption>(turn),
            "authentication_algorithm": word::<IkeAuthentication>(turn), "exchange_mode": word::<ExchangeMode>(turn),
            "local_identity": identities[turn % 2], "remote_identity": identities[(turn + 1) % 2],
            "dh_group": word::<DhGroup>(turn), "sa_lifetime_seconds": pick([60, 604_800])},
        "ipsec": {
            "encryption_algorithm": word::<IpsecEncryption>(turn), "integrity_algorithm": word::<IpsecIntegrity>(turn),
            "sa_lifetime_seconds": pick([180, 604_800]), "sa_lifetime_kilobytes": pick([2560, 4_294_967_295]),
            "pfs_dh_group": word::<PfsDhGroup>(turn)},
        "dpd": {"enabled": turn.is_multiple_of(2), "timeout_seconds": pick([30, 60]), "action": word::<DpdAction>(turn)},
        "negotiation_type": word::<NegotiationType>(turn),
        "health_check": {
            "enabled": turn.is_multiple_of(2), "local_ip": format!("169.254.128.{}", turn + 1),
            "remote_ip": format!("169.254.129.{}", turn + 1), "interval_ms": pick([1000, 5000]),
            "timeout_ms": pick([10, 5000]), "failure_threshold": pick([3, 8])},
        "customer_gateway_id": format!("cgw-{turn}"),
        "bgp": {"tunnel_cidr": format!("169.254.130.{}/30", turn * 4), "local_ip": format!("169.254.130.{}", turn * 4 + 1),
                "remote_ip": format!("169.254.130.{}", turn * 4 + 2)},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_word_and_limit_goes_to_the_cloud_and_comes_back() {
    let harness = on_api_3().await;
    let longest = PfsDhGroup::TABLE.len().max(IpsecEncryption::TABLE.len()).max(DhGroup::TABLE.len());
    let mut before = shown(&harness, "vpnx-branch01").await;
    for turn in 0..longest {
        let patch = every_field(turn);
        let operation = changed(&harness, "vpnx-branch01", &patch).await;
        let tunnel = shown(&harness, "vpnx-branch01").await;
        for (member, asked) in patch.as_object().expect("members") {
            if member == "pre_shared_key" {
                assert_eq!(operation["changes"][member], tunnel[member]);
                assert_ne!(tunnel[member], before[member]);
            } else {
                assert_eq!((&operation["changes"][member], &tunnel[member]), (asked, asked), "{member}");
            }
            let had = &operation["before"][member];
            assert!(!had.is_null() || before[member].is_null(), "{member} in {operation}");
        }
        assert_eq!(operation["before"]["security_policies"], before["security_policies"]);
        before = tunnel;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn peer_ranges_become_policies_from_each_range_of_the_tunnel() {
    let harness = on_api_3().await;
    let policy = |local: &str, peers: &[&str]| json!({"local_cidr": local, "peer_cidrs": peers});
    let crossed =
        json!([policy("10.0.0.0/24", &["172.16.0.0/16"]), policy("10.0.1.0/24", &["172.17.0.0/16"])]);
    changed(&harness, "vpnx-branch01", &json!({"security_policies": crossed})).await;
    let operation =
        changed(&harness, "vpnx-branch01", &json!({"peer_cidrs": ["172.20.0.0/16", "172.18.0.0/16"]})).await;
    assert_eq!(operation["changes"], json!({"peer_cidrs": ["172.20.0.0/16", "172.18.0.0/16"]}), "as asked");
    let had = json!({"peer_cidrs": ["172.16.0.0/16", "172.17.0.0/16"], "security_policies": crossed});
    assert_eq!(operation["before"], had, "the pairs, which the ranges alone do not tell");
    let tunnel = shown(&harness, "vpnx-branch01").await;
    let peers = ["172.20.0.0/16", "172.18.0.0/16"];
    assert_eq!(
        tunnel["security_policies"],
        json!([policy("10.0.0.0/24", &peers), policy("10.0.1.0/24", &peers)])
    );
    let again = changed(&harness, "vpnx-branch01", &json!({"peer_cidrs": ["172.16.0.0/16"]})).await;
    assert_eq!(again["before"], json!({"peer_cidrs": peers}), "all ranges are joined: they tell the pairs");

    let none = harness.patch("vpnx-no-policies", &json!({"peer_cidrs": ["172.16.0.0/16"]})).await;
    assert_eq!(none.problem(), (422, "invalid_patch".into()));
    assert_eq!(pointers(&none.json()), [("/peer_cidrs".into(), "no_local_ranges".into())]);
    let both = json!({"peer_cidrs": ["172.16.0.0/16"], "security_policies": crossed});
    let both = harness.patch("vpnx-branch01", &both).await;
    assert_eq!(pointers(&both.json()), [(String::new(), "conflicting_ranges".into())]);
    assert!(harness.received("vpnx-no-policies").is_empty(), "nothing is sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pairs_that_peer_ranges_joined_otherwise_are_put_back() {
    let harness = on_api_3().await;
    let crossed = json!({"security_policies": [
        {"local_cidr": "10.0.0.0/24", "peer_cidrs": ["172.16.0.0/16"]},
        {"local_cidr": "10.0.1.0/24", "peer_cidrs": ["172.17.0.0/16"]}]});
    changed(&harness, "vpnx-branch01", &crossed).await;
    let operation = changed(&harness, "vpnx-branch01", &json!({"peer_cidrs": ["172.20.0.0/16"]})).await;
    let rollback = roll_back(&harness.consumer, &operation, "", &json!({}), &WAIT).await.json();
    assert_eq!(rollback["verification"], json!({"result": "confirmed"}), "{rollback}");
    assert_eq!(shown(&harness, "vpnx-branch01").await["security_policies"], crossed["security_policies"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_of_api_3_is_put_back() {
    let harness = on_api_3().await;
    // With a value in every field, because the cloud can't unset one.
    changed(&harness, "vpnx-branch01", &every_field(0)).await;
    let first = shown(&harness, "vpnx-branch01").await;
    for (member, value) in every_field(1).as_object().expect("members") {
        let operation = changed(&harness, "vpnx-branch01", &json!({member: value})).await;
        assert_ne!(shown(&harness, "vpnx-branch01").await, first, "{member}");
        let key = if member == "pre_shared_key" { json!({"pre_shared_key": "key-0"}) } else { json!({}) };
        let rollback = roll_back(&harness.consumer, &operation, "", &key, &WAIT).await.json();
        assert_eq!(rollback["verification"], json!({"result": "confirmed"}), "{member}: {rollback}");
        assert_eq!(shown(&harness, "vpnx-branch01").await, first, "{member}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_needs_no_ranges_and_leaves_the_rest_alone() {
    let harness = on_api_3().await;
    let before = shown(&harness, "vpnx-branch01").await;
    changed(&harness, "vpnx-branch01", &json!({"name": "renamed"})).await;
    let mut after = shown(&harness, "vpnx-branch01").await;
    assert_eq!(after["name"].take(), "renamed");
    for (member, value) in before.as_object().expect("members").iter().filter(|(member, _)| *member != "name")
    {
        assert_eq!(&after[member], value, "{member}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partial_group_weakens_nothing() {
    let harness = on_api_3().await;
    let strong = every_field(6);
    changed(&harness, "vpnx-branch01", &strong).await;
    for (group, field, value) in [
        ("ike", "dh_group", json!("group14")),
        ("ipsec", "sa_lifetime_seconds", json!(7200)),
        ("dpd", "timeout_seconds", json!(45)),
        ("health_check", "interval_ms", json!(2000)),
    ] {
        let mut wanted = shown(&harness, "vpnx-branch01").await[group].clone();
        wanted[field] = value.clone();
        changed(&harness, "vpnx-branch01", &json!({group: {field: value}})).await;
        assert_eq!(shown(&harness, "vpnx-branch01").await[group], wanted, "{group}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_health_check_gives_its_record_whole() {
    let harness = on_api_3().await;
    let partial = json!({"health_check": {"enabled": true, "interval_ms": 2000}});
    let answer = harness.patch("vpnx-branch01", &partial).await;
    assert_eq!(answer.problem(), (422, "invalid_patch".into()));
    let expected = ["/health_check/timeout_ms", "/health_check/failure_threshold"];
    assert_eq!(pointers(&answer.json()), expected.map(|pointer| (pointer.to_owned(), "required".to_owned())));
    assert!(harness.received("vpnx-branch01").is_empty());
    changed(&harness, "vpnx-branch01", &json!({"health_check": {"enabled": true}})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_tunnel_shows_can_be_sent_back_whole() {
    let harness = on_api_3().await;
    changed(&harness, "vpnx-branch01", &every_field(8)).await;
    let before = shown(&harness, "vpnx-branch01").await;
    let mut patch = before.clone();
    let members = patch.as_object_mut().expect("members");
    members.retain(|member, _| every_field(0).get(member).is_some_and(|_| member != "pre_shared_key"));
    changed(&harness, "vpnx-branch01", &patch).await;
    assert_eq!(shown(&harness, "vpnx-branch01").await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_through_one_api_reads_the_same_through_the_other() {
    let harness = on_api_3().await;
    changed(&harness, "vpnx-branch01", &every_field(5)).await;
    let there = shown(&harness, "vpnx-branch01").await;
    let (_gateway, old) = harness.replica_with(|settings| settings.accounts[0].api = Api::V2).await;
    let here = old.get(&path("vpnx-branch01"), &[]).await.json();
    let mut ike = there["ike"].clone();
    assert_eq!(ike["encryption_algorithm"], "sm4", "a word that API 2.0 does not document");
    ike["version"] = Value::Null;
    assert_eq!((&here["ike"], &here["ipsec"]), (&ike, &there["ipsec"]));
    for member in ["name", "pre_shared_key", "local_cidrs", "peer_cidrs", "customer_gateway_id", "status"] {
        assert_eq!(here[member], there[member], "{member}");
    }
    for member in ["security_policies", "dpd", "negotiation_type", "health_check", "bgp"] {
        assert_eq!(here[member], Value::Null, "{member}");
    }
    // A value that API 2.0 does not document is taken from a caller who repeats what the tunnel has.
    let route = format!("{}?dry_run=true", path("vpnx-branch01"));
    let cipher =
        |word: &str| json!({"peer_cidrs": here["peer_cidrs"], "ike": {"encryption_algorithm": word}});
    let same = old.patch(&route, &cipher("SM4"), &[]).await;
    assert_eq!(same.status, 200, "{}", same.body);
    let other = old.patch(&route, &cipher("aes-gcm-128"), &[]).await;
    assert_eq!(pointers(&other.json()), [("/ike/encryption_algorithm".into(), "needs_api_3".into())]);
}
