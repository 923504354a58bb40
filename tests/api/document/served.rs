//! The OpenAPI document and its page, as served.

use crate::harness::Harness;
use crate::support::consumer::Consumer;

async fn the_document_that_is_served_is_the_one_that_is_checked_in(harness: Harness) {
    let served = harness.consumer.get("/openapi.json", &[]).await.json();
    let file = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/openapi.json"))
        .expect("the file");
    let file: serde_json::Value = serde_json::from_str(&file).expect("JSON");
    assert!(served == file, "they differ: see the test of the checked-in document");
}

async fn the_document_and_its_page_are_fetched_once(harness: Harness) {
    let anonymous = Consumer::new(harness.consumer.base.clone(), String::new());
    for (route, media_type) in [
        ("/openapi.json", "application/json"),
        ("/docs/", "text/html"),
        ("/docs/index.html", "text/html"),
        ("/docs/swagger-ui-bundle.js", "text/javascript"),
        ("/docs/swagger-initializer.js", "text/javascript"),
    ] {
        let answer = anonymous.get(route, &[]).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(media_type)), "{route}");
        assert_eq!(answer.header("cache-control"), Some("no-cache"), "{route}");
        let tag = answer.header("etag").expect("a tag");
        let again = anonymous.get(route, &[("if-none-match", tag)]).await;
        assert_eq!(
            (again.status, again.body.as_str(), again.header("etag")),
            (304, "", Some(tag)),
            "{route}"
        );
        let changed = anonymous.get(route, &[("if-none-match", "\"another\"")]).await;
        assert_eq!((changed.status, changed.body), (200, answer.body), "{route}");
    }
    let odd = anonymous.get("/openapi.json", &[("if-none-match", "x")]).await;
    assert_eq!(odd.problem(), (400, "invalid_header".into()));
}

async fn the_page_of_the_document_keeps_to_itself(harness: Harness) {
    for route in ["/docs/", "/docs/swagger-ui.css"] {
        let answer = harness.consumer.get(route, &[]).await;
        let policy = answer.header("content-security-policy").expect("a policy");
        assert!(
            policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert_eq!(answer.header("cross-origin-opener-policy"), Some("same-origin"));
        assert_eq!(answer.header("cross-origin-resource-policy"), Some("same-origin"));
    }
    for missing in ["/docs/nothing.js", "/docs/..%2fmod.rs", "/docs//"] {
        let answer = harness.consumer.get(missing, &[]).await;
        assert_eq!(answer.problem(), (404, "no_such_path".into()), "{missing}");
    }
    let post = harness.consumer.raw("POST", "/docs/", "", &[]).await;
    assert_eq!(post.problem(), (405, "method_not_allowed".into()));
    assert!(post.header("allow").is_some_and(|allowed| allowed.starts_with("GET")));
}

on_each_ledger!(
    the_document_that_is_served_is_the_one_that_is_checked_in,
    the_document_and_its_page_are_fetched_once,
    the_page_of_the_document_keeps_to_itself,
);
