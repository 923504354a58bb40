//! The service behaves as its OpenAPI document describes: every call, every audited change, every type of problem.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;
use tunnelgate::domain::operation::ErrorCode;
use tunnelgate::domain::principal::Scope;

use super::schema::fits;
use crate::harness::{Harness, path, ranges};
use crate::support::consumer::{Answer, Consumer};

const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

async fn document(harness: &Harness) -> Value {
    harness.consumer.get("/openapi.json", &[]).await.json()
}

/// The calls of a path, by method.
fn calls(item: &Value) -> BTreeMap<String, Value> {
    let calls = item.as_object().expect("a path's calls").iter();
    calls.map(|(method, call)| (method.to_uppercase(), call.clone())).collect()
}

/// The path with the examples of its parameters and required query parameters; a parameter without an example becomes this
/// operation's id.
fn filled(path: &str, call: &Value, operation: &str) -> String {
    let parameters = call["parameters"].as_array().expect("parameters").iter();
    let required = parameters.filter(|parameter| parameter["required"] == true);
    required.fold(path.to_owned(), |path, parameter| {
        let name = parameter["name"].as_str().expect("a name");
        let example = match &parameter["example"] {
            Value::String(text) => text.clone(),
            Value::Null => operation.to_owned(),
            other => other.to_string(),
        };
        match parameter["in"].as_str() {
            Some("query") => format!("{path}{}{name}={example}", if path.contains('?') { '&' } else { '?' }),
            _ => path.replace(&format!("{{{name}}}"), &example),
        }
    })
}

/// Makes a call with the document's example as body.
async fn made(harness: &Harness, method: &str, path: &str, call: &Value, id: &str) -> Answer {
    let mut headers = vec![("x-request-id", id)];
    let content = call["requestBody"]["content"].as_object().and_then(|content| content.iter().next());
    let body = content.map(|(media, content)| {
        headers.push(("content-type", media));
        content["example"].to_string()
    });
    let body = body.unwrap_or_default();
    if (method, path) == ("GET", "/audit-events/stream") {
        // This stream lasts as long as its caller's key.
        let grants: [(Scope, &[&str]); 1] = [(Scope::AuditRead, &[])];
        let caller = harness.consumer_until("short-lived", &grants, Some(Duration::from_secs(3))).await;
        return caller.raw(method, path, &body, &headers).await;
    }
    harness.consumer.raw(method, path, &body, &headers).await
}

/// The headers of a response that the document must describe.
fn headers_of_note(answer: &Answer) -> Vec<&'static str> {
    let mut names =
        vec!["Allow", "ETag", "Link", "Location", "Preference-Applied", "Retry-After", "X-Request-Id"];
    names.retain(|name| answer.header(name).is_some());
    if answer.header("cache-control") != Some("no-store") {
        names.push("Cache-Control");
    }
    let vary = answer.header("vary").unwrap_or_default();
    if vary.split(',').any(|name| name.trim() == "accept") {
        names.push("Vary");
    }
    names
}

async fn every_described_call_answers_as_described_and_no_other_method_does(harness: Harness) {
    let first =
        harness.consumer.patch(&path("vpnx-branch01"), &ranges(), &[("prefer", "wait=30")]).await.json();
    let operation = first["id"].as_str().expect("an id");
    let document = document(&harness).await;
    for (path, item) in document["paths"].as_object().expect("paths") {
        let calls = calls(item);
        let any = calls.values().next().expect("a call");
        let route = filled(path, any, operation);
        for method in METHODS {
            // Every GET route also answers HEAD; the description of GET covers both.
            let described = calls.get(if method == "HEAD" { "GET" } else { method });
            let (call, answer) = match described {
                Some(call) => (call, made(&harness, method, &route, call, "walk").await),
                None => {
                    let answer = harness.consumer.raw(method, &route, "", &[]).await;
                    assert_eq!(answer.status, 405, "{method} {path}");
                    if method != "HEAD" {
                        assert_eq!(answer.problem().1, "method_not_allowed", "{method} {path}");
                    }
                    let allowed = answer.header("allow").expect("Allow").split(", ");
                    let mut known: BTreeSet<&str> = calls.keys().map(String::as_str).collect();
                    if known.contains("GET") {
                        known.insert("HEAD");
                    }
                    assert_eq!(allowed.collect::<BTreeSet<_>>(), known, "{path}");
                    (any, answer)
                }
            };
            let described = &call["responses"][answer.status.to_string()];
            assert!(described.is_object(), "{method} {path} answers {}: {}", answer.status, answer.body);
            let media = answer.header("content-type").unwrap_or_default().split(';').next();
            let content = &described["content"][media.unwrap_or_default()];
            assert!(content.is_object(), "{method} {path} {} answers {media:?}", answer.status);
            for name in headers_of_note(&answer) {
                assert!(described["headers"][name].is_object(), "{method} {path} {}: {name}", answer.status);
            }
            if method == "HEAD" {
                assert_eq!(answer.body, "", "{path}");
            } else if answer.status == 405 {
                assert!(content["examples"]["method_not_allowed"].is_object(), "{path}");
            } else {
                assert!((200..300).contains(&answer.status), "{method} {path}: {}", answer.body);
                if media == Some("application/json") {
                    let fit = fits(&document, &content["schema"], &answer.json(), "");
                    assert_eq!(fit, Ok(()), "{method} {path}");
                }
            }
        }
    }
}

async fn every_example_fits_its_schema(harness: Harness) {
    let document = document(&harness).await;
    let mut seen = 0;
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, call) in calls(item) {
            let answers = call["responses"].as_object().expect("responses").values();
            let contents =
                answers.chain([&call["requestBody"]]).filter_map(|body| body["content"].as_object());
            for (media, content) in contents.flatten() {
                let named =
                    content["examples"].as_object().into_iter().flatten().map(|(_, named)| &named["value"]);
                for example in named.chain(content.get("example")) {
                    seen += 1;
                    let fit = fits(&document, &content["schema"], example, "");
                    assert_eq!(fit, Ok(()), "{method} {path} {media}");
                }
            }
        }
    }
    assert!(seen > 100, "{seen}");
}

async fn every_changing_call_is_audited(harness: Harness) {
    let first =
        harness.consumer.patch(&path("vpnx-branch01"), &ranges(), &[("prefer", "wait=30")]).await.json();
    let operation = first["id"].as_str().expect("an id");
    let mut changing = 0;
    for (path, item) in document(&harness).await["paths"].as_object().expect("paths") {
        for (method, call) in calls(item).iter().filter(|(method, _)| *method != "GET") {
            changing += 1;
            let id = format!("audited-{changing}");
            let answer = made(&harness, method, &filled(path, call, operation), call, &id).await;
            assert!((200..300).contains(&answer.status), "{method} {path}: {}", answer.body);
            let events = harness.consumer.get("/audit-events", &[]).await.json();
            let events = events["items"].as_array().expect("items");
            let is_it = |event: &&Value| event["request_id"] == id && event["event"] == "requested";
            let event = events.iter().find(is_it).unwrap_or_else(|| panic!("{method} {path} left no event"));
            assert_eq!(event["actor"], "netops-ci");
        }
    }
    assert!(changing > 0);
}

async fn every_type_of_problem_has_a_page_for_people_and_for_programs(harness: Harness) {
    let anonymous = Consumer::new(harness.consumer.base.clone(), String::new());
    let list = anonymous.get("/problems", &[]).await.json();
    let mut known = BTreeSet::new();
    for view in list["items"].as_array().expect("items") {
        let (page, code) = (view["type"].as_str().expect("a type"), view["code"].as_str().expect("a code"));
        assert_eq!(page, format!("/problems/{}", code.replace('_', "-")));
        assert_eq!(&anonymous.get(page, &[("accept", "application/json")]).await.json(), view);
        let html = anonymous.get(page, &[("accept", "text/html,*/*;q=0.8")]).await;
        assert_eq!(html.header("content-type"), Some("text/html; charset=utf-8"));
        let policy = html.header("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert!(html.body.contains(code) && html.body.contains("Remedy"), "{page}");
        assert!(!html.body.contains("<script") && !html.body.contains("src="), "{page}");
        known.insert((code.to_owned(), view["status"].as_u64()));
    }
    let overview = anonymous.get("/problems", &[("accept", "text/html")]).await.body;
    assert!(known.iter().all(|(code, _)| overview.contains(&format!("<code>{code}</code>"))));
    assert!(ErrorCode::ALL.iter().all(|code| known.iter().any(|(known, _)| known == code.as_str())));

    // The document lists the problem types that exist, and no others.
    let document = document(&harness).await;
    let items = document["paths"].as_object().expect("paths").values();
    let calls: Vec<Value> = items.flat_map(|item| calls(item).into_values()).collect();
    let mut responses: Vec<&Value> =
        document["components"]["responses"].as_object().expect("some").values().collect();
    responses
        .extend(calls.iter().flat_map(|call| call["responses"].as_object().expect("responses").values()));
    let mut described = BTreeSet::new();
    for response in responses {
        let examples = response["content"]["application/problem+json"]["examples"].as_object();
        for (code, example) in examples.into_iter().flatten() {
            described.insert((code.clone(), example["value"]["status"].as_u64()));
        }
    }
    known.retain(|(_, status)| status.is_some());
    assert_eq!(described, known);

    assert_eq!(anonymous.get("/problems/none-such", &[]).await.problem(), (404, "no_such_path".into()));
}

on_each_api!(
    every_described_call_answers_as_described_and_no_other_method_does,
    every_example_fits_its_schema,
    every_changing_call_is_audited,
    every_type_of_problem_has_a_page_for_people_and_for_programs,
);
