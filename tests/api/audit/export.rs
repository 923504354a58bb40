//! The whole audit log as JSON, NDJSON and CSV.

use serde_json::Value;

use crate::harness::{Harness, path, ranges};
use crate::lists::fill;

async fn the_whole_log_is_the_same_in_every_form(harness: Harness) {
    fill(&harness).await;
    let page = harness.consumer.get("/audit-events?limit=200", &[]).await.json();
    let mut items = page["items"].as_array().expect("items").clone();
    items.reverse();
    assert_eq!(items.len(), 1 + 4 * 3 + 2);

    let ndjson = harness.consumer.get("/audit-events", &[("accept", "application/x-ndjson")]).await;
    assert_eq!(ndjson.header("content-type"), Some("application/x-ndjson"));
    let lines: Vec<Value> =
        ndjson.body.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines, items);

    let csv = harness.consumer.get("/audit-events", &[("accept", "text/csv")]).await;
    assert!(csv.header("content-type").is_some_and(|kind| kind.starts_with("text/csv")));
    let mut reader = csv::Reader::from_reader(csv.body.as_bytes());
    let columns = reader.headers().expect("a header").clone();
    let records: Vec<csv::StringRecord> = reader.records().map(|record| record.expect("a record")).collect();
    assert_eq!(records.len(), items.len());
    for (record, item) in records.iter().zip(&items) {
        for (column, cell) in columns.iter().zip(record) {
            let expected = &item[column];
            match expected {
                Value::Null => assert_eq!(cell, "", "{column}"),
                Value::String(text) => assert_eq!(cell, text, "{column}"),
                other => assert_eq!(&serde_json::from_str::<Value>(cell).expect("JSON"), other, "{column}"),
            }
        }
    }

    let some =
        harness.consumer.get("/audit-events?event=rejected", &[("accept", "application/x-ndjson")]).await;
    assert_eq!(some.body.lines().count(), 1, "filters apply to exports");
    let limit = harness.consumer.get("/audit-events?limit=3", &[("accept", "text/csv")]).await;
    assert_eq!(limit.problem(), (400, "invalid_query".into()), "an export has no pages");
}

async fn the_form_that_is_preferred_is_given(harness: Harness) {
    for (accept, given) in [
        ("text/csv;q=0.5, application/x-ndjson", "application/x-ndjson"),
        ("application/x-ndjson;q=0.2, text/csv;q=0.3", "text/csv; charset=utf-8; header=present"),
        ("text/csv;q=0, */*", "application/json"),
        ("text/csv;q=0", "application/json"),
        ("text/csv, */*", "text/csv; charset=utf-8; header=present"),
        ("image/png", "application/json"),
    ] {
        let answer = harness.consumer.get("/audit-events", &[("accept", accept)]).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(given)), "{accept}");
    }
}

/// A caller chooses the texts: a spreadsheet must not run them, and no reader must split or turn a line.
async fn a_caller_s_texts_are_harmless_in_every_form(harness: Harness) {
    let agent = "=HYPERLINK(\"http://a\") \u{202e}\u{2028}隧道";
    let answer = harness.consumer.patch(&path("vpnx-branch01"), &ranges(), &[("user-agent", agent)]).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    harness.consumer.ended(answer.json()["id"].as_str().expect("an id")).await;
    let cells = async |query: &str| {
        let answer = harness.consumer.get(&format!("/audit-events{query}"), &[("accept", "text/csv")]).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let text = answer.body.trim_start_matches('\u{feff}').to_owned();
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let column = reader.headers().expect("a header").iter().position(|name| name == "user_agent");
        let column = column.expect("the column");
        let cells: Vec<String> =
            reader.records().map(|record| record.expect("a record")[column].to_owned()).collect();
        (answer.body.starts_with('\u{feff}'), cells)
    };
    let safe = r#"'=HYPERLINK("http://a") \u202e\u2028隧道"#.to_owned();
    for (query, has_mark, cell) in [
        ("?event=requested", false, &safe),
        ("?event=requested&raw=false&bom=true", true, &safe),
        ("?event=requested&raw=true", false, &agent.to_owned()),
    ] {
        assert_eq!(cells(query).await, (has_mark, vec![cell.clone()]), "{query}");
    }
    let ndjson = harness.consumer.get("/audit-events", &[("accept", "application/x-ndjson")]).await.body;
    assert!(!ndjson.contains(['\u{202e}', '\u{2028}']), "{ndjson}");
    let line = ndjson.lines().find(|line| line.contains("HYPERLINK")).expect("the line");
    let event: Value = serde_json::from_str(line).expect("JSON");
    assert_eq!(event["user_agent"], agent, "the value is the same");
    for wrong in ["?raw=yes", "?bom="] {
        let answer = harness.consumer.get(&format!("/audit-events{wrong}"), &[("accept", "text/csv")]).await;
        assert_eq!(answer.problem(), (400, "invalid_query".into()), "{wrong}");
    }
    let json = harness.consumer.get("/audit-events?raw=true", &[]).await;
    assert_eq!(json.problem(), (400, "invalid_query".into()), "only CSV has raw and safe cells");
}

on_each_api!(
    a_caller_s_texts_are_harmless_in_every_form,
    the_whole_log_is_the_same_in_every_form,
    the_form_that_is_preferred_is_given,
);
