//! What the service records of a request.

use crate::harness::{Harness, path, ranges};

async fn a_request_id_comes_back_if_it_is_sane(harness: Harness) {
    let sane = harness.consumer.get("/operations", &[("x-request-id", "abc-123")]).await;
    assert_eq!(sane.header("x-request-id"), Some("abc-123"));
    let long = "x".repeat(500);
    for odd in ["a b", "<script>", long.as_str()] {
        let answer = harness.consumer.get("/operations", &[("x-request-id", odd)]).await;
        let id = answer.header("x-request-id").expect("an id");
        assert!(id != odd && !id.is_empty());
    }
}

async fn what_is_known_of_a_request_stands_in_its_events(harness: Harness) {
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let headers = [
        ("x-request-id", "story-7"),
        ("traceparent", trace),
        ("user-agent", "netops/2"),
        ("prefer", "wait=30"),
    ];
    let answer = harness.consumer.patch(&path("vpnx-branch01"), &ranges(), &headers).await.json();
    let id = answer["id"].as_str().expect("an id");
    let events = harness.consumer.get(&format!("/audit-events?operation_id={id}"), &[]).await.json();
    let items = events["items"].as_array().expect("items");
    assert_eq!(items.len(), 3);
    for event in items {
        assert_eq!(event["request_id"], "story-7");
        assert_eq!(event["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(
            (event["actor"].as_str(), event["actor_kind"].as_str()),
            (Some("netops-ci"), Some("api_key"))
        );
    }
    let requested = &items[2];
    assert_eq!(
        (requested["user_agent"].as_str(), requested["source_ip"].as_str()),
        (Some("netops/2"), Some("127.0.0.1"))
    );
    assert_eq!(requested["changes"], ranges());
    assert_eq!(items[0]["event"], "succeeded");
    assert_eq!(items[0]["outcome"]["verification"]["result"], "confirmed");
    let submitted = &items[1]["upstream"];
    assert_eq!(
        (submitted["action"].as_str(), submitted["code"].as_str()),
        (Some("ModifyVpnConnEx"), Some("0"))
    );
    assert_eq!(submitted["task_id"], answer["task_id"]);
    assert!(submitted["latency_ms"].is_u64() && submitted["attempts"] == 1);
}

on_each_ledger!(what_is_known_of_a_request_stands_in_its_events, a_request_id_comes_back_if_it_is_sane,);
