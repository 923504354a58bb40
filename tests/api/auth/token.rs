//! Calls with and without a valid token.

use std::time::Duration;

use tunnelgate::domain::principal::Scope;

use crate::harness::{Harness, path, ranges};
use crate::support::consumer::Consumer;

async fn a_call_without_a_good_token_is_a_401(harness: Harness) {
    let short = harness.consumer_until("short", &[(Scope::TunnelsRead, &[])], Some(Duration::ZERO)).await;
    harness.consumer_with("revoked", &[(Scope::TunnelsRead, &[])]).await;
    let revoked = harness.consumer_with("revoked-too", &[(Scope::TunnelsRead, &[])]).await;
    harness.revoke("revoked-too").await;
    let with = |token: &str| Consumer::new(harness.consumer.base.clone(), token.to_owned());
    let refused = [with(""), with("tg_0123"), with("something else"), short, revoked];
    for caller in &refused {
        for route in
            ["/operations", "/audit-events", "/audit-events/checkpoint", "/operations/1", "/audit-events/1"]
        {
            let answer = caller.get(route, &[]).await;
            assert_eq!(answer.problem(), (401, "unauthorized".into()), "{route}");
            assert!(
                answer.header("www-authenticate").is_some_and(|challenge| challenge.starts_with("Bearer"))
            );
        }
        let answer = caller.patch(&path("vpnx-branch01"), &ranges(), &[]).await;
        assert_eq!(answer.problem(), (401, "unauthorized".into()));
    }
    for other in ["Basic dTpw", &harness.consumer.token, "Bearer", "Bearertg_0123"] {
        let answer = with("").get("/operations", &[("authorization", other)]).await;
        assert_eq!(answer.problem(), (401, "unauthorized".into()));
        let detail = answer.json()["detail"].as_str().expect("a detail").to_owned();
        assert!(detail.contains("send Authorization: Bearer tg_…"), "{other}: {detail}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"tunnelgate\""), "{other}");
    }
    assert_eq!(harness.log().await, Vec::<serde_json::Value>::new(), "a stranger can't fill the log");
    assert!(harness.simulator.journal().is_empty());
}

async fn the_health_routes_and_the_documents_need_no_token(harness: Harness) {
    let anonymous = Consumer::new(harness.consumer.base.clone(), String::new());
    for route in ["/livez", "/readyz", "/metrics", "/openapi.json", "/docs/"] {
        assert_eq!(anonymous.get(route, &[]).await.status, 200, "{route}");
    }
}

on_each_api!(a_call_without_a_good_token_is_a_401, the_health_routes_and_the_documents_need_no_token,);
