//! What the pages need to sign people in at an issuer.

use std::time::Duration;

use tunnelgate::service::identity::Identity;

use super::keys::Checked;
use crate::issuer::{Issuer, SigningKey};

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
