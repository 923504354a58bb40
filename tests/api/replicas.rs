//! Several gateways on one PostgreSQL.

use std::collections::HashSet;

use crate::field::{Field, path, ranges};
use crate::support::Store;

#[tokio::test(flavor = "multi_thread")]
async fn one_change_at_a_time_on_one_tunnel_across_replicas() {
    let field = Field::new(Store::postgres().await).await;
    let (_other, there) = field.replica().await;
    let first = field.patch("vpnx-slow-task", &ranges()).await;
    assert_eq!(first.status, 202);
    let second = there.patch(&path("vpnx-slow-task"), &ranges(), &[]).await;
    assert_eq!(second.problem(), (409, "operation_in_progress".into()));
    assert_eq!(second.json()["operation_id"], first.json()["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_on_one_replica_sees_what_another_finished() {
    let field = Field::new(Store::postgres().await).await;
    let (_other, there) = field.replica().await;
    let operation = field.patch("vpnx-branch01", &ranges()).await.json();
    let id = operation["id"].as_str().expect("an id");
    let seen = there.get(&format!("/operations/{id}"), &[("prefer", "wait=30")]).await.json();
    assert_eq!(seen["status"], "succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_replica_leaves_behind_another_finishes() {
    let field = Field::new(Store::postgres().await).await;
    let (_other, there) = field.replica().await;
    let operation = field.patch("vpnx-slow-task", &ranges()).await.json();
    field.stop();
    let ended = there.ended(operation["id"].as_str().expect("an id")).await;
    assert_eq!(ended["status"], "succeeded");
    assert_eq!(field.received("vpnx-slow-task").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_copies_on_two_replicas_are_one_operation_and_one_call() {
    let field = Field::new(Store::postgres().await).await;
    let (_other, there) = field.replica().await;
    let (tunnel, patch, key) = (path("vpnx-branch01"), ranges(), [("idempotency-key", "one")]);
    let copies = (0..50).map(|number| {
        let consumer = if number % 2 == 0 { &field.consumer } else { &there };
        consumer.patch(&tunnel, &patch, &key)
    });
    let answers = futures_util::future::join_all(copies).await;
    let mut operations = HashSet::new();
    for answer in &answers {
        let body = answer.json();
        let id = match answer.status {
            200 | 202 => &body["id"],
            409 => {
                assert_eq!(body["code"], "idempotency_key_in_flight");
                &body["operation_id"]
            }
            other => panic!("{other}: {body}"),
        };
        operations.insert(id.as_str().expect("an id").to_owned());
    }
    assert_eq!(operations.len(), 1);
    let fresh = answers
        .iter()
        .filter(|answer| answer.status == 202 && answer.header("idempotent-replayed").is_none());
    assert_eq!(fresh.count(), 1);
    assert_eq!(field.received("vpnx-branch01").len(), 1);
}
