//! The plain style of parameters puts IPsec's cipher into IKE's set, so neither group can be sent alone.

use serde_json::{Value, json};
use tunnelgate::cloud::v2::wire::ParamStyle;

use crate::harness::{Harness, path};
use crate::support::Store;

async fn sent_in_plain_style(patch: Value) -> (Value, std::collections::BTreeMap<String, String>) {
    let harness = Harness::with(Store::sqlite(), |settings| {
        settings.accounts[0].param_style = ParamStyle::Plain;
    })
    .await;
    let answer = harness.consumer.patch(&path("vpnx-branch01"), &patch, &[("prefer", "wait=30")]).await;
    assert_eq!(answer.json()["verification"], json!({"result": "confirmed"}), "{}", answer.body);
    let tunnel = harness.consumer.get(&path("vpnx-branch01"), &[]).await.json();
    let sent = harness.received("vpnx-branch01")[0].params.clone();
    (tunnel, sent.into_iter().collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_ipsec_alone_does_not_weaken_ike() {
    let ipsec = json!({
        "encryption_algorithm": "aes-cbc-192", "integrity_algorithm": "sha1", "sa_lifetime_seconds": 3600,
        "sa_lifetime_kilobytes": 2560, "pfs_dh_group": "dh-group14"});
    let (tunnel, sent) = sent_in_plain_style(json!({"peer_cidrs": ["10.100.2.0/24"], "ipsec": ipsec})).await;
    assert_eq!(tunnel["ike"]["encryption_algorithm"], "aes-cbc-256", "{sent:?}");
    assert_eq!(tunnel["ike"]["dh_group"], "group14");
    assert_eq!(tunnel["ipsec"]["encryption_algorithm"], "aes-cbc-192");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_ike_alone_does_not_weaken_ipsec() {
    let (tunnel, sent) =
        sent_in_plain_style(json!({"peer_cidrs": ["10.100.2.0/24"], "ike": {"dh_group": "group5"}})).await;
    assert_eq!(tunnel["ipsec"]["encryption_algorithm"], "aes-cbc-256", "{sent:?}");
    assert_eq!(tunnel["ike"]["dh_group"], "group5");
}
