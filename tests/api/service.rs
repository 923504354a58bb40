//! Health, figures, documents, and what is noted of a request.

use crate::field::{Field, path, ranges};
use crate::on_each_ledger;
use crate::support::consumer::Consumer;

async fn the_health_routes_tell_how_it_stands(field: Field) {
    let alive = field.consumer.get("/livez", &[]).await;
    assert_eq!(alive.json()["status"], "alive");
    assert_eq!(alive.header("strict-transport-security"), None, "not over plain HTTP");
    assert_eq!(field.consumer.get("/readyz", &[]).await.json()["status"], "ready");
}

async fn the_figures_count_what_happened(field: Field) {
    field.consumer.patch(&path("vpnx-branch01"), &ranges(), &[("prefer", "wait=30")]).await;
    field.patch("vpnx-credentials", &ranges()).await;
    field.consumer.get("/operations", &[("authorization", "Bearer tg_wrong")]).await;
    let answer = field.consumer.get("/metrics", &[]).await;
    assert!(answer.header("content-type").is_some_and(|kind| kind.contains("openmetrics")));
    let text = answer.body;
    let has = |start: &str| text.lines().any(|line| line.starts_with(start) && !line.ends_with(" 0"));
    for start in [
        "tunnelgate_cloud_calls_total{action=\"ModifyVpnConnEx\",code=\"0\"}",
        "tunnelgate_cloud_calls_total{action=\"ModifyVpnConnEx\",code=\"4102\"}",
        "tunnelgate_ledger_batch_steps_count",
        "tunnelgate_ledger_commit_duration_seconds_count",
    ] {
        assert!(has(start), "no {start}");
    }
    assert!(!text.contains("vpnx-") && !text.contains("vpc-03vihbk9"), "no ids as labels");
    assert!(text.ends_with("# EOF\n"));
}

async fn what_is_known_of_a_request_stands_in_its_events(field: Field) {
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let headers = [
        ("x-request-id", "story-7"),
        ("traceparent", trace),
        ("user-agent", "netops/2"),
        ("prefer", "wait=30"),
    ];
    let answer = field.consumer.patch(&path("vpnx-branch01"), &ranges(), &headers).await.json();
    let id = answer["id"].as_str().expect("an id");
    let events = field.consumer.get(&format!("/audit-events?operation_id={id}"), &[]).await.json();
    let items = events["items"].as_array().expect("items");
    assert_eq!(items.len(), 4);
    for event in items {
        assert_eq!(event["request_id"], "story-7");
        assert_eq!(event["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(
            (event["actor"].as_str(), event["actor_kind"].as_str()),
            (Some("netops-ci"), Some("api_key"))
        );
    }
    let requested = &items[3];
    assert_eq!(
        (requested["user_agent"].as_str(), requested["source_ip"].as_str()),
        (Some("netops/2"), Some("127.0.0.1"))
    );
    assert_eq!(requested["changes"], ranges());
    assert_eq!(items[0]["event"], "verification_confirmed");
    assert_eq!(items[0]["upstream"]["action"], "DescribeVpnConn");
    let submitted = &items[2]["upstream"];
    assert_eq!(
        (submitted["action"].as_str(), submitted["code"].as_str()),
        (Some("ModifyVpnConnEx"), Some("0"))
    );
    assert_eq!(submitted["task_id"], answer["task_id"]);
    assert!(submitted["latency_ms"].is_u64() && submitted["attempts"] == 1);
}

async fn the_document_that_is_served_is_the_one_that_is_checked_in(field: Field) {
    let served = field.consumer.get("/openapi.json", &[]).await.json();
    let file = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/openapi.json"))
        .expect("the file");
    let file: serde_json::Value = serde_json::from_str(&file).expect("JSON");
    assert!(served == file, "they differ: see the test of the checked-in document");
}

async fn the_document_and_its_page_are_fetched_once(field: Field) {
    let stranger = Consumer::new(field.consumer.base.clone(), String::new());
    for (route, media_type) in [
        ("/openapi.json", "application/json"),
        ("/docs/", "text/html"),
        ("/docs/index.html", "text/html"),
        ("/docs/swagger-ui-bundle.js", "text/javascript"),
        ("/docs/swagger-initializer.js", "text/javascript"),
    ] {
        let answer = stranger.get(route, &[]).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(media_type)), "{route}");
        assert_eq!(answer.header("cache-control"), Some("no-cache"), "{route}");
        let tag = answer.header("etag").expect("a tag");
        let again = stranger.get(route, &[("if-none-match", tag)]).await;
        assert_eq!(
            (again.status, again.body.as_str(), again.header("etag")),
            (304, "", Some(tag)),
            "{route}"
        );
        let changed = stranger.get(route, &[("if-none-match", "\"another\"")]).await;
        assert_eq!((changed.status, changed.body), (200, answer.body), "{route}");
    }
    let odd = stranger.get("/openapi.json", &[("if-none-match", "x")]).await;
    assert_eq!(odd.problem(), (400, "invalid_header".into()));
}

async fn the_page_of_the_document_keeps_to_itself(field: Field) {
    for route in ["/docs/", "/docs/swagger-ui.css"] {
        let answer = field.consumer.get(route, &[]).await;
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
        let answer = field.consumer.get(missing, &[]).await;
        assert_eq!(answer.problem(), (404, "no_such_path".into()), "{missing}");
    }
    let post = field.consumer.raw("POST", "/docs/", "", &[]).await;
    assert_eq!(post.problem(), (405, "method_not_allowed".into()));
    assert!(post.header("allow").is_some_and(|allowed| allowed.starts_with("GET")));
}

on_each_ledger!(
    the_health_routes_tell_how_it_stands,
    the_figures_count_what_happened,
    what_is_known_of_a_request_stands_in_its_events,
    the_document_that_is_served_is_the_one_that_is_checked_in,
    the_document_and_its_page_are_fetched_once,
    the_page_of_the_document_keeps_to_itself,
);
