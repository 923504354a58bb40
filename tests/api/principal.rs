//! `/principal`.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tunnelgate::domain::principal::Scope;

use crate::harness::{Harness, path, ranges};
use crate::issuer::{Issuer, SigningKey, now};
use crate::sign_in::gateway;
use crate::support::Store;
use crate::support::consumer::{Consumer, PATIENCE};

async fn principal(consumer: &Consumer) -> Value {
    let answer = consumer.get("/principal", &[]).await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")), "{}", answer.body);
    answer.json()
}

async fn a_key_is_one_principal_with_all_its_tokens(store: Store) {
    let harness = Harness::with(store, |_| ()).await;
    let grants: &[(Scope, &[&str])] = &[
        (Scope::TunnelsWrite, &["vpc-03*", "vpc-lab"]),
        (Scope::TunnelsRead, &["vpc-lab"]),
        (Scope::TunnelsRead, &[]),
    ];
    let old = harness.consumer_until("netops", grants, Some(Duration::from_secs(86_400))).await;
    let key = harness.key("netops").await;
    let expected = json!({
        "kind": "api_key", "id": key.id, "name": "netops", "expires_at": key.expires_at,
        "scopes": [{"scope": "tunnels:read", "vpcs": null}, {"scope": "tunnels:write", "vpcs": ["vpc-03*", "vpc-lab"]}],
    });
    assert!(expected["expires_at"].is_string());
    assert_eq!(principal(&old).await, expected);
    let new = harness.rotate("netops", Duration::from_secs(3600)).await;
    assert_eq!(principal(&new).await, expected);
    let other = harness.consumer_with("none", &[]).await;
    let none = principal(&other).await;
    assert_eq!(
        (&none["name"], &none["scopes"], &none["expires_at"]),
        (&json!("none"), &json!([]), &Value::Null)
    );
    assert_ne!(none["id"], expected["id"]);
    // Every VPC, but not what has none.
    let every = principal(&harness.consumer_with("every", &[(Scope::AuditRead, &["*"])]).await).await;
    assert_eq!(every["scopes"], json!([{"scope": "audit:read", "vpcs": ["*"]}]));

    // The log has the same id.
    let change = new.patch(&path("vpnx-load-1"), &ranges(), &[("x-request-id", "mine-1")]).await.json();
    new.ended(change["id"].as_str().expect("an id")).await;
    for (request, expected) in [("mine-1", json!([change["id"]])), ("mine-2", json!([]))] {
        let query = format!("/operations?tunnel_id=vpnx-load-1&request_id={request}");
        let found = harness.consumer.get(&query, &[]).await.json();
        let ids: Value =
            found["items"].as_array().expect("items").iter().map(|item| item["id"].clone()).collect();
        assert_eq!(ids, expected, "{request}");
    }
    let log = harness.log().await;
    let actors: Vec<&Value> =
        log.iter().filter(|event| event["event"] == "requested").map(|event| &event["actor_id"]).collect();
    assert_eq!(actors, [&expected["id"]]);

    assert_eq!(new.get("/principal?name=me", &[]).await.problem(), (400, "invalid_query".into()));
    harness.revoke("none").await;
    for token in ["", "tg_unknown", other.token.as_str()] {
        let refused = harness.caller(token.to_owned());
        let until = Instant::now() + PATIENCE;
        while refused.get("/principal", &[]).await.status == 200 {
            assert!(Instant::now() < until, "the token is not refused");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let answer = refused.get("/principal", &[]).await;
        assert_eq!(answer.problem(), (401, "unauthorized".into()));
        assert!(answer.header("www-authenticate").is_some());
    }
}

async fn a_subject_of_an_issuer_is_one_principal_whatever_its_name(store: Store) {
    let key = SigningKey::generate("k", "ES256");
    let issuer = Issuer::start(&[&key]).await;
    let harness = gateway(store, &[&issuer]).await;
    let end = now() + 600;
    let caller = |claims: Value| harness.caller(key.token(&issuer.claims(&claims)));
    let zoe = principal(&caller(json!({"preferred_username": "zoe", "exp": end}))).await;
    let all = |scope: &str| json!({"scope": scope, "vpcs": null});
    assert_eq!(
        (&zoe["kind"], &zoe["id"], &zoe["name"], &zoe["scopes"]),
        (
            &json!("oidc"),
            &json!(format!("{} 4711", issuer.url)),
            &json!("zoe"),
            &json!([all("tunnels:read"), all("tunnels:write"), all("audit:read")])
        )
    );
    assert!(zoe["expires_at"].is_string());
    let renamed = principal(&caller(json!({"preferred_username": "renamed"}))).await;
    assert_eq!((&renamed["id"], &renamed["name"]), (&zoe["id"], &json!("renamed")));
    let other = principal(&caller(json!({"sub": "4712", "groups": ["sales"]}))).await;
    assert_eq!((&other["id"], &other["scopes"]), (&json!(format!("{} 4712", issuer.url)), &json!([])));
    let expired = caller(json!({"exp": now() - 3600})).get("/principal", &[]).await;
    assert_eq!(expired.problem(), (401, "unauthorized".into()));
}

on_each_ledger!(
    a_key_is_one_principal_with_all_its_tokens,
    a_subject_of_an_issuer_is_one_principal_whatever_its_name,
);
