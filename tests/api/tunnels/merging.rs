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
    let expected = harness.by_api(
        [
            ("IKESet.0.dhGroupName", "group24"),
            // Not the weak default.
            ("IKESet.0.propoEncryAlgorithm", "aes-cbc-256"),
            ("IKESet.0.propoAuthenAlgorithm", "sha"),
            ("IPsecSet.0.ipsecSaLifetimeSeconds", "7200"),
            ("IPsecSet.0.pfsDhGroup", "dh-group14"),
            ("encryptAlgorithm", "aes-cbc-256"),
        ],
        [
            ("IKEOptionsSpecification.DhGroupName", "GROUP24"),
            ("IKEOptionsSpecification.PropoEncryAlgorithm", "AES-CBC-256"),
            ("IKEOptionsSpecification.PropoAuthenAlgorithm", "SHA"),
            ("IPSECOptionsSpecification.IPSECSaLifetimeSeconds", "7200"),
            ("IPSECOptionsSpecification.PfsDhGroup", "DH-GROUP14"),
            ("IPSECOptionsSpecification.EncryptAlgorithm", "AES-CBC-256"),
        ],
    );
    for (name, value) in expected {
        assert_eq!(params.get(name).map(String::as_str), Some(value), "{name}");
    }
}

async fn a_tunnel_that_can_not_be_read_is_left_alone(harness: Harness) {
    let answer = harness.consumer.patch(&path("vpnx-unreadable"), &partial(), &[]).await;
    assert_eq!(answer.problem(), (503, "tunnel_unreadable".into()));
    assert!(harness.received("vpnx-unreadable").is_empty());
    assert!(answer.json()["operation_id"].is_null(), "nothing was opened");
    let missing = harness.consumer.patch(&path("vpnx-nowhere"), &partial(), &[]).await;
    assert_eq!(missing.problem(), (404, "tunnel_not_found".into()));
}

/// With API 3.0 every change is preceded by a read, which finds out whether the ids belong together.
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

/// The tunnel can not be read, which API 2.0 does not need.
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

on_each_api!(
    what_the_patch_leaves_open_is_sent_as_the_tunnel_has_it,
    a_tunnel_that_can_not_be_read_is_left_alone,
    a_single_policy_reads_back_as_it_was_asked_for,
);
