//! Lists: pages, filters, and the whole log as NDJSON and CSV.

use serde_json::{Value, json};
use tunnelgate::domain::principal::Scope;

use crate::field::{Field, path, ranges};
use crate::on_each_ledger;

/// Five operations that have ended.
async fn fill(field: &Field) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..5 {
        let tunnel = if number == 4 { "vpnx-failed-5100".to_owned() } else { format!("vpnx-load-{number}") };
        let answer = field.consumer.patch(&path(&tunnel), &ranges(), &[("prefer", "wait=30")]).await.json();
        let id = answer["id"].as_str().or_else(|| answer["operation_id"].as_str()).expect("an id");
        ids.push(id.to_owned());
    }
    ids.reverse();
    ids
}

fn ids(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().expect("items");
    items.iter().filter_map(|item| item["id"].as_str().map(str::to_owned)).collect()
}

async fn pages_follow_each_other(field: Field) {
    let expected = fill(&field).await;
    let mut seen = Vec::new();
    let mut next = "/operations?limit=2".to_owned();
    loop {
        let answer = field.consumer.get(&next, &[]).await;
        seen.extend(ids(&answer.json()));
        let Some(route) = answer.next_page() else { break };
        next = route;
    }
    assert_eq!(seen, expected);
}

/// Whoever goes from page to page sees what was there at the beginning, each once, whatever comes in meanwhile.
async fn pages_stay_right_while_changes_come_in(field: Field) {
    fill(&field).await;
    let reader =
        field.somebody("reader", &[(Scope::TunnelsRead, &["vpc-03*"]), (Scope::AuditRead, &["vpc-03*"])]);
    let reader = reader.await;
    let mut more = 10;
    for route in ["/operations", "/audit-events"] {
        for consumer in [&field.consumer, &reader] {
            let (mut seen, mut next) = (Vec::new(), format!("{route}?limit=4"));
            loop {
                let page = consumer.get(&next, &[]).await.json();
                seen.extend(ids(&page));
                let Some(cursor) = page["next_cursor"].as_str() else { break };
                next = format!("{route}?limit=4&cursor={cursor}");
                more += 1;
                assert_eq!(field.patch(&format!("vpnx-load-{more}"), &ranges()).await.status, 202);
            }
            // What came in meanwhile stands before the first that was seen; from there on nothing is lost or doubled.
            let all = ids(&consumer.get(&format!("{route}?limit=200"), &[]).await.json());
            let first = all.iter().position(|id| Some(id) == seen.first()).expect("the first is still there");
            assert!(seen.starts_with(&all[first..]), "{route}: {seen:?} {all:?}");
            assert!(all.len() == 200 || seen.len() == all.len() - first, "{route}: {seen:?} {all:?}");
        }
    }
}

async fn filters_narrow_the_lists(field: Field) {
    let expected = fill(&field).await;
    let count = async |route: &str| {
        let answer = field.consumer.get(route, &[]).await;
        assert_eq!(answer.status, 200, "{route}: {}", answer.body);
        answer.json()["items"].as_array().map_or(0, Vec::len)
    };
    assert_eq!(count("/operations?status=rejected").await, 1);
    assert_eq!(count("/operations?status=succeeded&requested_by=netops-ci").await, 4);
    assert_eq!(count("/operations?requested_by=nobody").await, 0);
    assert_eq!(count("/operations?tunnel_id=vpnx-load-1&vpc_id=vpc-03vihbk9").await, 1);
    assert_eq!(count("/operations?created_before=2020-01-01T00:00:00Z").await, 0);
    assert_eq!(count("/operations?created_after=2020-01-01T00:00:00%2B02:00").await, 5);
    assert_eq!(count(&format!("/audit-events?operation_id={}", expected[0])).await, 2);
    assert_eq!(count("/audit-events?event=verification_confirmed").await, 4);
    assert_eq!(count("/audit-events?status=rejected").await, 2);
    assert_eq!(count("/audit-events?tunnel_id=vpnx-load-2&event=submitted").await, 1);
}

async fn a_query_that_is_wrong_is_a_400_that_names_every_fault(field: Field) {
    for (route, pointers) in [
        ("/operations?limit=0&status=odd&colour=red", vec!["query:limit", "query:status", "query:colour"]),
        ("/operations?limit=201", vec!["query:limit"]),
        ("/audit-events?event=odd&created_after=yesterday", vec!["query:event", "query:created_after"]),
        ("/audit-events?operation_id=7", vec!["query:operation_id"]),
        ("/operations?status=failed&status=failed", vec!["query:status"]),
    ] {
        let answer = field.consumer.get(route, &[]).await;
        assert_eq!(answer.problem(), (400, "invalid_query".into()), "{route}");
        let errors = answer.json()["errors"].as_array().expect("errors").clone();
        for pointer in pointers {
            assert!(errors.iter().any(|error| error["pointer"] == pointer), "{pointer} in {errors:?}");
        }
    }
    let answer = field.consumer.get("/operations?cursor=abc", &[]).await;
    assert_eq!(answer.problem(), (400, "invalid_cursor".into()));
    let fault = answer.json()["errors"][0].clone();
    assert_eq!((&fault["pointer"], &fault["code"]), (&json!("query:cursor"), &json!("invalid_cursor")));
    let answer = field.consumer.get("/audit-events?cursor=abc&limit=0&color=red", &[]).await;
    assert_eq!(answer.problem(), (400, "invalid_query".into()), "one fault among others");
    let errors = answer.json()["errors"].as_array().expect("errors").clone();
    let codes: Vec<&str> = errors.iter().filter_map(|error| error["code"].as_str()).collect();
    assert_eq!(codes, ["invalid", "invalid_cursor", "unknown_parameter"]);
    let detail = errors[2]["detail"].as_str().expect("a detail");
    assert!(
        detail.contains("known are operation_id, event, vpc_id") && detail.contains("cursor"),
        "{detail}"
    );
    let answer = field.consumer.get("/audit-events/checkpoint?seq=1", &[]).await.json();
    let detail = answer["errors"][0]["detail"].as_str().expect("a detail");
    assert!(detail.contains("takes no query parameters"), "{detail}");
}

async fn the_whole_log_is_the_same_in_every_form(field: Field) {
    fill(&field).await;
    let page = field.consumer.get("/audit-events?limit=200", &[]).await.json();
    let mut items = page["items"].as_array().expect("items").clone();
    items.reverse();
    assert_eq!(items.len(), 4 * 4 + 2);

    let ndjson = field.consumer.get("/audit-events", &[("accept", "application/x-ndjson")]).await;
    assert_eq!(ndjson.header("content-type"), Some("application/x-ndjson"));
    let lines: Vec<Value> =
        ndjson.body.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines, items);

    let csv = field.consumer.get("/audit-events", &[("accept", "text/csv")]).await;
    assert!(csv.header("content-type").is_some_and(|kind| kind.starts_with("text/csv")));
    let mut reader = csv::Reader::from_reader(csv.body.as_bytes());
    let columns = reader.headers().expect("a header").clone();
    let records: Vec<csv::StringRecord> = reader.records().map(|record| record.expect("a record")).collect();
    assert_eq!(records.len(), items.len());
    for (record, item) in records.iter().zip(&items) {
        for (column, field) in columns.iter().zip(record) {
            let expected = &item[column];
            match expected {
                Value::Null => assert_eq!(field, "", "{column}"),
                Value::String(text) => assert_eq!(field, text, "{column}"),
                other => assert_eq!(&serde_json::from_str::<Value>(field).expect("JSON"), other, "{column}"),
            }
        }
    }

    let some =
        field.consumer.get("/audit-events?event=rejected", &[("accept", "application/x-ndjson")]).await;
    assert_eq!(some.body.lines().count(), 1, "filters hold for streams too");
    let limit = field.consumer.get("/audit-events?limit=3", &[("accept", "text/csv")]).await;
    assert_eq!(limit.problem(), (400, "invalid_query".into()), "a stream has no pages");
}

async fn the_form_that_is_preferred_is_given(field: Field) {
    for (accept, given) in [
        ("text/csv;q=0.5, application/x-ndjson", "application/x-ndjson"),
        ("application/x-ndjson;q=0.2, text/csv;q=0.3", "text/csv; charset=utf-8; header=present"),
        ("text/csv;q=0, */*", "application/json"),
        ("text/csv;q=0", "application/json"),
        ("text/csv, */*", "text/csv; charset=utf-8; header=present"),
        ("image/png", "application/json"),
    ] {
        let answer = field.consumer.get("/audit-events", &[("accept", accept)]).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(given)), "{accept}");
    }
    for (accept, given) in [
        ("text/html;q=0.1, application/json", "application/json"),
        ("application/json;q=0.1, text/html;q=0.2", "text/html; charset=utf-8"),
        ("text/html;q=0, */*", "application/json"),
    ] {
        let answer = field.consumer.get("/problems", &[("accept", accept)]).await;
        assert_eq!(answer.header("content-type"), Some(given), "{accept}");
    }
}

async fn one_event_and_the_newest_one_can_be_read(field: Field) {
    let none = field.consumer.get("/audit-events/checkpoint", &[]).await;
    assert_eq!(none.problem(), (404, "not_found".into()));
    fill(&field).await;
    let newest = field.consumer.get("/audit-events?limit=1", &[]).await.json()["items"][0].clone();
    let checkpoint = field.consumer.get("/audit-events/checkpoint", &[]).await.json();
    assert_eq!(
        checkpoint,
        json!({"seq": newest["seq"], "hash": newest["hash"], "at": newest["occurred_at"]})
    );
    let one = field.consumer.get(&format!("/audit-events/{}", newest["seq"]), &[]).await.json();
    assert_eq!(one, newest);
    for missing in ["999999", "x", "-1"] {
        assert_eq!(field.consumer.get(&format!("/audit-events/{missing}"), &[]).await.status, 404);
    }
}

on_each_ledger!(
    pages_follow_each_other,
    pages_stay_right_while_changes_come_in,
    filters_narrow_the_lists,
    a_query_that_is_wrong_is_a_400_that_names_every_fault,
    the_whole_log_is_the_same_in_every_form,
    the_form_that_is_preferred_is_given,
    one_event_and_the_newest_one_can_be_read,
);
