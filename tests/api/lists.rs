//! Shared by the tests of both lists, operations and audit events.

use serde_json::Value;
use tunnelgate::domain::principal::Scope;

use crate::harness::{Harness, path, ranges};

/// Makes five operations and waits for their ends; returns their ids, newest first.
pub async fn fill(harness: &Harness) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..5 {
        let tunnel = if number == 4 { "vpnx-credentials".to_owned() } else { format!("vpnx-load-{number}") };
        let answer = harness.consumer.patch(&path(&tunnel), &ranges(), &[("prefer", "wait=30")]).await.json();
        let id = answer["id"].as_str().or_else(|| answer["operation_id"].as_str()).expect("an id");
        ids.push(id.to_owned());
    }
    ids.reverse();
    ids
}

pub fn ids(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().expect("items");
    items.iter().filter_map(|item| item["id"].as_str().map(str::to_owned)).collect()
}

/// The number of entries on the first page of a list.
pub async fn count(harness: &Harness, route: &str) -> usize {
    let answer = harness.consumer.get(route, &[]).await;
    assert_eq!(answer.status, 200, "{route}: {}", answer.body);
    answer.json()["items"].as_array().map_or(0, Vec::len)
}

/// Asserts that a query is refused with a 400 that names these places.
pub async fn is_refused(harness: &Harness, route: &str, pointers: &[&str]) {
    let answer = harness.consumer.get(route, &[]).await;
    assert_eq!(answer.problem(), (400, "invalid_query".into()), "{route}");
    let errors = answer.json()["errors"].as_array().expect("errors").clone();
    for pointer in pointers {
        assert!(errors.iter().any(|error| error["pointer"] == *pointer), "{pointer} in {errors:?}");
    }
}

/// Asserts that a consumer who follows the pages sees each entry once, although entries are added meanwhile.
pub async fn pages_stay_right(harness: &Harness, route: &str) {
    fill(harness).await;
    let grants: &[(Scope, &[&str])] = &[(Scope::TunnelsRead, &["vpc-03*"]), (Scope::AuditRead, &["vpc-03*"])];
    let reader = harness.consumer_with("reader", grants).await;
    let mut more = 10;
    for consumer in [&harness.consumer, &reader] {
        let (mut seen, mut next) = (Vec::new(), format!("{route}?limit=4"));
        loop {
            let page = consumer.get(&next, &[]).await.json();
            seen.extend(ids(&page));
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            next = format!("{route}?limit=4&cursor={cursor}");
            more += 1;
            assert_eq!(harness.patch(&format!("vpnx-load-{more}"), &ranges()).await.status, 202);
        }
        // New entries come before the first one seen; after it none is lost or repeated.
        let all = ids(&consumer.get(&format!("{route}?limit=200"), &[]).await.json());
        let first = all.iter().position(|id| Some(id) == seen.first()).expect("the first is still there");
        assert!(seen.starts_with(&all[first..]), "{route}: {seen:?} {all:?}");
        assert!(all.len() == 200 || seen.len() == all.len() - first, "{route}: {seen:?} {all:?}");
    }
}
