//! What the pages need to sign people in at an issuer.

use std::time::Duration;

use serde_json::{Value, json};
use tunnelgate::service::identity::Identity;

use super::keys::Checked;
use crate::issuer::{Issuer, Mood, SigningKey};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_in_has_the_addresses_of_the_discovery_document() {
    let key = SigningKey::generate("k", "EdDSA");
    let (issuer, down) = (Issuer::start(&[&key]).await, Issuer::stopped(&[]).await);
    let naming = Issuer::start(&[&key]).await;
    naming.is_now(Mood::Discovery(json!({"authorization_response_iss_parameter_supported": true})));
    let gateway = Checked::with(&[&issuer, &naming, &down]).await;
    let sign_ins = gateway.issuers.sign_ins().await;
    let found: Vec<Value> = sign_ins
        .iter()
        .map(|sign_in| {
            let endpoints = sign_in.endpoints.as_ref();
            let authorization = endpoints.and_then(|all| all.authorization.clone());
            let names_issuer = endpoints.map(|all| all.names_issuer);
            json!([sign_in.issuer, sign_in.client_id, authorization, names_issuer])
        })
        .collect();
    let expected = [
        json!([issuer.url, "console", format!("{}/authorize", issuer.url), false]),
        json!([naming.url, "console", format!("{}/authorize", naming.url), true]),
        json!([down.url, "console", null, null]),
    ];
    assert_eq!(found, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_token_endpoint_stays_known_while_the_issuer_is_down() {
    let key = SigningKey::generate("k", "EdDSA");
    let (issuer, never) = (Issuer::start(&[&key]).await, Issuer::stopped(&[]).await);
    let gateway = Checked::with(&[&issuer, &never]).await;
    let expected = [format!("{}/token", issuer.url)];
    assert_eq!(gateway.issuers.token_endpoints(), expected);
    issuer.stop();
    gateway.clock.by(Duration::from_secs(601));
    let endpoints: Vec<_> =
        gateway.issuers.sign_ins().await.into_iter().map(|sign_in| sign_in.endpoints).collect();
    assert_eq!(endpoints, [None, None], "too old to sign in with");
    assert_eq!(gateway.issuers.token_endpoints(), expected, "the policy of a page allows it");
    gateway.issuers.replace(Vec::new()).expect("replaced");
    assert!(gateway.issuers.token_endpoints().is_empty());
}
