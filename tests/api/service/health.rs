//! `/livez` and `/readyz`.

use crate::harness::Harness;

async fn the_health_routes_tell_how_it_stands(harness: Harness) {
    let alive = harness.consumer.get("/livez", &[]).await;
    assert_eq!(alive.json()["status"], "alive");
    assert_eq!(alive.header("strict-transport-security"), None, "not over plain HTTP");
    assert_eq!(harness.consumer.get("/readyz", &[]).await.json()["status"], "ready");
}

on_each_ledger!(the_health_routes_tell_how_it_stands,);
