//! One event, and the newest one.

use serde_json::json;

use crate::harness::Harness;
use crate::lists::fill;

async fn one_event_and_the_newest_one_can_be_read(harness: Harness) {
    fill(&harness).await;
    let newest = harness.consumer.get("/audit-events?limit=1", &[]).await.json()["items"][0].clone();
    let checkpoint = harness.consumer.get("/audit-events/checkpoint", &[]).await.json();
    assert_eq!(
        checkpoint,
        json!({"seq": newest["seq"], "hash": newest["hash"], "at": newest["occurred_at"]})
    );
    let one = harness.consumer.get(&format!("/audit-events/{}", newest["seq"]), &[]).await.json();
    assert_eq!(one, newest);
    for missing in ["999999", "x", "-1"] {
        assert_eq!(harness.consumer.get(&format!("/audit-events/{missing}"), &[]).await.status, 404);
    }
}

on_each_api!(one_event_and_the_newest_one_can_be_read,);
