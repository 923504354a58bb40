//! Who may call, and what they may do.

use std::time::Duration;

use tunnelgate::domain::principal::Scope;

use crate::field::{Field, path, ranges};
use crate::on_each_ledger;
use crate::support::consumer::Consumer;

async fn a_call_without_a_good_token_is_a_401(field: Field) {
    let short = field.somebody_for("short", &[(Scope::TunnelsRead, &[])], Some(Duration::ZERO)).await;
    field.somebody("revoked", &[(Scope::TunnelsRead, &[])]).await;
    let revoked = field.somebody("revoked-too", &[(Scope::TunnelsRead, &[])]).await;
    field.revoke("revoked-too").await;
    let with = |token: &str| Consumer::new(field.consumer.base.clone(), token.to_owned());
    let nobodies = [with(""), with("tg_0123"), with("something else"), short, revoked];
    for nobody in &nobodies {
        for route in
            ["/operations", "/audit-events", "/audit-events/checkpoint", "/operations/1", "/audit-events/1"]
        {
            let answer = nobody.get(route, &[]).await;
            assert_eq!(answer.problem(), (401, "unauthorized".into()), "{route}");
            assert!(
                answer.header("www-authenticate").is_some_and(|challenge| challenge.starts_with("Bearer"))
            );
        }
        let answer = nobody.patch(&path("vpnx-branch01"), &ranges(), &[]).await;
        assert_eq!(answer.problem(), (401, "unauthorized".into()));
    }
    for other in ["Basic dTpw", &field.consumer.token, "Bearer", "Bearertg_0123"] {
        let answer = with("").get("/operations", &[("authorization", other)]).await;
        assert_eq!(answer.problem(), (401, "unauthorized".into()));
        let detail = answer.json()["detail"].as_str().expect("a detail").to_owned();
        assert!(detail.contains("send Authorization: Bearer tg_…"), "{other}: {detail}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"tunnelgate\""), "{other}");
    }
    let log = field.consumer.get("/audit-events", &[]).await.json();
    assert_eq!(log["items"], serde_json::json!([]), "a stranger can't fill the log");
    assert!(field.simulator.journal().is_empty());
}

async fn the_health_routes_and_the_documents_need_no_token(field: Field) {
    let stranger = Consumer::new(field.consumer.base.clone(), String::new());
    for route in ["/livez", "/readyz", "/metrics", "/openapi.json", "/docs/"] {
        assert_eq!(stranger.get(route, &[]).await.status, 200, "{route}");
    }
}

async fn a_missing_scope_is_a_403_that_names_it(field: Field) {
    let reader = field.somebody("reader", &[(Scope::TunnelsRead, &[])]).await;
    let auditor = field.somebody("auditor", &[(Scope::AuditRead, &[])]).await;
    let refused = reader.get("/audit-events", &[]).await;
    assert_eq!(refused.problem(), (403, "forbidden".into()));
    assert!(refused.json()["detail"].as_str().is_some_and(|detail| detail.contains("audit:read")));
    assert_eq!(auditor.get("/operations", &[]).await.problem(), (403, "forbidden".into()));
    assert_eq!(auditor.get("/audit-events", &[]).await.status, 200);
}

async fn what_tells_of_every_vpc_is_for_those_who_may_read_every_vpc(field: Field) {
    field.consumer.patch(&path("vpnx-branch01"), &ranges(), &[]).await;
    let limited = field.somebody("limited", &[(Scope::AuditRead, &["vpc-03*"])]).await;
    let auditor = field.somebody("auditor", &[(Scope::AuditRead, &[])]).await;
    for route in ["/audit-events/checkpoint", "/audit-events/verification"] {
        let refused = limited.get(route, &[]).await;
        assert_eq!(refused.problem(), (403, "forbidden".into()), "{route}");
        assert_eq!(refused.json()["detail"], "the scope audit:read for all VPCs is missing");
        assert_eq!(auditor.get(route, &[]).await.status, 200, "{route}");
    }
    assert_eq!(limited.get("/audit-events", &[]).await.status, 200);
}

async fn a_refused_change_is_an_event(field: Field) {
    let reader = field.somebody("reader", &[(Scope::TunnelsRead, &[])]).await;
    let elsewhere = field.somebody("elsewhere", &[(Scope::TunnelsWrite, &["vpc-prod-*"])]).await;
    for (who, name) in [(&reader, "reader"), (&elsewhere, "elsewhere")] {
        let headers = [("x-request-id", "refused-1"), ("user-agent", "probe/1")];
        let answer = who.patch(&path("vpnx-branch01"), &ranges(), &headers).await;
        assert_eq!(answer.problem(), (403, "forbidden".into()));
        let events = field.consumer.get("/audit-events?event=denied&limit=1", &[]).await.json();
        let event = &events["items"][0];
        assert_eq!(
            (event["actor"].as_str(), event["tunnel_id"].as_str()),
            (Some(name), Some("vpnx-branch01"))
        );
        assert_eq!(
            (event["request_id"].as_str(), event["user_agent"].as_str()),
            (Some("refused-1"), Some("probe/1"))
        );
        assert_eq!((event["source_ip"].as_str(), event["operation_id"].as_str()), (Some("127.0.0.1"), None));
    }
    assert!(field.simulator.journal().is_empty());
    let own =
        elsewhere.patch("/vpcs/vpc-prod-1/gateways/vpngw-prod1/tunnels/vpnx-prod1", &ranges(), &[]).await;
    assert_eq!(own.status, 202, "{}", own.body);
}

/// An event names a tunnel, so there is none of what is no tunnel's path; and no 403 without its event.
async fn no_change_is_refused_for_want_of_rights_without_an_event(field: Field) {
    let elsewhere = field.somebody("elsewhere", &[(Scope::TunnelsWrite, &["vpc-prod-*"])]).await;
    let patch = serde_json::json!({"name": ""});
    for (route, faults) in [
        ("/vpcs/vpc-03vihbk9/gateways/a.b/tunnels/vpnx-branch01", 1),
        ("/vpcs/a.b/gateways/a.b/tunnels/a.b", 3),
    ] {
        let answer = elsewhere.patch(route, &patch, &[]).await;
        assert_eq!(answer.problem(), (422, "invalid_patch".into()), "{route}");
        let errors = answer.json()["errors"].clone();
        let errors = errors.as_array().expect("errors");
        assert_eq!(errors.len(), faults, "{errors:?}");
        assert!(errors.iter().all(|error| error["code"] == "invalid_id"), "{errors:?}");
    }
    // Whoever may change the VPC's tunnels is told the body's faults too.
    let answer = elsewhere.patch("/vpcs/vpc-prod-1/gateways/a.b/tunnels/t", &patch, &[]).await;
    let errors = answer.json()["errors"].clone();
    assert!(errors.as_array().is_some_and(|errors| errors.len() > 1), "{errors}");
    let log = field.consumer.get("/audit-events", &[]).await.json();
    assert_eq!(log["items"], serde_json::json!([]));
}

async fn what_a_principal_may_not_see_looks_as_if_it_did_not_exist(field: Field) {
    let patterns: &[&str] = &["vpc-prod-*"];
    let limited =
        field.somebody("limited", &[(Scope::TunnelsRead, patterns), (Scope::AuditRead, patterns)]).await;
    let hidden = field.patch("vpnx-branch01", &ranges()).await.json();
    let prod = "/vpcs/vpc-prod-1/gateways/vpngw-prod1/tunnels/vpnx-prod1";
    let seen = field.consumer.patch(prod, &ranges(), &[]).await.json();
    let (hidden, seen) = (hidden["id"].as_str().expect("an id"), seen["id"].as_str().expect("an id"));

    assert_eq!(limited.get(&format!("/operations/{seen}"), &[]).await.status, 200);
    let missing = limited.get(&format!("/operations/{hidden}"), &[]).await;
    assert_eq!(missing.problem(), (404, "not_found".into()));
    let nowhere = limited.get("/operations/018f0000-0000-7000-8000-000000000000", &[]).await;
    assert_eq!(missing.json()["detail"], nowhere.json()["detail"]);

    let operations = limited.get("/operations", &[]).await.json();
    assert_eq!(operations["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(operations["items"][0]["id"], seen);
    let asked = limited.get("/operations?vpc_id=vpc-03vihbk9", &[]).await.json();
    assert_eq!(asked["items"], serde_json::json!([]));
    for form in ["application/json", "application/x-ndjson", "text/csv"] {
        let log = limited.get("/audit-events", &[("accept", form)]).await.body;
        assert!(log.contains("vpc-prod-1") && !log.contains("vpc-03vihbk9"), "{form}: {log}");
    }
    assert_eq!(limited.get("/audit-events/1", &[]).await.problem(), (404, "not_found".into()));
    assert_eq!(field.consumer.get("/audit-events/1", &[]).await.status, 200);
}

on_each_ledger!(
    a_call_without_a_good_token_is_a_401,
    the_health_routes_and_the_documents_need_no_token,
    a_missing_scope_is_a_403_that_names_it,
    what_tells_of_every_vpc_is_for_those_who_may_read_every_vpc,
    a_refused_change_is_an_event,
    no_change_is_refused_for_want_of_rights_without_an_event,
    what_a_principal_may_not_see_looks_as_if_it_did_not_exist,
);
