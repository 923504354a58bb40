//! What a principal may do and see.

use tunnelgate::domain::principal::Scope;

use crate::harness::{Harness, path, ranges};

async fn a_missing_scope_is_a_403_that_names_it(harness: Harness) {
    let reader = harness.consumer_with("reader", &[(Scope::TunnelsRead, &[])]).await;
    let auditor = harness.consumer_with("auditor", &[(Scope::AuditRead, &[])]).await;
    let refused = reader.get("/audit-events", &[]).await;
    assert_eq!(refused.problem(), (403, "forbidden".into()));
    assert!(refused.json()["detail"].as_str().is_some_and(|detail| detail.contains("audit:read")));
    assert_eq!(auditor.get("/operations", &[]).await.problem(), (403, "forbidden".into()));
    assert_eq!(auditor.get("/audit-events", &[]).await.status, 200);
}

async fn what_tells_of_every_vpc_is_for_those_who_may_read_every_vpc(harness: Harness) {
    harness.consumer.patch(&path("vpnx-branch01"), &ranges(), &[]).await;
    let limited = harness.consumer_with("limited", &[(Scope::AuditRead, &["vpc-03*"])]).await;
    let auditor = harness.consumer_with("auditor", &[(Scope::AuditRead, &[])]).await;
    for route in ["/audit-events/checkpoint", "/audit-events/verification"] {
        let refused = limited.get(route, &[]).await;
        assert_eq!(refused.problem(), (403, "forbidden".into()), "{route}");
        assert_eq!(refused.json()["detail"], "the scope audit:read for all VPCs is missing");
        assert_eq!(auditor.get(route, &[]).await.status, 200, "{route}");
    }
    assert_eq!(limited.get("/audit-events", &[]).await.status, 200);
}

async fn a_refused_change_is_an_event(harness: Harness) {
    let reader = harness.consumer_with("reader", &[(Scope::TunnelsRead, &[])]).await;
    let elsewhere = harness.consumer_with("elsewhere", &[(Scope::TunnelsWrite, &["vpc-prod-*"])]).await;
    for (who, name) in [(&reader, "reader"), (&elsewhere, "elsewhere")] {
        let headers = [("x-request-id", "refused-1"), ("user-agent", "probe/1")];
        let answer = who.patch(&path("vpnx-branch01"), &ranges(), &headers).await;
        assert_eq!(answer.problem(), (403, "forbidden".into()));
        let events = harness.consumer.get("/audit-events?event=denied&limit=1", &[]).await.json();
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
    assert!(harness.simulator.journal().is_empty());
    let own =
        elsewhere.patch("/vpcs/vpc-prod-1/gateways/vpngw-prod1/tunnels/vpnx-prod1", &ranges(), &[]).await;
    assert_eq!(own.status, 202, "{}", own.body);
}

/// An event names a tunnel. An invalid path names none, so its response is 422; every 403 has an event.
async fn no_change_is_refused_for_want_of_rights_without_an_event(harness: Harness) {
    let elsewhere = harness.consumer_with("elsewhere", &[(Scope::TunnelsWrite, &["vpc-prod-*"])]).await;
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
    // A caller who may change the VPC's tunnels receives the body's errors too.
    let answer = elsewhere.patch("/vpcs/vpc-prod-1/gateways/a.b/tunnels/t", &patch, &[]).await;
    let errors = answer.json()["errors"].clone();
    assert!(errors.as_array().is_some_and(|errors| errors.len() > 1), "{errors}");
    assert_eq!(harness.log().await, Vec::<serde_json::Value>::new());
}

/// No caller can fill the log: the refusals beyond 60 a minute share one event, written at the latest when the process
/// ends.
#[tokio::test(flavor = "multi_thread")]
async fn refusals_beyond_the_limit_share_one_event() {
    let harness = Harness::with(crate::support::Store::sqlite(), |_| {}).await;
    let reader = harness.consumer_with("reader", &[(Scope::TunnelsRead, &[])]).await;
    for _ in 0..100 {
        let answer = reader.patch(&path("vpnx-branch01"), &ranges(), &[]).await;
        assert_eq!(answer.problem(), (403, "forbidden".into()));
    }
    assert_eq!(harness.log().await.len(), 60);
    let (_replica, consumer) = harness.replica().await;
    harness.stop();
    let counted = async {
        loop {
            let events = consumer.get("/audit-events?event=denied&limit=1", &[]).await.json();
            let newest = events["items"][0].clone();
            if !newest["changes"].is_null() {
                return newest;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    let counted = tokio::time::timeout(std::time::Duration::from_secs(30), counted).await.expect("the event");
    assert_eq!(counted["changes"], serde_json::json!({"refusals": 40}));
    assert_eq!(counted["actor"], "reader");
}

async fn what_a_principal_may_not_see_looks_as_if_it_did_not_exist(harness: Harness) {
    let patterns: &[&str] = &["vpc-prod-*"];
    let limited = harness
        .consumer_with("limited", &[(Scope::TunnelsRead, patterns), (Scope::AuditRead, patterns)])
        .await;
    let hidden = harness.patch("vpnx-branch01", &ranges()).await.json();
    let prod = "/vpcs/vpc-prod-1/gateways/vpngw-prod1/tunnels/vpnx-prod1";
    let seen = harness.consumer.patch(prod, &ranges(), &[]).await.json();
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
    assert_eq!(harness.consumer.get("/audit-events/1", &[]).await.status, 200);
}

on_each_api!(
    a_missing_scope_is_a_403_that_names_it,
    what_tells_of_every_vpc_is_for_those_who_may_read_every_vpc,
    a_refused_change_is_an_event,
    no_change_is_refused_for_want_of_rights_without_an_event,
    what_a_principal_may_not_see_looks_as_if_it_did_not_exist,
);
