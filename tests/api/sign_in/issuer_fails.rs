//! An issuer that can't be reached refuses its own tokens only.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tunnelgate::app::World;
use tunnelgate::domain::api::Api;

use super::keys::Moved;
use super::settings;
use crate::harness::Harness;
use crate::issuer::{Issuer, SigningKey};
use crate::support::Store;

async fn a_gateway_starts_without_its_issuer_and_recovers(store: Store) {
    let key = SigningKey::generate("k", "RS256");
    let (down, up) = (Issuer::stopped(&[&key]).await, Issuer::start(&[&key]).await);
    let clock = Arc::new(Moved::default());
    let world = World { clock: clock.clone(), ..World::default() };
    let all = vec![settings(&down), settings(&up)];
    let harness = Harness::in_world(store, Api::V2, world, |settings| settings.issuers = all).await;
    let caller = harness.caller(key.token(&down.claims(&json!({}))));
    let refused = caller.get("/operations", &[]).await;
    assert_eq!(refused.problem(), (503, "issuer_unavailable".into()));
    let wait: u64 = refused.header("retry-after").and_then(|wait| wait.parse().ok()).expect("Retry-After");
    assert!((1..=6).contains(&wait), "{wait}");
    assert_eq!(refused.header("www-authenticate"), None, "the token may be valid");
    let ready = harness.consumer.get("/readyz", &[]).await;
    assert_eq!(ready.status, 200, "one issuer must not take all replicas out: {}", ready.body);
    assert_eq!(harness.consumer.get("/operations", &[]).await.status, 200, "API keys");
    let other = harness.caller(key.token(&up.claims(&json!({}))));
    assert_eq!(other.get("/operations", &[]).await.status, 200, "another issuer");
    let metrics = harness.consumer.get("/metrics", &[]).await.body;
    for line in [
        format!("tunnelgate_oidc_issuer_reachable{{issuer=\"{}\"}} 0", down.url),
        format!("tunnelgate_oidc_issuer_reachable{{issuer=\"{}\"}} 1", up.url),
        format!("tunnelgate_oidc_key_fetches_total{{issuer=\"{}\",result=\"refused\"}} ", down.url),
        "tunnelgate_auth_refusals_total{reason=\"issuer_unavailable\"} 1".to_owned(),
    ] {
        assert!(metrics.lines().any(|found| found.starts_with(&line)), "no {line} in:\n{metrics}");
    }
    down.restart().await;
    clock.by(Duration::from_secs(wait));
    assert_eq!(caller.get("/operations", &[]).await.status, 200);
}

on_each_ledger!(a_gateway_starts_without_its_issuer_and_recovers);
