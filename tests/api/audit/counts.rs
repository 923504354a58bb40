//! Counting the audit log's events by time.

use serde_json::Value;
use tunnelgate::domain::principal::Scope;

use super::fill;
use crate::harness::Harness;
use crate::support::consumer::Answer;

/// The number of events of a kind in a response.
fn count(answer: &Answer, event: &str) -> u64 {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let counts = answer.json();
    let items = counts["items"].as_array().expect("items");
    items.iter().filter(|item| item["event"] == event).filter_map(|item| item["count"].as_u64()).sum()
}

async fn events_are_counted_by_time_and_kind(harness: Harness) {
    fill(&harness).await;
    let all = harness.consumer.get("/audit-events/counts", &[]).await;
    assert_eq!((count(&all, "requested"), count(&all, "rejected"), count(&all, "succeeded")), (4, 0, 3));
    assert_eq!(all.json()["bucket"], "1h");

    // Every bucket has as many events as the list has in that time.
    let page = harness.consumer.get("/audit-events?limit=200", &[]).await.json();
    for (bucket, digits) in
        [("1m", "2026-01-31T08:20".len()), ("1h", "2026-01-31T08".len()), ("1d", "2026-01-31".len())]
    {
        let answer = harness.consumer.get(&format!("/audit-events/counts?bucket={bucket}"), &[]).await.json();
        for item in answer["items"].as_array().expect("items") {
            let from = item["from"].as_str().expect("a moment");
            let begins = |event: &&Value| {
                event["occurred_at"].as_str().is_some_and(|at| at[..digits] == from[..digits])
            };
            let by_hand = page["items"].as_array().expect("items").iter();
            let by_hand = by_hand.filter(begins).filter(|event| event["event"] == item["event"]).count();
            assert_eq!(item["count"], by_hand, "{bucket} {item}");
            assert!(from[digits..].bytes().all(|byte| !byte.is_ascii_digit() || byte == b'0'), "{from}");
        }
    }
}

async fn counts_are_narrowed_by_filters_time_and_rights(harness: Harness) {
    fill(&harness).await;
    let get = async |query: &str| harness.consumer.get(&format!("/audit-events/counts?{query}"), &[]).await;
    assert_eq!(count(&get("tunnel_id=vpnx-load-2").await, "requested"), 1);
    assert_eq!(count(&get("vpc_id=vpc-prod-1&event=requested").await, "requested"), 1);
    assert_eq!(count(&get("event=rejected").await, "requested"), 0);
    assert_eq!(count(&get("requested_by=nobody").await, "requested"), 0);
    assert_eq!(count(&get("created_before=2020-01-01T00:00:00Z").await, "requested"), 0);
    let events = harness.consumer.get("/audit-events?limit=200&event=requested", &[]).await.json();
    let second = events["items"][2]["occurred_at"].as_str().expect("a moment");
    assert_eq!(
        count(&get(&format!("created_after={second}")).await, "requested"),
        3,
        "from a moment, inclusive"
    );

    let limited = harness.consumer_with("limited", &[(Scope::AuditRead, &["vpc-prod-*"])]).await;
    assert_eq!(count(&limited.get("/audit-events/counts", &[]).await, "requested"), 1);
    let reader = harness.consumer_with("reader", &[(Scope::TunnelsRead, &[])]).await;
    assert_eq!(reader.get("/audit-events/counts", &[]).await.problem(), (403, "forbidden".into()));
}

async fn counts_that_would_be_too_many_or_none_are_refused(harness: Harness) {
    for (query, pointer) in [
        ("bucket=1m&created_after=2026-01-01T00:00:00Z&created_before=2026-01-02T00:00:00Z", "query:bucket"),
        ("bucket=7m", "query:bucket"),
        ("created_after=2026-01-02T00:00:00Z&created_before=2026-01-01T00:00:00Z", "query:created_before"),
        ("limit=5", "query:limit"),
    ] {
        let answer = harness.consumer.get(&format!("/audit-events/counts?{query}"), &[]).await;
        assert_eq!(answer.problem(), (400, "invalid_query".into()), "{query}");
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{query}");
    }
}

on_each_api!(
    events_are_counted_by_time_and_kind,
    counts_are_narrowed_by_filters_time_and_rights,
    counts_that_would_be_too_many_or_none_are_refused,
);
