//! `GET /operations`: pages and filters.

use serde_json::json;

use crate::harness::Harness;
use crate::lists::{count, fill, ids, is_refused, pages_stay_right};

async fn pages_follow_each_other(harness: Harness) {
    let expected = fill(&harness).await;
    let mut seen = Vec::new();
    let mut next = "/operations?limit=2".to_owned();
    loop {
        let answer = harness.consumer.get(&next, &[]).await;
        seen.extend(ids(&answer.json()));
        let Some(route) = answer.next_page() else { break };
        next = route;
    }
    assert_eq!(seen, expected);
}

async fn pages_stay_right_while_changes_come_in(harness: Harness) {
    pages_stay_right(&harness, "/operations").await;
}

async fn filters_narrow_the_lists(harness: Harness) {
    fill(&harness).await;
    for (query, expected) in [
        ("status=rejected", 1),
        ("status=succeeded&requested_by=netops-ci", 4),
        ("requested_by=nobody", 0),
        ("account=default", 5),
        ("account=other&status=succeeded", 0),
        ("tunnel_id=vpnx-load-1&vpc_id=vpc-03vihbk9", 1),
        ("created_before=2020-01-01T00:00:00Z", 0),
        ("created_after=2020-01-01T00:00:00%2B02:00", 5),
    ] {
        assert_eq!(count(&harness, &format!("/operations?{query}")).await, expected, "{query}");
    }
}

async fn a_query_that_is_wrong_is_a_400_that_names_every_fault(harness: Harness) {
    for (query, pointers) in [
        ("limit=0&status=odd&colour=red", &["query:limit", "query:status", "query:colour"][..]),
        ("limit=201", &["query:limit"]),
        ("request_id=mine-1", &["query:request_id"]),
        ("status=failed&status=failed", &["query:status"]),
    ] {
        is_refused(&harness, &format!("/operations?{query}"), pointers).await;
    }
    for filter in ["vpc_id", "tunnel_id", "requested_by", "account"] {
        is_refused(&harness, &format!("/operations?{filter}=a%00b"), &[&format!("query:{filter}")]).await;
    }
    let answer = harness.consumer.get("/operations?cursor=abc", &[]).await;
    assert_eq!(answer.problem(), (400, "invalid_cursor".into()));
    let fault = answer.json()["errors"][0].clone();
    assert_eq!((&fault["pointer"], &fault["code"]), (&json!("query:cursor"), &json!("invalid_cursor")));
}

on_each_api!(
    pages_follow_each_other,
    pages_stay_right_while_changes_come_in,
    filters_narrow_the_lists,
    a_query_that_is_wrong_is_a_400_that_names_every_fault,
);
