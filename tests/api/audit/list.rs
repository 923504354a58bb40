//! `GET /audit-events`: pages and filters.

use crate::harness::Harness;
use crate::lists::{count, fill, is_refused, pages_stay_right};

async fn pages_stay_right_while_changes_come_in(harness: Harness) {
    pages_stay_right(&harness, "/audit-events").await;
}

async fn filters_narrow_the_lists(harness: Harness) {
    let operations = fill(&harness).await;
    for (query, expected) in [
        (format!("operation_id={}", operations[0]).as_str(), 2),
        ("event=succeeded", 4),
        ("status=rejected", 2),
        ("tunnel_id=vpnx-load-2&event=submitted", 1),
    ] {
        assert_eq!(count(&harness, &format!("/audit-events?{query}")).await, expected, "{query}");
    }
}

async fn a_query_that_is_wrong_is_a_400_that_names_every_fault(harness: Harness) {
    let pointers = ["query:event", "query:created_after"];
    is_refused(&harness, "/audit-events?event=odd&created_after=yesterday", &pointers).await;
    is_refused(&harness, "/audit-events?operation_id=7", &["query:operation_id"]).await;
    is_refused(&harness, "/audit-events?vpc_id=a%00b", &["query:vpc_id"]).await;
    let answer = harness.consumer.get("/audit-events?cursor=abc&limit=0&color=red", &[]).await;
    assert_eq!(answer.problem(), (400, "invalid_query".into()), "one fault among others");
    let errors = answer.json()["errors"].as_array().expect("errors").clone();
    let codes: Vec<&str> = errors.iter().filter_map(|error| error["code"].as_str()).collect();
    assert_eq!(codes, ["invalid", "invalid_cursor", "unknown_parameter"]);
    let detail = errors[2]["detail"].as_str().expect("a detail");
    assert!(
        detail.contains("parameters are operation_id, event, vpc_id") && detail.contains("cursor"),
        "{detail}"
    );
    let answer = harness.consumer.get("/audit-events/checkpoint?seq=1", &[]).await.json();
    let detail = answer["errors"][0]["detail"].as_str().expect("a detail");
    assert!(detail.contains("takes no query parameters"), "{detail}");
}

on_each_api!(
    pages_stay_right_while_changes_come_in,
    filters_narrow_the_lists,
    a_query_that_is_wrong_is_a_400_that_names_every_fault,
);
