//! `ETag`, `If-None-Match` and `If-Match`.

use serde_json::{Value, json};

use tunnelgate::config::Settings;
use tunnelgate::domain::api::Api;

use crate::harness::{Harness, path, ranges};
use crate::support::Store;

async fn etag(harness: &Harness, tunnel: &str) -> String {
    let answer = harness.consumer.get(&path(tunnel), &[]).await;
    let etag = answer.header("etag").expect("an ETag").to_owned();
    assert!(etag.starts_with('"') && etag.ends_with('"') && etag.len() > 10, "strong: {etag}");
    etag
}

async fn patch_if(
    harness: &Harness,
    tunnel: &str,
    patch: &Value,
    tag: &str,
) -> crate::support::consumer::Answer {
    harness.consumer.patch(&path(tunnel), patch, &[("if-match", tag), ("prefer", "wait=30")]).await
}

async fn a_tag_stays_while_nothing_changes_and_changes_with_anything(harness: Harness) {
    let first = etag(&harness, "vpnx-branch01").await;
    assert_eq!(etag(&harness, "vpnx-branch01").await, first);
    assert_ne!(etag(&harness, "vpnx-branch02").await, first);
    let (_replica, other) = harness.replica().await;
    let elsewhere = other.get(&path("vpnx-branch01"), &[]).await;
    assert_eq!(elsewhere.header("etag"), Some(first.as_str()), "the same on every replica");
    // Only the pre-shared key changes, and with it the shown fingerprint.
    let range = json!({"peer_cidrs": ["172.16.0.0/16"], "pre_shared_key": "one"});
    harness.consumer.patch(&path("vpnx-branch01"), &range, &[("prefer", "wait=30")]).await;
    assert_ne!(etag(&harness, "vpnx-branch01").await, first);
}

async fn a_client_that_has_it_already_gets_a_304(harness: Harness) {
    let tag = etag(&harness, "vpnx-branch01").await;
    for known in [tag.clone(), format!("\"x\", W/{tag}"), "*".into()] {
        let answer = harness.consumer.get(&path("vpnx-branch01"), &[("if-none-match", &known)]).await;
        assert_eq!((answer.status, answer.body.as_str()), (304, ""), "{known}");
        assert_eq!(answer.header("etag"), Some(tag.as_str()));
    }
    let other = harness.consumer.get(&path("vpnx-branch01"), &[("if-none-match", "\"x\"")]).await;
    assert_eq!(other.status, 200);
    let odd = harness.consumer.get(&path("vpnx-branch01"), &[("if-none-match", "x")]).await;
    assert_eq!(odd.problem(), (400, "invalid_header".into()));
}

async fn a_change_of_the_state_that_was_seen_is_made(harness: Harness) {
    let tag = etag(&harness, "vpnx-branch01").await;
    let answer = patch_if(&harness, "vpnx-branch01", &ranges(), &format!("\"x\", {tag}")).await;
    assert_eq!((answer.status, answer.json()["status"].as_str()), (200, Some("succeeded")));
    let answer = patch_if(&harness, "vpnx-branch02", &ranges(), "*").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
}

async fn a_change_of_another_state_is_a_412_and_nothing_is_sent(harness: Harness) {
    let tag = etag(&harness, "vpnx-branch01").await;
    let first = patch_if(&harness, "vpnx-branch01", &ranges(), &tag).await;
    assert_eq!(first.status, 200, "{}", first.body);
    let again = patch_if(&harness, "vpnx-branch01", &json!({"peer_cidrs": ["10.9.0.0/16"]}), &tag).await;
    assert_eq!(again.problem(), (412, "precondition_failed".into()));
    assert!(again.json()["operation_id"].is_null(), "nothing was opened");
    assert_eq!(harness.log().await.len(), 3, "nothing was recorded");
    assert_eq!(harness.received("vpnx-branch01").len(), 1);
    // A proxy that compresses answers makes tags weak.
    let weak = format!("W/{}", etag(&harness, "vpnx-branch01").await);
    let answer = patch_if(&harness, "vpnx-branch01", &ranges(), &weak).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    // The tunnel is free again.
    assert_eq!(patch_if(&harness, "vpnx-branch01", &ranges(), "*").await.status, 200);
}

async fn of_many_changes_of_one_state_one_is_made(harness: Harness) {
    let tag = etag(&harness, "vpnx-branch01").await;
    let patches = (0..8).map(|number| json!({"peer_cidrs": [format!("172.{number}.0.0/16")]}));
    let patches: Vec<Value> = patches.collect();
    let answers = futures_util::future::join_all(
        patches.iter().map(|patch| patch_if(&harness, "vpnx-branch01", patch, &tag)),
    )
    .await;
    let made = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(made, 1);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        assert!([409, 412].contains(&answer.status), "{}", answer.body);
    }
    assert_eq!(harness.received("vpnx-branch01").len(), 1);
}

async fn a_tunnel_that_is_not_there_or_can_not_be_read_is_not_changed(harness: Harness) {
    let missing = patch_if(&harness, "vpnx-nowhere", &ranges(), "*").await;
    assert_eq!(missing.problem(), (404, "tunnel_not_found".into()));
    let unreadable = patch_if(&harness, "vpnx-unreadable", &ranges(), "*").await;
    assert_eq!(unreadable.problem(), (503, "tunnel_unreadable".into()));
    assert!(harness.simulator.journal().is_empty());
}

async fn a_malformed_condition_is_a_400(harness: Harness) {
    for odd in ["x", "\"open", "\"a\" \"b\"", "*, \"a\"", ""] {
        let answer = harness.consumer.patch(&path("vpnx-branch01"), &ranges(), &[("if-match", odd)]).await;
        assert_eq!(answer.problem(), (400, "invalid_header".into()), "{odd}");
        assert_eq!(answer.json()["errors"][0]["pointer"], "header:If-Match");
    }
    assert!(harness.simulator.journal().is_empty());
    assert_eq!(harness.consumer.get("/operations", &[]).await.json()["items"], json!([]));
}

async fn one_look_at_the_tunnel_serves_the_condition_and_the_merge(harness: Harness) {
    // Refused by the cloud, so that nothing is read back afterwards.
    let tag = etag(&harness, "vpnx-credentials").await;
    let before = harness.reads().await;
    let partial = json!({"peer_cidrs": ["192.168.0.0/16"], "ike": {"dh_group": "group24"}});
    let answer = patch_if(&harness, "vpnx-credentials", &partial, &tag).await;
    assert_eq!(answer.problem(), (502, "upstream_credentials".into()));
    assert_eq!(harness.reads().await, before + 1);
    let (name, value) = harness.by_api(
        ("IKESet.0.propoEncryAlgorithm", "aes-cbc-256"),
        ("IKEOptionsSpecification.PropoEncryAlgorithm", "AES-CBC-256"),
    );
    assert_eq!(harness.received("vpnx-credentials")[0].params[name], value);
}

async fn the_condition_belongs_to_the_request_that_a_key_stands_for(harness: Harness) {
    let tag = etag(&harness, "vpnx-branch01").await;
    let headers = [("if-match", tag.as_str()), ("idempotency-key", "one"), ("prefer", "wait=30")];
    let first = harness.consumer.patch(&path("vpnx-branch01"), &ranges(), &headers).await;
    assert_eq!(first.status, 200, "{}", first.body);
    let again = harness.consumer.patch(&path("vpnx-branch01"), &ranges(), &headers).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (200, Some("true")), "not a 412");
    let without = harness.consumer.patch(&path("vpnx-branch01"), &ranges(), &headers[1..]).await;
    assert_eq!(without.problem(), (422, "idempotency_key_reused".into()));
}

async fn groups_as_given_stay_so_under_a_condition(api: Api) {
    let as_given = |settings: &mut Settings| settings.rules.merge_partial_groups = false;
    let harness = Harness::on_api(Store::sqlite(), api, as_given).await;
    let partial = json!({"peer_cidrs": ["192.168.0.0/16"], "ike": {"dh_group": "group24"}});
    let answer = harness.consumer.patch(&path("vpnx-branch01"), &partial, &[("if-match", "*")]).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    let params = &harness.received("vpnx-branch01")[0].params;
    let group = harness.by_api("IKESet.", "IKEOptionsSpecification.");
    assert_eq!(params.keys().filter(|name| name.starts_with(group)).count(), 1, "{params:?}");
}

with_each_api!(groups_as_given_stay_so_under_a_condition);
on_each_api!(
    a_tag_stays_while_nothing_changes_and_changes_with_anything,
    a_client_that_has_it_already_gets_a_304,
    a_change_of_the_state_that_was_seen_is_made,
    a_change_of_another_state_is_a_412_and_nothing_is_sent,
    of_many_changes_of_one_state_one_is_made,
    a_tunnel_that_is_not_there_or_can_not_be_read_is_not_changed,
    a_malformed_condition_is_a_400,
    one_look_at_the_tunnel_serves_the_condition_and_the_merge,
    the_condition_belongs_to_the_request_that_a_key_stands_for,
);
