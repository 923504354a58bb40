//! Reading a tunnel: the cloud's settings with the field names of a patch, without the pre-shared key.

use serde_json::{Value, json};
use tunnelgate::domain::api::Api;
use tunnelgate::domain::principal::Scope;

use crate::harness::{Harness, every_field, path, ranges};
use crate::support::Store;

pub const BRANCHES: &str = "/vpcs/vpc-03vihbk9/gateways/vpngw-branches/tunnels";

pub async fn read(harness: &Harness, tunnel: &str) -> Value {
    let answer = harness.consumer.get(&path(tunnel), &[]).await;
    assert_eq!(answer.status, 200, "{tunnel}: {}", answer.body);
    answer.json()
}

async fn a_tunnel_is_shown_in_the_words_of_the_patch(harness: Harness) {
    let mut tunnel = read(&harness, "vpnx-branch01").await;
    let fingerprint = tunnel["pre_shared_key"]["hmac_sha256"].take();
    assert!(fingerprint.as_str().is_some_and(|hex| hex.len() == 64), "{fingerprint}");
    let only_3 = |value: Value| harness.by_api(Value::Null, value);
    assert_eq!(
        tunnel,
        json!({
            "vpc_id": "vpc-03vihbk9", "gateway_id": "vpngw-kfldykuz", "tunnel_id": "vpnx-branch01",
            "name": "branch01", "status": "running", "connectivity": "connected",
            "account": "default", "region": "ap-guangzhou", "api": harness.by_api("2.0", "3.0"),
            // API 3.0 shows no public addresses.
            "gateway_address": harness.by_api(Some("203.0.113.10"), None),
            "peer_address": harness.by_api(Some("203.0.113.20"), None),
            "created_at": "2018-01-31 00:06:40", "pre_shared_key": {"hmac_sha256": null},
            "local_cidrs": ["10.0.0.0/16"], "peer_cidrs": ["172.16.0.0/16"],
            "security_policies": only_3(json!([{"local_cidr": "10.0.0.0/16", "peer_cidrs": ["172.16.0.0/16"]}])),
            "dpd": only_3(json!({"enabled": false, "timeout_seconds": 30, "action": "clear"})),
            "negotiation_type": only_3(json!("active")),
            "health_check": only_3(json!({
                "enabled": false, "local_ip": null, "remote_ip": null, "interval_ms": null, "timeout_ms": null,
                "failure_threshold": null})),
            "bgp": null, "drift": [],
            "customer_gateway_id": "cgw-simulated",
            "ike": {
                "version": only_3(json!("ikev1")), "encryption_algorithm": "aes-cbc-256", "authentication_algorithm": "sha", "exchange_mode": "main",
                "local_identity": {"type": "address", "address": "203.0.113.10"},
                "remote_identity": {"type": "address", "address": "203.0.113.20"},
                "dh_group": "group14", "sa_lifetime_seconds": 86_400},
            "ipsec": {
                "encryption_algorithm": "aes-cbc-256", "integrity_algorithm": "sha", "sa_lifetime_seconds": 3600,
                // Outside the range that a patch accepts; the read shows the cloud's value.
                "sa_lifetime_kilobytes": 1_843_200, "pfs_dh_group": "dh-group14"}
        })
    );
    let by_old_ids = harness.consumer.get("/vpcs/gz_vpc_8849/gateways/547/tunnels/400", &[]).await;
    match harness.api {
        Api::V2 => assert_eq!(by_old_ids.json(), read(&harness, "vpnx-branch01").await),
        Api::V3 => assert_eq!(by_old_ids.problem(), (404, "tunnel_not_found".into())),
    }
}

async fn what_was_changed_is_read_in_the_same_words(harness: Harness) {
    let answer =
        harness.consumer.patch(&path("vpnx-branch01"), &every_field(), &[("prefer", "wait=30")]).await;
    let operation = answer.json();
    assert_eq!(operation["status"], "succeeded", "{operation}");
    assert_eq!(operation["verification"], json!({"result": "confirmed"}), "{operation}");
    let answer = harness.consumer.get(&path("vpnx-branch01"), &[]).await;
    assert!(!answer.body.contains("tencenttest"), "the key itself is never shown");
    let tunnel = answer.json();
    let changes = operation["changes"].as_object().expect("changes");
    assert_eq!(changes.len(), every_field().as_object().map_or(0, serde_json::Map::len));
    for (member, asked) in changes {
        let mut shown = tunnel[member].clone();
        if let Some(ike) = shown.as_object_mut().filter(|_| member == "ike") {
            assert_eq!(ike.remove("version"), Some(harness.by_api(Value::Null, json!("ikev1"))));
        }
        assert_eq!(shown, *asked, "{member}");
    }
    let fingerprint = &tunnel["pre_shared_key"]["hmac_sha256"];
    assert!(fingerprint.as_str().is_some_and(|hex| hex.len() == 64), "{fingerprint}");
    let other = read(&harness, "vpnx-branch02").await;
    assert_ne!(other["pre_shared_key"], tunnel["pre_shared_key"]);
}

/// API 3.0 has no words for failed changes and for changes under way.
async fn status_and_connectivity_are_words(harness: Harness) {
    for (tunnel, status, connectivity) in [
        ("vpnx-creating", json!("creating"), json!("connected")),
        (
            "vpnx-creation-failed",
            harness.by_api(json!("creation_failed"), json!("creating")),
            json!("connected"),
        ),
        (
            "vpnx-modification-failed",
            harness.by_api(json!("modification_failed"), json!("running")),
            json!("connected"),
        ),
        ("vpnx-deleting", json!("deleting"), json!("connected")),
        (
            "vpnx-deletion-failed",
            harness.by_api(json!("deletion_failed"), json!("deleting")),
            json!("connected"),
        ),
        ("vpnx-strange-status", harness.by_api(json!("9"), json!("RESTORING")), json!("connected")),
        ("vpnx-disconnected", json!("running"), json!("disconnected")),
        ("vpnx-connectivity-unsaid", json!("running"), Value::Null),
        ("vpnx-strange-connectivity", json!("running"), harness.by_api(json!("degraded"), json!("DEGRADED"))),
    ] {
        let shown = read(&harness, tunnel).await;
        assert_eq!((&shown["status"], &shown["connectivity"]), (&status, &connectivity), "{tunnel}");
    }
    let answer = harness.patch("vpnx-task-never-ends", &ranges()).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    assert_eq!(
        read(&harness, "vpnx-task-never-ends").await["status"],
        harness.by_api("modifying", "creating")
    );
    let refused = harness.patch("vpnx-creating", &ranges()).await;
    assert_eq!(refused.problem(), (409, "tunnel_state_conflict".into()));
    let failed = harness.patch("vpnx-task-fails", &ranges()).await.json();
    harness.consumer.ended(failed["id"].as_str().expect("an id")).await;
    assert_eq!(
        read(&harness, "vpnx-task-fails").await["status"],
        harness.by_api("modification_failed", "running")
    );
}

async fn what_does_not_exist_and_what_may_not_be_seen_look_the_same(harness: Harness) {
    let limited = harness.consumer_with("limited", &[(Scope::TunnelsRead, &["vpc-prod-*"])]).await;
    let writer = harness.consumer_with("writer", &[(Scope::TunnelsWrite, &[])]).await;
    let prod = "/vpcs/vpc-prod-1/gateways/vpngw-prod1/tunnels";
    assert_eq!(limited.get(&format!("{prod}/vpnx-prod1"), &[]).await.status, 200);
    assert_eq!(limited.get(prod, &[]).await.json()["items"].as_array().map(Vec::len), Some(1));
    let hidden = path("vpnx-branch01");
    let missing = "/vpcs/vpc-prod-1/gateways/vpngw-prod1/tunnels/vpnx-nowhere";
    let list = "/vpcs/vpc-prod-1/gateways/vpngw-nowhere/tunnels";
    let odd = "/vpcs/vpc-prod-1/gateways/vpngw-prod1/tunnels/a.b";
    let elsewhere = "/vpcs/vpc-prod-1/gateways/vpngw-prod1/tunnels/vpnx-branch01";
    let mut details = std::collections::BTreeSet::new();
    for route in
        [hidden.as_str(), BRANCHES, missing, list, odd, elsewhere, "/vpcs/vpc-prod-9/gateways/g/tunnels"]
    {
        let answer = limited.get(route, &[]).await;
        assert_eq!(answer.problem(), (404, "tunnel_not_found".into()), "{route}");
        let mut problem = answer.json();
        problem["request_id"].take();
        details.insert(problem.to_string());
    }
    assert_eq!(details.len(), 1, "{details:?}");
    for route in [prod, hidden.as_str()] {
        assert_eq!(writer.get(route, &[]).await.problem(), (403, "forbidden".into()));
    }
    assert_eq!(harness.log().await, Vec::<Value>::new(), "reads leave no event");
}

async fn a_read_that_the_cloud_refuses_or_does_not_answer_says_so(harness: Harness) {
    let unreadable = harness.consumer.get(&path("vpnx-unreadable"), &[]).await;
    assert_eq!(unreadable.problem(), (503, "tunnel_unreadable".into()));
    assert!(unreadable.header("retry-after").is_some());
    let limited = harness.consumer.get(&path("vpnx-always-rate-limited"), &[]).await;
    assert_eq!(limited.problem(), (429, "upstream_rate_limited".into()));
    assert!(limited.header("retry-after").is_some());
    assert_eq!(limited.json()["upstream"]["code"], harness.by_api("4400", "RequestLimitExceeded"));
}

async fn a_gateway_with_wrong_credentials_says_that_its_operators_have_to_mend_it(api: Api) {
    let harness = Harness::on_api(Store::sqlite(), api, |settings| {
        settings.accounts[0].credentials.secret_key = "wrong".into();
    })
    .await;
    for route in [path("vpnx-branch01"), BRANCHES.to_owned()] {
        let answer = harness.consumer.get(&route, &[]).await;
        assert_eq!(answer.problem(), (502, "upstream_credentials".into()));
    }
}

async fn a_cloud_that_can_not_be_reached_is_a_503(api: Api) {
    let harness = Harness::on_api(Store::sqlite(), api, |settings| {
        settings.accounts[0].endpoints.v2.url = "http://127.0.0.1:9/v2/index.php".into();
        settings.accounts[0].endpoints.v3.url = "http://127.0.0.1:9/".into();
    })
    .await;
    let answer = harness.consumer.get(&path("vpnx-branch01"), &[]).await;
    assert_eq!(answer.problem(), (503, "tunnel_unreadable".into()));
}

with_each_api!(
    a_gateway_with_wrong_credentials_says_that_its_operators_have_to_mend_it,
    a_cloud_that_can_not_be_reached_is_a_503,
);
on_each_api!(
    a_tunnel_is_shown_in_the_words_of_the_patch,
    what_was_changed_is_read_in_the_same_words,
    status_and_connectivity_are_words,
    what_does_not_exist_and_what_may_not_be_seen_look_the_same,
    a_read_that_the_cloud_refuses_or_does_not_answer_says_so,
);
