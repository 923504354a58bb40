//! What stands between the callers and the routes: limits, proxies, pages of other hosts, packed answers.

use std::io::Read;
use std::num::NonZeroU32;
use std::time::Duration;

use tunnelgate::config::Settings;
use tunnelgate::domain::principal::Scope;
use tunnelgate::http::edge::limit::Quota;

use crate::field::{Field, path, ranges};
use crate::support::Store;
use crate::support::consumer::{Consumer, plain_client};

async fn field(change: impl FnOnce(&mut Settings)) -> Field {
    Field::with(Store::sqlite(), change).await
}

fn hourly(count: u32) -> Option<Quota> {
    Some(Quota { count: NonZeroU32::new(count).expect("some"), window: Duration::from_secs(3600) })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_principal_that_asks_too_often_is_told_when_again() {
    let field = field(|settings| settings.edge.rate_limit = hourly(3)).await;
    for (left, reset) in [(2, 1200), (1, 2400), (0, 3600)] {
        let answer = field.consumer.get("/operations", &[]).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("ratelimit-policy"), Some("\"default\";q=3;w=3600"));
        let header = answer.header("ratelimit").expect("RateLimit").to_owned();
        let (start, seconds) = header.rsplit_once('=').expect("parameters");
        assert_eq!(start, format!("\"default\";r={left};t"));
        let seconds: i32 = seconds.parse().expect("seconds");
        assert!((reset - 60..=reset).contains(&seconds), "{header}");
    }
    let refused = field.patch("vpnx-branch01", &ranges()).await;
    assert_eq!(refused.problem(), (429, "rate_limited".into()));
    let seconds: i32 = refused.header("retry-after").expect("Retry-After").parse().expect("seconds");
    assert!((1100..=1200).contains(&seconds), "{seconds}");
    assert!(refused.header("ratelimit").is_some_and(|value| value.starts_with("\"default\";r=0;")));
    assert!(field.simulator.journal().is_empty(), "nothing was sent");

    let other = field.somebody("other", &[(Scope::TunnelsRead, &[])]).await;
    assert_eq!(other.get("/operations", &[]).await.status, 200, "each has a limit of its own");
    for route in ["/livez", "/readyz", "/metrics", "/openapi.json"] {
        let answer = field.consumer.get(route, &[]).await;
        assert_eq!((answer.status, answer.header("ratelimit")), (200, None), "{route}");
    }
    let figures = field.consumer.get("/metrics", &[]).await.body;
    assert!(figures.contains("tunnelgate_auth_refusals_total{reason=\"rate_limited\"} 1"), "{figures}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_limit_there_is_none() {
    let field = field(|_| {}).await;
    let answer = field.consumer.get("/operations", &[]).await;
    assert_eq!((answer.header("ratelimit"), answer.header("ratelimit-policy")), (None, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_can_not_be_guessed_at_speed() {
    let field = field(|settings| {
        settings.edge.sign_in_limit = hourly(3);
        settings.edge.trusted_proxies = vec!["127.0.0.1/32".parse().expect("a network")];
    })
    .await;
    assert_eq!(field.consumer.get("/operations", &[]).await.status, 200);
    let late = field.somebody("late", &[(Scope::TunnelsRead, &[])]).await;
    let guesser = Consumer::new(field.consumer.base.clone(), "tg_0123".into());
    for _ in 0..3 {
        assert_eq!(guesser.get("/operations", &[]).await.problem(), (401, "unauthorized".into()));
    }
    let refused = guesser.get("/operations", &[]).await;
    assert_eq!(refused.problem(), (429, "sign_in_limited".into()));
    assert!(refused.header("retry-after").is_some());
    assert_eq!(refused.header("ratelimit-policy"), Some("\"sign-in\";q=3;w=3600"));

    // From the same address a right guess looks like a wrong one; a token that was good before goes on.
    assert_eq!(late.get("/operations", &[]).await.problem(), (429, "sign_in_limited".into()));
    assert_eq!(field.consumer.get("/operations", &[]).await.status, 200);
    // From elsewhere, by the word of the proxy, it is let in.
    let elsewhere = late.get("/operations", &[("x-forwarded-for", "198.51.100.7")]).await;
    assert_eq!(elsewhere.status, 200);
    // Who brings no token guesses nothing.
    let stranger = Consumer::new(field.consumer.base.clone(), String::new());
    assert_eq!(stranger.get("/operations", &[]).await.problem(), (401, "unauthorized".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_holds_the_address_that_a_trusted_proxy_names() {
    for (trusted, expected) in [("127.0.0.0/8", "2001:db8:9::1"), ("192.0.2.0/24", "127.0.0.1")] {
        let field =
            field(|settings| settings.edge.trusted_proxies = vec![trusted.parse().expect("a network")]).await;
        let claim = [("x-forwarded-for", "192.0.2.66, [2001:db8:9::1]:4711, 127.0.0.1")];
        assert_eq!(field.consumer.patch(&path("vpnx-branch01"), &ranges(), &claim).await.status, 202);
        let events = field.consumer.get("/audit-events?event=requested", &[]).await.json();
        assert_eq!(events["items"][0]["source_ip"], expected, "trusted: {trusted}");
    }
}

const PAGE: &str = "https://console.example.com";

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_the_named_origins_may_call() {
    let field = field(|settings| settings.edge.cors_origins = vec![PAGE.parse().expect("an origin")]).await;
    let tunnel = path("vpnx-branch01");
    let asked = [
        ("origin", PAGE),
        ("access-control-request-method", "PATCH"),
        ("access-control-request-headers", "authorization,content-type,idempotency-key,if-match,prefer"),
    ];
    let browser = Consumer::new(field.consumer.base.clone(), String::new());
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
    assert_eq!(methods, ["GET", "HEAD", "PATCH"], "no call uses another");

    let answer = field.consumer.patch(&tunnel, &ranges(), &[("origin", PAGE)]).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (202, Some(PAGE)));
    let exposed = answer.header("access-control-expose-headers").expect("headers").to_lowercase();
    for name in ["location", "retry-after", "x-request-id", "ratelimit", "etag"] {
        assert!(exposed.contains(name), "{name} in {exposed}");
    }
    // A refusal can be read by the page too.
    let refused = browser.get("/operations", &[("origin", PAGE)]).await;
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (401, Some(PAGE)));

    for other in ["https://evil.example.com", "https://console.example.com.evil.example", "null"] {
        let answer = field.consumer.get("/operations", &[("origin", other)]).await;
        assert_eq!(answer.header("access-control-allow-origin"), None, "{other}");
        let asked = [("origin", other), ("access-control-request-method", "PATCH")];
        let answer = browser.raw("OPTIONS", &tunnel, "", &asked).await;
        assert_eq!(answer.header("access-control-allow-origin"), None, "{other}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_preflight_is_a_problem_that_says_why() {
    let field = field(|settings| settings.edge.cors_origins = vec![PAGE.parse().expect("an origin")]).await;
    let browser = Consumer::new(field.consumer.base.clone(), String::new());
    for (origin, method, headers, why) in [
        ("https://evil.example.com", "PATCH", "authorization", "origin"),
        (PAGE, "POST", "authorization", "GET, HEAD and PATCH"),
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

/// All of it in one line: a cache, or a middleware, that reads only the first must not miss the rest.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_answer_depends_on_stands_in_one_line() {
    let field = field(|settings| settings.edge.cors_origins = vec![PAGE.parse().expect("an origin")]).await;
    for encoding in ["identity", "gzip"] {
        let headers = [("origin", PAGE), ("accept-encoding", encoding)];
        let answer = field.consumer.get("/problems", &headers).await;
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
    let field = field(|_| {}).await;
    let asked = [("origin", PAGE), ("access-control-request-method", "PATCH")];
    let answer = field.consumer.raw("OPTIONS", &path("vpnx-branch01"), "", &asked).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (405, None));
    let answer = field.consumer.get("/operations", &[("origin", PAGE)]).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, None));
}

/// The body as it came, unpacked if it was packed.
async fn fetched(field: &Field, path: &str, headers: &[(&str, &str)]) -> (bool, Option<String>, String) {
    let mut request =
        plain_client().get(format!("{}{path}", field.consumer.base)).bearer_auth(&field.consumer.token);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.expect("an answer");
    let is_packed = response.headers().get("content-encoding").is_some_and(|value| value == "gzip");
    assert_eq!(response.headers().contains_key("content-encoding"), is_packed);
    let vary = response.headers().get("vary").map(|value| value.to_str().expect("text").to_lowercase());
    let bytes = response.bytes().await.expect("a body");
    let mut text = String::new();
    if is_packed {
        flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text).expect("gzip");
    } else {
        text = String::from_utf8(bytes.to_vec()).expect("text");
    }
    (is_packed, vary, text)
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_packed_when_asked_for() {
    let field = field(|_| {}).await;
    for tunnel in ["vpnx-branch01", "vpnx-ol6bcqp0"] {
        field.consumer.patch(&path(tunnel), &ranges(), &[("prefer", "wait=30")]).await;
    }
    let gzip = ("accept-encoding", "gzip, deflate, br");
    for (path, accept) in [
        ("/openapi.json", "*/*"),
        ("/audit-events", "application/json"),
        ("/audit-events", "application/x-ndjson"),
        ("/audit-events", "text/csv"),
    ] {
        let (is_packed, vary, plain) = fetched(&field, path, &[("accept", accept)]).await;
        assert!(!is_packed && !plain.is_empty(), "{path} {accept}");
        assert!(vary.is_some_and(|vary| vary.contains("accept-encoding")), "{path} {accept}");
        let (is_packed, vary, unpacked) = fetched(&field, path, &[("accept", accept), gzip]).await;
        assert!(is_packed, "{path} {accept}");
        assert!(vary.is_some_and(|vary| vary.contains("accept-encoding")), "{path} {accept}");
        assert!(unpacked == plain, "{path} {accept}");
    }
    for refused in ["gzip;q=0", "br", "identity", "gzip;q=0.1, identity"] {
        let (is_packed, ..) = fetched(&field, "/openapi.json", &[("accept-encoding", refused)]).await;
        assert!(!is_packed, "{refused}");
    }
    let (is_packed, _, text) = fetched(&field, "/livez", &[gzip]).await;
    assert!(!is_packed, "not worth it: {text}");
}
