//! `Idempotency-Key` over HTTP.

use serde_json::json;

use crate::harness::{Harness, path, ranges};

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
    let tunnel = path("vpnx-failed-5100");
    for replayed in [None, Some("true")] {
        let answer = harness.consumer.patch(&tunnel, &ranges(), &[("idempotency-key", "one")]).await;
        assert_eq!(answer.problem(), (502, "upstream_failed".into()));
        assert_eq!(answer.header("idempotent-replayed"), replayed);
    }
    assert_eq!(harness.received("vpnx-failed-5100").len(), 1);
}

/// No Retry-After on a replay: the key returns the same refusal for a day.
async fn a_refusal_that_would_pass_is_repeated_without_the_advice_to_wait(harness: Harness) {
    let partial = json!({"peer_cidrs": ["10.0.0.0/8"], "ike": {"dh_group": "group24"}});
    for (tunnel, patch, refusal) in [
        ("vpnx-always-rate-limited", ranges(), (429, "upstream_rate_limited".to_owned())),
        ("vpnx-unreadable", partial, (503, "tunnel_unreadable".to_owned())),
    ] {
        let key = [("idempotency-key", tunnel)];
        let first = harness.consumer.patch(&path(tunnel), &patch, &key).await;
        assert_eq!(first.problem(), refusal);
        assert!(first.header("retry-after").is_some());
        let again = harness.consumer.patch(&path(tunnel), &patch, &key).await;
        assert_eq!((again.problem(), again.header("idempotent-replayed")), (refusal.clone(), Some("true")));
        assert_eq!(again.header("retry-after"), None, "{tunnel}");
        assert_eq!(again.json()["operation_id"], first.json()["operation_id"]);
        let detail = again.json()["detail"].as_str().expect("a detail").to_owned();
        assert!(detail.contains("24 hours") && detail.contains("use a new one"), "{detail}");
        let anew = harness
            .consumer
            .patch(&path(tunnel), &patch, &[("idempotency-key", &format!("new-{tunnel}"))])
            .await;
        assert_eq!((anew.problem(), anew.header("idempotent-replayed")), (refusal, None));
        assert_ne!(anew.json()["operation_id"], first.json()["operation_id"]);
        let page = format!("/problems/{}", anew.problem().1.replace('_', "-"));
        let remedy = harness.consumer.get(&page, &[]).await.json()["remedy"].to_string();
        assert!(remedy.contains("`Idempotency-Key`, take a new one"), "{remedy}");
    }
}

async fn another_request_under_the_key_is_a_422(harness: Harness) {
    let with_key = |secret: &str| json!({"peer_cidrs": ["10.0.0.0/8"], "pre_shared_key": secret});
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

on_each_ledger!(
    the_same_request_gives_the_first_operation_again,
    a_rejected_request_is_repeated_as_it_was,
    a_refusal_that_would_pass_is_repeated_without_the_advice_to_wait,
    another_request_under_the_key_is_a_422,
    while_the_first_is_being_sent_a_copy_is_a_409,
    a_key_that_is_none_is_told,
);
