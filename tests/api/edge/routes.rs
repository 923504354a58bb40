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

/// `fetch` and some other clients send a method as it was written, except `get`, `head`, `post`, `put`, `delete` and `options`.
async fn a_method_in_small_letters_is_refused_with_the_way_to_write_it(harness: Harness) {
    let route = path("vpnx-branch01");
    for (method, meant) in [("patch", "PATCH"), ("Patch", "PATCH"), ("get", "GET"), ("head", "HEAD")] {
        let answer = harness.consumer.raw(method, &route, "", &[]).await;
        assert_eq!(answer.problem(), (405, "method_not_allowed".into()), "{method}");
        let detail = format!(
            "methods are case-sensitive: write {meant} instead of {method}; allowed here: GET, HEAD, PATCH"
        );
        assert_eq!(answer.json()["detail"], detail);
        assert_eq!(answer.header("allow"), Some("GET, HEAD, PATCH"));
    }
    for method in ["put", "PUT", "BREW", "patch!"] {
        let answer = harness.consumer.raw(method, &route, "", &[]).await;
        assert_eq!(answer.problem(), (405, "method_not_allowed".into()), "{method}");
        assert_eq!(answer.json()["detail"], "allowed here: GET, HEAD, PATCH");
    }
    assert_eq!(harness.modifications().await, 0);
}

on_each_ledger!(
    other_methods_and_paths_are_problems_too,
    a_method_in_small_letters_is_refused_with_the_way_to_write_it,
);
