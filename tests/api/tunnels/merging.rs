//! A partial group never weakens a tunnel.

use serde_json::{Value, json};
use tunnelgate::service::ReadBefore;

use crate::harness::{Harness, path};
use crate::support::Store;

fn partial() -> Value {
    json!({"peer_cidrs": ["10.100.2.0/24"], "ike": {"dh_group": "group24"}, "ipsec": {"sa_lifetime_seconds": 7200}})
}

async fn what_the_patch_leaves_open_is_sent_as_the_tunnel_has_it(harness: Harness) {
    let answer = harness.consumer.patch(&path("vpnx-branch01"), &partial(), &[("prefer", "wait=30")]).await;
    let operation = answer.json();
    assert_eq!(operation["status"], "succeeded", "{operation}");
    assert_eq!(operation["verification"]["result"], "confirmed");
    assert_eq!(operation["changes"], partial(), "only the requested changes");
    let params = &harness.received("vpnx-branch01")[0].params;
    let value = |name: &str| params.get(name).map(String::as_str);
    assert_eq!(value("IKESet.0.dhGroupName"), Some("group24"));
    assert_eq!(value("IKESet.0.propoEncryAlgorithm"), Some("aes-cbc-256"), "not the weak default");
    assert_eq!(value("IKESet.0.propoAuthenAlgorithm"), Some("sha"));
    assert_eq!(value("IPsecSet.0.ipsecSaLifetimeSeconds"), Some("7200"));
    assert_eq!(value("IPsecSet.0.pfsDhGroup"), Some("dh-group14"));
    assert_eq!(value("encryptAlgorithm"), Some("aes-cbc-256"));
}

async fn a_tunnel_that_can_not_be_read_is_left_alone(harness: Harness) {
    let answer = harness.consumer.patch(&path("vpnx-unreadable"), &partial(), &[]).await;
    assert_eq!(answer.problem(), (503, "tunnel_unreadable".into()));
    assert!(harness.received("vpnx-unreadable").is_empty());
    assert!(answer.json()["operation_id"].is_null(), "nothing was opened");
    let missing = harness.consumer.patch(&path("vpnx-nowhere"), &partial(), &[]).await;
    assert_eq!(missing.problem(), (404, "tunnel_not_found".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_group_needs_no_read_where_the_operator_wants_none() {
    let when_needed =
        Harness::with(Store::sqlite(), |settings| settings.rules.read_before = ReadBefore::WhenNeeded);
    let harness = when_needed.await;
    let whole = json!({"peer_cidrs": ["10.100.2.0/24"], "ipsec": {
        "encryption_algorithm": "aes-cbc-128", "integrity_algorithm": "sha1", "sa_lifetime_seconds": 3600,
        "sa_lifetime_kilobytes": 2560, "pfs_dh_group": "none"}});
    let answer = harness.consumer.patch(&path("vpnx-unreadable"), &whole, &[]).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    assert_eq!(answer.json()["before"], Value::Null);
}

async fn a_single_policy_reads_back_as_it_was_asked_for(harness: Harness) {
    let policies =
        json!({"security_policies": [{"local_cidr": "10.0.0.0/24", "peer_cidrs": ["172.16.0.0/16"]}]});
    let answer = harness.consumer.patch(&path("vpnx-branch02"), &policies, &[("prefer", "wait=30")]).await;
    assert_eq!(answer.json()["verification"], json!({"result": "confirmed"}), "{}", answer.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn as_given_sends_the_group_as_it_stands_in_the_patch() {
    let harness = Harness::with(Store::sqlite(), |settings| {
        settings.rules.merge_partial_groups = false;
        settings.rules.read_before = ReadBefore::WhenNeeded;
    })
    .await;
    let answer = harness.consumer.patch(&path("vpnx-unreadable"), &partial(), &[]).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    let params = &harness.received("vpnx-unreadable")[0].params;
    let sets: Vec<&String> = params.keys().filter(|name| name.contains("Set.")).collect();
    assert_eq!(sets, ["IKESet.0.dhGroupName", "IPsecSet.0.ipsecSaLifetimeSeconds"]);
}

on_each_ledger!(
    what_the_patch_leaves_open_is_sent_as_the_tunnel_has_it,
    a_tunnel_that_can_not_be_read_is_left_alone,
    a_single_policy_reads_back_as_it_was_asked_for,
);
