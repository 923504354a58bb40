//! Unknown paths and methods.

use crate::harness::{Harness, path};

async fn other_methods_and_paths_are_problems_too(harness: Harness) {
    let put = harness
        .consumer
        .raw("PUT", &path("vpnx-branch01"), "{}", &[("content-type", "application/merge-patch+json")])
        .await;
    assert_eq!(put.problem(), (405, "method_not_allowed".into()));
    assert_eq!(put.header("allow"), Some("GET, HEAD, PATCH"));
    let nowhere = harness.consumer.get("/nowhere", &[]).await;
    assert_eq!(nowhere.problem(), (404, "no_such_path".into()));
}

on_each_ledger!(other_methods_and_paths_are_problems_too,);
