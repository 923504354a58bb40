//! Addresses in answers, with and without a public URL.

use serde_json::{Value, json};

use super::gateway_with;
use crate::harness::{Harness, path, ranges};
use crate::support::consumer::Answer;

const PUBLIC: &str = "https://net.example.com/tunnelgate";

async fn behind(public: &str) -> Harness {
    gateway_with(|settings| settings.edge.public_url = Some(public.parse().expect("a URL"))).await
}

/// `Location` of a change, `Link` of a list, the address of an error's type, and `peer_config` of the operation, in an answer and at
/// the end of its stream.
async fn addresses(harness: &Harness) -> [String; 5] {
    let consumer = &harness.consumer;
    let of = |answer: &Answer, name: &str| answer.header(name).map(str::to_owned);
    let changed = consumer.patch(&path("vpnx-branch01"), &ranges(), &[]).await;
    let id = changed.json()["id"].as_str().expect("an id").to_owned();
    let location = of(&changed, "location").expect("Location").replace(&id, "ID");
    let operation = consumer.ended(&id).await;
    let stream = consumer.get(&format!("/operations/{id}/stream"), &[]).await.body;
    let end: Value = stream
        .trim_end()
        .rsplit("data: ")
        .next()
        .and_then(|end| serde_json::from_str(end).ok())
        .expect("JSON");
    let peer_config = |operation: &Value| operation["peer_config"].as_str().expect("an address").to_owned();
    let page = consumer.get("/audit-events?limit=1&event=submitted&event=x", &[]).await;
    let kind = page.json()["type"].as_str().expect("a type").to_owned();
    let page = consumer.get("/audit-events?limit=1", &[]).await;
    let link = of(&page, "link").expect("Link");
    let (link, _) = link.split_once("cursor=").expect("a cursor");
    [location, link.to_owned(), kind, peer_config(&operation), peer_config(&end)]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_address_of_an_answer_is_below_the_public_url() {
    let paths = addresses(&gateway_with(|_| {}).await).await;
    let peer_config = format!("{}/peer-config", path("vpnx-branch01"));
    let expected =
        ["/operations/ID", "</audit-events?limit=1&", "/problems/invalid-query", &peer_config, &peer_config];
    assert_eq!(paths, expected);
    for public in [PUBLIC, "http://127.0.0.1:8443/"] {
        let harness = behind(public).await;
        let base = public.trim_end_matches('/');
        let expected = [
            format!("{base}/operations/ID"),
            format!("<{base}/audit-events?limit=1&"),
            format!("{base}/problems/invalid-query"),
            format!("{base}{peer_config}"),
            format!("{base}{peer_config}"),
        ];
        assert_eq!(addresses(&harness).await, expected);
        // A list of problem types and each of them name the same address as an error.
        for path in ["/problems", "/problems/invalid-query"] {
            let answer = harness.consumer.get(path, &[]).await;
            assert!(answer.body.contains(&format!("\"{}\"", expected[2])), "{}", answer.body);
        }
        let refused = harness.consumer.get("/nowhere", &[]).await.json();
        assert_eq!(refused["type"], format!("{base}/problems/no-such-path"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_names_the_public_url_and_its_problem_types_below_it() {
    let plain = gateway_with(|_| {}).await.consumer.get("/openapi.json", &[]).await;
    let located = behind(PUBLIC).await.consumer.get("/openapi.json", &[]).await;
    assert_ne!(plain.header("etag"), located.header("etag"));
    let paths = located.body.replace(&format!("\"{PUBLIC}/problems/"), "\"/problems/");
    let (plain, mut located): (Value, Value) = (plain.json(), serde_json::from_str(&paths).expect("JSON"));
    assert_eq!(plain.get("servers"), None);
    let servers = located.as_object_mut().expect("an object").remove("servers");
    assert_eq!(servers, Some(json!([{"url": PUBLIC}])));
    assert!(plain == located, "nothing else changes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_may_pass_the_path_on() {
    let harness = behind(PUBLIC).await;
    let consumer = &harness.consumer;
    let changed = consumer.patch(&format!("/tunnelgate{}", path("vpnx-branch01")), &ranges(), &[]).await;
    assert_eq!(changed.status, 202, "{}", changed.body);
    let location = changed.header("location").expect("Location").to_owned();
    let location = location.strip_prefix("https://net.example.com").expect("the public URL");
    assert_eq!(consumer.get(location, &[]).await.status, 200);
    let page = consumer.get("/tunnelgate/audit-events?limit=1", &[]).await;
    let link = page.header("link").expect("Link");
    assert!(link.starts_with(&format!("<{PUBLIC}/audit-events?limit=1&cursor=")), "{link}");
    for (path, kind) in [("/tunnelgate/", "text/html"), ("/tunnelgate/console/main.js", "text/javascript")] {
        let answer = consumer.get(path, &[]).await;
        assert!(answer.status == 200 && answer.header("content-type").is_some_and(|it| it.starts_with(kind)));
    }
    // A proxy that strips the path and denies one of these must not be passed by writing the path twice.
    for path in ["livez", "readyz", "metrics"] {
        assert_eq!(consumer.get(&format!("/{path}"), &[]).await.status, 200, "{path}");
        assert_eq!(consumer.get(&format!("/tunnelgate/{path}"), &[]).await.status, 404, "{path}");
        assert_eq!(consumer.get(&format!("/tunnelgate/tunnelgate/{path}"), &[]).await.status, 404, "{path}");
    }
    for path in ["/tunnelgate-2/operations", "/tunnelgate/nowhere", "/other/operations"] {
        let answer = consumer.get(path, &[]).await;
        assert_eq!((answer.status, answer.json()["code"].clone()), (404, Value::from("no_such_path")));
    }
    // The metrics know the route, whatever its form.
    let metrics = consumer.get("/metrics", &[]).await.body;
    assert!(metrics.contains("route=\"/audit-events\"") && !metrics.contains("tunnelgate/audit-events"));
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_lead_to_the_last_slash() {
    let harness = behind(PUBLIC).await;
    let consumer = &harness.consumer;
    let own = consumer.redirect("/tunnelgate").await;
    assert_eq!(own, (308, format!("{PUBLIC}/")));
    for path in ["/docs", "/tunnelgate/docs"] {
        assert_eq!(consumer.redirect(path).await, (308, "docs/".to_owned()));
        assert_eq!(consumer.get(path, &[]).await.status, 200, "the redirect leads to a page");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_the_own_origin_may_call_whatever_other_origins_may() {
    let harness = gateway_with(|settings| {
        settings.edge.public_url = Some(PUBLIC.parse().expect("a URL"));
        settings.edge.cors_origins = vec!["https://console.example.com".parse().expect("an origin")];
    })
    .await;
    let own = [("origin", "https://net.example.com"), ("sec-fetch-site", "same-origin")];
    let changed = harness.consumer.patch(&path("vpnx-branch01"), &ranges(), &own).await;
    assert_eq!(changed.status, 202, "{}", changed.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn https_is_demanded_for_a_host_of_its_own_only() {
    for (public, expected) in [
        ("https://net.example.com", Some("max-age=31536000")),
        (PUBLIC, None),
        ("http://net.example.com", None),
    ] {
        let answer = behind(public).await.consumer.get("/livez", &[]).await;
        assert_eq!(answer.header("strict-transport-security"), expected, "{public}");
    }
}
