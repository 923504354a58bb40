//! What a subject of an issuer is called, and that everything by caller works for it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tunnelgate::domain::api::Api;

use super::{gateway, settings};
use crate::harness::{Harness, path, ranges};
use crate::issuer::{Issuer, SigningKey, now};
use crate::support::Store;
use crate::support::consumer::PATIENCE;

async fn a_change_is_recorded_with_issuer_subject_and_name(store: Store) {
    let key = SigningKey::generate("k", "ES256");
    let issuer = Issuer::start(&[&key]).await;
    let harness = gateway(store, &[&issuer]).await;
    let zoe = harness.caller(key.token(&issuer.claims(&json!({"preferred_username": "zoe, \"the\" first"}))));
    let opened = zoe.patch(&path("vpnx-branch01"), &ranges(), &[]).await;
    assert_eq!(opened.status, 202, "{}", opened.body);
    let id = opened.json()["id"].as_str().expect("an id").to_owned();
    let ended = zoe.ended(&id).await;
    assert_eq!(
        (&ended["status"], &ended["requested_by"]),
        (&json!("succeeded"), &json!("zoe, \"the\" first"))
    );
    let listed = zoe.get("/operations?requested_by=zoe,%20%22the%22%20first", &[]).await.json();
    assert_eq!(listed["items"][0]["id"], id.as_str());
    let events = harness.log().await;
    assert_eq!(events.len(), 3, "{events:?}");
    for event in &events {
        assert_eq!(event["actor"], "zoe, \"the\" first");
        assert_eq!(event["actor_kind"], "oidc");
        assert_eq!(event["actor_id"], format!("{} 4711", issuer.url));
    }
    let csv = zoe.get("/audit-events", &[("accept", "text/csv")]).await;
    assert!(csv.body.contains("\"zoe, \"\"the\"\" first\""), "{}", csv.body);
    let verified = zoe.get("/audit-events/verification", &[]).await.json();
    assert_eq!(verified["result"], "whole", "{verified}");
}

async fn idempotency_keys_belong_to_the_subject(store: Store) {
    let key = SigningKey::generate("k", "ES256");
    let issuer = Issuer::start(&[&key]).await;
    let harness = gateway(store, &[&issuer]).await;
    let caller = |claims: Value| harness.caller(key.token(&issuer.claims(&claims)));
    let header = [("idempotency-key", "same")];
    let first = caller(json!({})).patch(&path("vpnx-branch01"), &ranges(), &header).await;
    assert_eq!(first.status, 202, "{}", first.body);
    // Another token of the same subject, with another name.
    let again = caller(json!({"preferred_username": "renamed", "jti": "2"}));
    let again = again.patch(&path("vpnx-branch01"), &ranges(), &header).await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"), "{}", again.body);
    assert_eq!(again.json()["id"], first.json()["id"]);
    for (other, tunnel) in
        [(caller(json!({"sub": "4712"})), "vpnx-branch02"), (harness.consumer.clone(), "vpnx-slow-task")]
    {
        let own = other.patch(&path(tunnel), &ranges(), &header).await;
        assert_eq!((own.status, own.header("idempotent-replayed")), (202, None), "{}", own.body);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rate_limit_counts_the_subject_whatever_the_token() {
    let key = SigningKey::generate("k", "ES256");
    let issuer = Issuer::start(&[&key]).await;
    let settings = settings(&issuer);
    let harness = Harness::on_api(Store::sqlite(), Api::V2, |all| {
        all.issuers = vec![settings];
        all.edge.rate_limit = crate::edge::hourly(2);
    })
    .await;
    let get = async |claims: Value| {
        harness.caller(key.token(&issuer.claims(&claims))).get("/operations", &[]).await.status
    };
    assert_eq!([get(json!({"jti": 1})).await, get(json!({"jti": 2})).await], [200, 200]);
    assert_eq!([get(json!({"jti": 3})).await, get(json!({"sub": "4712"})).await], [429, 200]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_ends_with_its_time_in_the_cache_and_on_a_stream() {
    let key = SigningKey::generate("k", "ES256");
    let issuer = Issuer::start(&[&key]).await;
    let harness = gateway(Store::sqlite(), &[&issuer]).await;
    let opened = harness.patch("vpnx-task-never-ends", &ranges()).await.json();
    let id = opened["id"].as_str().expect("an id");
    // The leeway of 60 seconds is over in two, and the cache would keep the token for five.
    let end = now() + 2;
    let caller = harness.caller(key.token(&issuer.claims(&json!({"exp": end - 60}))));
    let stream = caller.messages(&format!("/operations/{id}/stream"), &[]).await;
    assert_eq!(stream.response.status(), 200);
    assert_eq!(caller.get("/operations", &[]).await.status, 200);
    let until = Instant::now() + PATIENCE;
    let refused = loop {
        let answer = caller.get("/operations", &[]).await;
        if answer.status != 200 {
            break answer;
        }
        assert!(Instant::now() < until, "the token does not expire");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!((end..=end + 2).contains(&now()), "{} after {end}", now());
    assert_eq!(refused.problem(), (401, "unauthorized".into()));
    assert_eq!(refused.json()["detail"], "the token has expired (exp)");
    stream.rest().await;
    assert!(now() <= end + 2, "the stream outlived the token");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_could_deceive_readers_of_the_log_is_made_harmless() {
    let key = SigningKey::generate("k", "ES256");
    let issuer = Issuer::start(&[&key]).await;
    let harness = gateway(Store::sqlite(), &[&issuer]).await;
    for (name, expected) in [
        (json!("zoe\u{202e}\r\nroot\u{0}"), "zoeroot".to_owned()),
        (json!("x".repeat(500)), "x".repeat(128)),
        (json!(["zoe"]), "4711".to_owned()),
        (json!(null), "4711".to_owned()),
    ] {
        let caller = harness.caller(key.token(&issuer.claims(&json!({"preferred_username": name}))));
        let opened = caller.patch(&path("vpnx-branch01"), &ranges(), &[]).await;
        assert_eq!(opened.status, 202, "{}", opened.body);
        assert_eq!(opened.json()["requested_by"], expected.as_str());
        caller.ended(opened.json()["id"].as_str().expect("an id")).await;
    }
}

on_each_ledger!(a_change_is_recorded_with_issuer_subject_and_name, idempotency_keys_belong_to_the_subject);
