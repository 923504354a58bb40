//! CORS: calls from web pages of other origins.

use super::gateway_with;
use crate::harness::{path, ranges};
use crate::support::consumer::Consumer;

const PAGE: &str = "https://console.example.com";

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_the_named_origins_may_call() {
    let harness =
        gateway_with(|settings| settings.edge.cors_origins = vec![PAGE.parse().expect("an origin")]).await;
    let tunnel = path("vpnx-branch01");
    let asked = [
        ("origin", PAGE),
        ("access-control-request-method", "PATCH"),
        ("access-control-request-headers", "authorization,content-type,idempotency-key,if-match,prefer"),
    ];
    let browser = Consumer::new(harness.consumer.base.clone(), String::new());
    let allowed = browser.raw("OPTIONS", &tunnel, "", &asked).await;
    assert_eq!(allowed.status, 200, "{}", allowed.body);
    assert_eq!(allowed.header("access-control-allow-origin"), Some(PAGE));
    let headers = allowed.header("access-control-allow-headers").expect("headers").to_lowercase();
    for name in asked[2].1.split(',') {
        assert!(headers.contains(name), "{name} in {headers}");
    }
    assert_eq!(allowed.header("access-control-allow-credentials"), None);
    let methods = allowed.header("access-control-allow-methods").expect("methods");
    let mut methods: Vec<&str> = methods.split(',').map(str::trim).collect();
    methods.sort_unstable();
    assert_eq!(methods, ["GET", "HEAD", "PATCH", "POST"], "no call uses another");

    let answer = harness.consumer.patch(&tunnel, &ranges(), &[("origin", PAGE)]).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (202, Some(PAGE)));
    let exposed = answer.header("access-control-expose-headers").expect("headers").to_lowercase();
    for name in ["location", "retry-after", "x-request-id", "ratelimit", "etag"] {
        assert!(exposed.contains(name), "{name} in {exposed}");
    }
    // The page can read an error response too.
    let refused = browser.get("/operations", &[("origin", PAGE)]).await;
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (401, Some(PAGE)));

    for other in ["https://evil.example.com", "https://console.example.com.evil.example", "null"] {
        let answer = harness.consumer.get("/operations", &[("origin", other)]).await;
        assert_eq!(answer.header("access-control-allow-origin"), None, "{other}");
        let asked = [("origin", other), ("access-control-request-method", "PATCH")];
        let answer = browser.raw("OPTIONS", &tunnel, "", &asked).await;
        assert_eq!(answer.header("access-control-allow-origin"), None, "{other}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_preflight_is_a_problem_that_says_why() {
    let harness =
        gateway_with(|settings| settings.edge.cors_origins = vec![PAGE.parse().expect("an origin")]).await;
    let browser = Consumer::new(harness.consumer.base.clone(), String::new());
    for (origin, method, headers, why) in [
        ("https://evil.example.com", "PATCH", "authorization", "origin"),
        (PAGE, "DELETE", "authorization", "GET, HEAD, PATCH and POST"),
        (PAGE, "PATCH", "x-evil", "idempotency-key"),
    ] {
        let asked = [
            ("origin", origin),
            ("access-control-request-method", method),
            ("access-control-request-headers", headers),
        ];
        let answer = browser.raw("OPTIONS", &path("vpnx-branch01"), "", &asked).await;
        assert_eq!(answer.problem(), (400, "cors_refused".into()), "{method} {headers}");
        assert!(
            answer.json()["detail"].as_str().is_some_and(|detail| detail.contains(why)),
            "{}",
            answer.body
        );
        let vary = answer.header("vary").expect("Vary").to_lowercase();
        assert!(vary.contains("origin") && vary.contains("access-control-request-method"), "{vary}");
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
}

/// A cache that reads only the first `Vary` line must not miss any name.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_answer_depends_on_stands_in_one_line() {
    let harness =
        gateway_with(|settings| settings.edge.cors_origins = vec![PAGE.parse().expect("an origin")]).await;
    for encoding in ["identity", "gzip"] {
        let headers = [("origin", PAGE), ("accept-encoding", encoding)];
        let answer = harness.consumer.get("/problems", &headers).await;
        let lines: Vec<_> = answer.headers.get_all("vary").iter().collect();
        assert_eq!(lines.len(), 1, "{lines:?}");
        let vary = answer.header("vary").expect("Vary").to_lowercase();
        let names: Vec<&str> = vary.split(',').map(str::trim).collect();
        for name in ["accept", "accept-encoding", "origin"] {
            assert_eq!(names.iter().filter(|found| **found == name).count(), 1, "{name} in {vary}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_origins_no_page_may_call() {
    let harness = gateway_with(|_| {}).await;
    let asked = [("origin", PAGE), ("access-control-request-method", "PATCH")];
    let answer = harness.consumer.raw("OPTIONS", &path("vpnx-branch01"), "", &asked).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (405, None));
    let answer = harness.consumer.get("/operations", &[("origin", PAGE)]).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, None));
}
