//! Rollbacks with an account of API 3.0: the fields that only it has, and policies with their pairs.

use serde_json::{Value, json};
use tunnelgate::domain::api::Api;

use super::rollback::{changed, log_is_whole, roll_back, shown};
use crate::harness::Harness;
use crate::support::Store;

const WAIT: (&str, &str) = ("prefer", "wait=30");

async fn on_api_3() -> Harness {
    Harness::on_api(Store::sqlite(), Api::V3, |_| {}).await
}

/// Rolls an operation back and asserts that the tunnel is as it was.
async fn goes_back_to(harness: &Harness, operation: &Value, first: &Value) {
    let answer = roll_back(&harness.consumer, operation, "", &json!({}), &[WAIT]).await;
    let rollback = answer.json();
    assert_eq!(rollback["status"], "succeeded", "{rollback}");
    assert_eq!(rollback["verification"], json!({"result": "confirmed"}), "{rollback}");
    assert_eq!(&shown(harness, "vpnx-branch01").await, first, "{rollback}");
}

/// Every field that only API 3.0 has, with the values of a first and of a second change.
fn new_fields() -> Vec<(Value, Value)> {
    let health = |interval: u32, enabled: bool| {
        json!({"health_check": {"enabled": enabled, "local_ip": format!("169.254.128.{}", interval % 7), "remote_ip": "169.254.128.9",
                                "interval_ms": interval, "timeout_ms": 500, "failure_threshold": 3}})
    };
    let bgp = |net: u8| {
        json!({"bgp": {"tunnel_cidr": format!("169.254.129.{net}/30"), "local_ip": format!("169.254.129.{}", net + 1),
                       "remote_ip": format!("169.254.129.{}", net + 2)}})
    };
    vec![
        (json!({"ike": {"version": "ikev2"}}), json!({"ike": {"version": "ikev1"}})),
        (
            json!({"ike": {"encryption_algorithm": "sm4"}}),
            json!({"ike": {"encryption_algorithm": "aes-gcm-256"}}),
        ),
        (
            json!({"ike": {"authentication_algorithm": "sha-512"}}),
            json!({"ike": {"authentication_algorithm": "sha-256"}}),
        ),
        (json!({"ike": {"dh_group": "group21"}}), json!({"ike": {"dh_group": "group15"}})),
        (
            json!({"ipsec": {"encryption_algorithm": "aes-gcm-128"}}),
            json!({"ipsec": {"encryption_algorithm": "sm4"}}),
        ),
        (
            json!({"ipsec": {"integrity_algorithm": "sm3"}}),
            json!({"ipsec": {"integrity_algorithm": "sha-384"}}),
        ),
        (json!({"ipsec": {"pfs_dh_group": "dh-group19"}}), json!({"ipsec": {"pfs_dh_group": "none"}})),
        (
            json!({"ipsec": {"sa_lifetime_kilobytes": 4_294_967_295_u32}}),
            json!({"ipsec": {"sa_lifetime_kilobytes": 2560}}),
        ),
        (
            json!({"dpd": {"enabled": true, "timeout_seconds": 45, "action": "restart"}}),
            json!({"dpd": {"enabled": false}}),
        ),
        (
            json!({"dpd": {"enabled": true, "timeout_seconds": 45}}),
            json!({"dpd": {"timeout_seconds": 60, "action": "clear"}}),
        ),
        (json!({"negotiation_type": "passive"}), json!({"negotiation_type": "flow-trigger"})),
        (health(2000, true), health(3000, false)),
        (json!({"customer_gateway_id": "cgw-first"}), json!({"customer_gateway_id": "cgw-second"})),
        (bgp(0), bgp(4)),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_that_only_api_3_has_is_put_back() {
    let harness = on_api_3().await;
    for (first, second) in new_fields() {
        changed(&harness, "vpnx-branch01", &first).await;
        let tunnel = shown(&harness, "vpnx-branch01").await;
        let operation = changed(&harness, "vpnx-branch01", &second).await;
        assert_eq!(operation["status"], "succeeded", "{operation}");
        assert_ne!(shown(&harness, "vpnx-branch01").await, tunnel, "{second}");
        goes_back_to(&harness, &operation, &tunnel).await;
    }
    log_is_whole(&harness).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_go_back_with_their_pairs() {
    let harness = on_api_3().await;
    let pairs = json!({"security_policies": [
        {"local_cidr": "10.0.0.0/24", "peer_cidrs": ["172.16.0.0/16", "172.18.0.0/16"]},
        {"local_cidr": "10.0.1.0/24", "peer_cidrs": ["172.17.0.0/16"]}]});
    let first = shown(&harness, "vpnx-branch01").await;
    let set = changed(&harness, "vpnx-branch01", &pairs).await;
    let paired = shown(&harness, "vpnx-branch01").await;
    assert_eq!(paired["security_policies"], pairs["security_policies"]);
    for patch in [
        json!({"security_policies": [{"local_cidr": "10.0.0.0/16", "peer_cidrs": ["172.16.0.0/16"]}]}),
        // The cloud joins these with both ranges of the other side: only the pairs of before tell what was there.
        json!({"peer_cidrs": ["172.20.0.0/16"]}),
    ] {
        let operation = changed(&harness, "vpnx-branch01", &patch).await;
        goes_back_to(&harness, &operation, &paired).await;
    }
    goes_back_to(&harness, &set, &first).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_without_ranges_goes_back_without_them() {
    let harness = on_api_3().await;
    let first = shown(&harness, "vpnx-branch01").await;
    let operation = changed(&harness, "vpnx-branch01", &json!({"name": "hq"})).await;
    goes_back_to(&harness, &operation, &first).await;
    let names: Vec<_> =
        harness.received("vpnx-branch01").into_iter().flat_map(|entry| entry.params.into_keys()).collect();
    assert!(!names.iter().any(|name| name.contains("SecurityPolicy")), "{names:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_had_no_value_is_not_put_back() {
    let harness = on_api_3().await;
    let bgp = json!({"bgp": {"tunnel_cidr": "169.254.129.0/30", "local_ip": "169.254.129.1", "remote_ip": "169.254.129.2"}});
    let operation = changed(&harness, "vpnx-branch01", &bgp).await;
    let answer = roll_back(&harness.consumer, &operation, "", &json!({}), &[]).await;
    assert_eq!(answer.problem(), (409, "not_reversible".into()));
    let errors = answer.json()["errors"].clone();
    let errors = errors.as_array().expect("errors");
    assert_eq!(errors.len(), 3);
    assert!(errors.iter().all(|error| error["code"] == "not_shown"), "{errors:?}");
}

/// A rollback goes by the API that the account speaks now.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_may_have_moved_between_the_apis() {
    let harness = on_api_3().await;
    let first = shown(&harness, "vpnx-branch01").await;
    let fields = [json!({"dpd": {"enabled": true}}), json!({"name": "hq"})];
    let dpd = changed(&harness, "vpnx-branch02", &fields[0]).await;
    let name = changed(&harness, "vpnx-branch02", &fields[1]).await;
    let patch = json!({"peer_cidrs": ["10.100.2.0/24"], "name": "hq", "ike": {"dh_group": "group5"}});
    let both = changed(&harness, "vpnx-branch01", &patch).await;
    let (_replica, on_api_2) = harness.replica_with(|settings| settings.accounts[0].api = Api::V2).await;
    for (operation, code) in [(&dpd, "needs_api_3"), (&name, "missing_ranges")] {
        let answer = roll_back(&on_api_2, operation, "", &json!({}), &[]).await;
        assert_eq!(answer.problem(), (409, "not_reversible".into()));
        assert_eq!(answer.json()["errors"][0]["code"], code);
    }
    let back = roll_back(&on_api_2, &both, "", &json!({}), &[WAIT]).await.json();
    assert_eq!((&back["status"], &back["api"]), (&json!("succeeded"), &json!("2.0")), "{back}");
    assert_eq!(shown(&harness, "vpnx-branch01").await, first);
    // And the other way round.
    let again = roll_back(&harness.consumer, &back, "", &json!({}), &[WAIT]).await.json();
    assert_eq!((&again["status"], &again["api"]), (&json!("succeeded"), &json!("3.0")), "{again}");
}
