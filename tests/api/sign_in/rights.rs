//! Which rights a token's claims give.

use serde_json::json;
use tunnelgate::domain::api::Api;
use tunnelgate::domain::principal::{Scope, VpcScope};

use super::{grant, settings};
use crate::harness::{Harness, path, ranges};
use crate::issuer::{Issuer, SigningKey};
use crate::support::Store;

async fn claims_decide_what_a_subject_may_do(store: Store) {
    let key = SigningKey::generate("k", "EdDSA");
    let issuer = Issuer::start(&[&key]).await;
    let pattern = |text: &str| VpcScope::Matching(vec![text.parse().expect("a pattern")]);
    let mut settings = settings(&issuer);
    settings.grants = vec![
        grant("realm_access.roles", "reader", &[Scope::TunnelsRead], &VpcScope::All),
        grant("https://example.com/roles", "writer", &[Scope::TunnelsWrite], &pattern("vpc-03*")),
        grant("department", "audit", &[Scope::AuditRead], &VpcScope::All),
        grant("groups", "elsewhere", &[Scope::TunnelsWrite], &pattern("vpc-9*")),
    ];
    let harness = Harness::on_api(store, Api::V2, |all| all.issuers = vec![settings]).await;
    let caller = |claims: serde_json::Value| harness.caller(key.token(&issuer.claims(&claims)));

    let reader = caller(json!({"realm_access": {"roles": ["reader", "x"]}}));
    assert_eq!(reader.get("/operations", &[]).await.status, 200);
    assert_eq!(reader.get("/audit-events", &[]).await.problem(), (403, "forbidden".into()));
    assert_eq!(reader.patch(&path("vpnx-branch01"), &ranges(), &[]).await.status, 403);

    let both = caller(json!({"https://example.com/roles": "writer", "department": "audit"}));
    assert_eq!(both.get("/audit-events", &[]).await.status, 200);
    assert_eq!(both.get("/operations", &[]).await.status, 403);
    assert_eq!(both.patch(&path("vpnx-branch01"), &ranges(), &[]).await.status, 202);

    let elsewhere = caller(json!({"groups": ["elsewhere"]}));
    assert_eq!(elsewhere.patch(&path("vpnx-branch01"), &ranges(), &[]).await.status, 403);
}

async fn a_token_without_a_grant_gets_a_403_that_names_the_claims(store: Store) {
    let key = SigningKey::generate("k", "ES384");
    let issuer = Issuer::start(&[&key]).await;
    let mut settings = settings(&issuer);
    settings.grants.push(grant("realm_access.roles", "net", &[Scope::TunnelsRead], &VpcScope::All));
    let harness = Harness::on_api(store, Api::V2, |all| all.issuers = vec![settings]).await;
    let stranger = harness.caller(key.token(&issuer.claims(&json!({"groups": ["sales"]}))));
    let answer = stranger.get("/operations", &[]).await;
    assert_eq!(answer.problem(), (403, "forbidden".into()));
    assert_eq!(
        answer.json()["detail"],
        "the scope tunnels:read is missing; the claims groups, realm_access.roles of your token give scopes at this \
         gateway"
    );
    assert_eq!(
        answer.header("www-authenticate"),
        Some("Bearer realm=\"tunnelgate\", error=\"insufficient_scope\", scope=\"tunnels:read\"")
    );
    let refused = stranger.patch(&path("vpnx-branch01"), &ranges(), &[]).await;
    assert_eq!(refused.problem(), (403, "forbidden".into()));
    let log = harness.log().await;
    assert_eq!(log.len(), 1, "{log:?}");
    assert_eq!(log[0]["event"], "denied");
    assert_eq!((&log[0]["actor"], &log[0]["actor_kind"]), (&json!("zoe"), &json!("oidc")));
    assert_eq!(log[0]["actor_id"], format!("{} 4711", issuer.url));
}

on_each_ledger!(
    claims_decide_what_a_subject_may_do,
    a_token_without_a_grant_gets_a_403_that_names_the_claims
);
