//! `Idempotency-Key` over HTTP.

use serde_json::json;
use tunnelgate::domain::api::Api;
use tunnelgate::domain::fingerprint::FingerprintKey;
use tunnelgate::domain::principal::VpcScope;

use crate::harness::{Harness, path, ranges};
use crate::operations::rollback::roll_back;

async fn the_same_request_gives_the_first_operation_again(harness: Harness) {
    let tunnel = path("vpnx-branch01");
    let first = harness.consumer.patch(&tunnel, &ranges(), &[("idempotency-key", "one")]).await;
    assert_eq!((first.status, first.header("idempotent-replayed")), (202, None));
    // A quoted key is the same key, and the order of members does not matter.
    let again = harness.consumer.patch(&tunnel, &ranges(), &[("idempotency-key", "\"one\"")]).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (202, Some("true")));
    let id = first.json()["id"].clone();
    assert_eq!(again.json()["id"], id);
    let ended = harness.consumer.ended(id.as_str().expect("an id")).await;
    let later = harness.consumer.patch(&tunnel, &ranges(), &[("idempotency-key", "one")]).await;
    assert_eq!((later.status, later.header("idempotent-replayed")), (200, Some("true")));
    assert_eq!(later.json(), ended);
    assert_eq!(harness.received("vpnx-branch01").len(), 1);
}

async fn a_rejected_request_is_repeated_as_it_was(harness: Harness) {
    let tunnel = path("vpnx-credentials");
    for replayed in [None, Some("true")] {
        let answer = harness.consumer.patch(&tunnel, &ranges(), &[("idempotency-key", "one")]).await;
        assert_eq!(answer.problem(), (502, "upstream_credentials".into()));
        assert_eq!(answer.header("idempotent-replayed"), replayed);
    }
    assert_eq!(harness.received("vpnx-credentials").len(), 1);
}

/// Every client retries a 429 and a 503 with the same key: that is what the key is for.
async fn a_refusal_that_passes_does_not_use_the_key_up(harness: Harness) {
    for (tunnel, refusal) in [
        ("vpnx-always-rate-limited", (429, "upstream_rate_limited".to_owned())),
        ("vpnx-unreadable", (503, "tunnel_unreadable".to_owned())),
        ("vpnx-code-6200", (503, "upstream_unavailable".to_owned())),
    ] {
        let key = [("idempotency-key", tunnel)];
        for _ in 0..2 {
            let answer = harness.consumer.patch(&path(tunnel), &ranges(), &key).await;
            assert_eq!((answer.problem(), answer.header("idempotent-replayed")), (refusal.clone(), None));
            assert!(answer.header("retry-after").is_some());
        }
    }
    assert_eq!(harness.received("vpnx-code-6200").len(), 2, "the second was a new request");
}

async fn after_a_change_of_the_secret_key_the_first_operation_is_named_and_nothing_sent(harness: Harness) {
    let patch = json!({"peer_cidrs": ["192.168.0.0/16"], "pre_shared_key": "canary-key"});
    let key = [("idempotency-key", "one")];
    let first = harness.consumer.patch(&path("vpnx-branch01"), &patch, &key).await.json();
    let (_replica, replica) =
        harness.replica_with(|settings| settings.fingerprint_key = FingerprintKey::derive(b"rotated")).await;
    let again = replica.patch(&path("vpnx-branch01"), &patch, &key).await;
    assert_eq!(again.problem(), (409, "idempotency_key_unverifiable".into()));
    assert_eq!(again.json()["operation_id"], first["id"]);
    // What holds no secret is compared all the same.
    let plain = [("idempotency-key", "two")];
    let first = harness.consumer.patch(&path("vpnx-branch02"), &ranges(), &plain).await.json();
    let again = replica.patch(&path("vpnx-branch02"), &ranges(), &plain).await;
    assert_eq!(
        (again.json()["id"].clone(), again.header("idempotent-replayed")),
        (first["id"].clone(), Some("true"))
    );
    let other = replica.patch(&path("vpnx-branch03"), &ranges(), &plain).await;
    assert_eq!(other.problem(), (422, "idempotency_key_reused".into()));
}

async fn another_request_under_the_key_is_a_422(harness: Harness) {
    let with_key = |secret: &str| json!({"peer_cidrs": ["192.168.0.0/16"], "pre_shared_key": secret});
    let key = [("idempotency-key", "one")];
    let first = harness.consumer.patch(&path("vpnx-branch01"), &with_key("first"), &key).await;
    assert_eq!(first.status, 202);
    for (tunnel, patch) in [("vpnx-branch01", with_key("second")), ("vpnx-branch02", with_key("first"))] {
        let answer = harness.consumer.patch(&path(tunnel), &patch, &key).await;
        assert_eq!(answer.problem(), (422, "idempotency_key_reused".into()));
    }
    // Keys belong to a principal.
    let other =
        harness.consumer_with("other", &[(tunnelgate::domain::principal::Scope::TunnelsWrite, &[])]).await;
    let answer = other.patch(&path("vpnx-branch02"), &ranges(), &key).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
}

async fn while_the_first_is_being_sent_a_copy_is_a_409(harness: Harness) {
    let tunnel = path("vpnx-no-answer");
    let (patch, key) = (ranges(), [("idempotency-key", "one")]);
    let first = harness.consumer.patch(&tunnel, &patch, &key);
    let copy = async {
        while harness.received("vpnx-no-answer").is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        harness.consumer.patch(&tunnel, &patch, &key).await
    };
    let (first, copy) = tokio::join!(first, copy);
    assert_eq!(copy.problem(), (409, "idempotency_key_in_flight".into()));
    assert_eq!(copy.json()["operation_id"], first.json()["id"]);
}

async fn a_key_that_is_none_is_told(harness: Harness) {
    let long = "x".repeat(256);
    for key in ["a b", "\"open", "\"\"", long.as_str()] {
        let answer =
            harness.consumer.patch(&path("vpnx-branch01"), &ranges(), &[("idempotency-key", key)]).await;
        assert_eq!(answer.problem(), (400, "invalid_header".into()), "{key}");
        assert_eq!(answer.json()["errors"][0]["pointer"], "header:Idempotency-Key");
    }
    assert!(harness.simulator.journal().is_empty());
}

/// Between a request and its retry the account lost the VPC, or went back to API 2.0.
async fn a_retry_has_its_first_answer_whatever_serves_the_vpc_today(harness: Harness) {
    let (tunnel, one, two) =
        (path("vpnx-branch01"), [("idempotency-key", "one")], [("idempotency-key", "two")]);
    // A field that only API 3.0 has.
    let patch = harness.by_api(ranges(), json!({"negotiation_type": "passive"}));
    let first = harness.consumer.patch(&tunnel, &patch, &one).await.json();
    let first = harness.consumer.ended(first["id"].as_str().expect("an id")).await;
    let rollback = roll_back(&harness.consumer, &first, "", &json!({}), &two).await.json();
    let rollback = harness.consumer.ended(rollback["id"].as_str().expect("an id")).await;
    let sent = harness.received("vpnx-branch01").len();

    let other_vpc = VpcScope::Matching(vec!["vpc-other".parse().expect("a pattern")]);
    let (_gone, gone) = harness.replica_with(|settings| settings.accounts[0].vpcs = other_vpc).await;
    let (_older, older) = harness.replica_with(|settings| settings.accounts[0].api = Api::V2).await;
    for replica in [&gone, &older] {
        let again = replica.patch(&tunnel, &patch, &one).await;
        assert_eq!(
            (again.status, again.header("idempotent-replayed")),
            (200, Some("true")),
            "{}",
            again.body
        );
        assert_eq!(again.json(), first);
        let again = roll_back(replica, &first, "", &json!({}), &two).await;
        assert_eq!(
            (again.status, again.header("idempotent-replayed")),
            (200, Some("true")),
            "{}",
            again.body
        );
        assert_eq!(again.json(), rollback);
    }
    for (request, refusal) in [
        (gone.patch(&tunnel, &patch, &[("idempotency-key", "new")]).await, (404, "vpc_not_served")),
        (gone.patch(&tunnel, &patch, &[]).await, (404, "vpc_not_served")),
        (gone.patch(&path("vpnx-branch02"), &patch, &one).await, (422, "idempotency_key_reused")),
        (roll_back(&gone, &first, "?force=true", &json!({}), &two).await, (422, "idempotency_key_reused")),
    ] {
        assert_eq!(request.problem(), (refusal.0, refusal.1.to_owned()));
    }
    assert_eq!(harness.received("vpnx-branch01").len(), sent, "nothing is sent again");
}

on_each_api!(
    a_retry_has_its_first_answer_whatever_serves_the_vpc_today,
    after_a_change_of_the_secret_key_the_first_operation_is_named_and_nothing_sent,
    the_same_request_gives_the_first_operation_again,
    a_rejected_request_is_repeated_as_it_was,
    a_refusal_that_passes_does_not_use_the_key_up,
    another_request_under_the_key_is_a_422,
    while_the_first_is_being_sent_a_copy_is_a_409,
    a_key_that_is_none_is_told,
);
