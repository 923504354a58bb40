//! `Prefer: wait=N`.

use crate::harness::{Harness, path, ranges};

async fn a_patch_that_waits_answers_with_the_finished_operation(harness: Harness) {
    let answer = harness.consumer.patch(&path("vpnx-branch01"), &ranges(), &[("prefer", "wait=30")]).await;
    assert_eq!((answer.status, answer.header("preference-applied")), (200, Some("wait=30")));
    let operation = answer.json();
    assert_eq!(operation["status"], "succeeded");
    assert_eq!(operation["verification"]["result"], "confirmed");
    assert_eq!(
        answer.header("location"),
        Some(format!("/operations/{}", operation["id"].as_str().expect("an id")).as_str())
    );
}

async fn a_wait_that_is_over_answers_202(harness: Harness) {
    let answer = harness
        .consumer
        .patch(&path("vpnx-task-never-ends"), &ranges(), &[("prefer", "respond-async, wait=1")])
        .await;
    assert_eq!((answer.status, answer.header("preference-applied")), (202, Some("wait=1")));
    assert_eq!(answer.json()["status"], "running");
    let id = answer.json()["id"].as_str().expect("an id").to_owned();
    let answer = harness.consumer.get(&format!("/operations/{id}"), &[("prefer", "wait=1")]).await;
    assert_eq!((answer.status, answer.header("preference-applied")), (200, Some("wait=1")));
    assert_eq!(answer.json()["status"], "running");
    let unread = harness.consumer.get(&format!("/operations/{id}"), &[("prefer", "wait=soon")]).await;
    assert_eq!((unread.status, unread.header("preference-applied")), (200, None));
}

async fn a_long_wait_is_cut_to_the_limit(harness: Harness) {
    let answer =
        harness.consumer.patch(&path("vpnx-branch01"), &ranges(), &[("prefer", "wait=999999")]).await;
    assert_eq!((answer.status, answer.header("preference-applied")), (200, Some("wait=55")));
}

on_each_api!(
    a_patch_that_waits_answers_with_the_finished_operation,
    a_wait_that_is_over_answers_202,
    a_long_wait_is_cut_to_the_limit,
);
