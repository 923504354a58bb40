//! `/accounts`, and requests that go to several accounts.

use serde_json::{Value, json};
use tunnelgate::cloud;
use tunnelgate::config::Settings;
use tunnelgate::domain::principal::{Scope, VpcScope};

use crate::harness::{Harness, path, ranges};
use crate::support::Store;

const PROD: &str = "/vpcs/vpc-prod-1/gateways/vpngw-prod1/tunnels/vpnx-prod1";

/// A copy of the harness's account under another name, for some VPCs.
fn account(settings: &Settings, name: &str, vpcs: &[&str]) -> cloud::Settings {
    let patterns = vpcs.iter().map(|pattern| pattern.parse().expect("a pattern")).collect();
    let (account, vpcs) = (name.to_owned(), VpcScope::Matching(patterns));
    cloud::Settings { account, vpcs, ..settings.accounts[0].clone() }
}

/// `office` answers for two VPCs, `prod` for others, with credentials that the cloud refuses.
fn two(settings: &mut Settings) {
    let mut prod = account(settings, "prod", &["vpc-prod-*"]);
    prod.credentials.secret_key = "revoked".into();
    prod.calls_per_second = 7;
    prod.region = "ap-shanghai".into();
    settings.accounts = vec![prod, account(settings, "office", &["vpc-03vihbk9", "vpc-lab"])];
}

fn names(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().expect("items");
    items.iter().filter_map(|item| item["name"].as_str()).collect()
}

async fn the_list_shows_the_standing_of_each_account(store: Store) {
    let harness = Harness::with(store, two).await;
    let consumer = &harness.consumer;
    let before = consumer.get("/accounts", &[]).await.json();
    assert_eq!(names(&before), ["office", "prod"]);
    assert_eq!(
        (&before["items"][0]["reachable"], &before["items"][0]["last_error"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(consumer.get(&path("vpnx-load-1"), &[]).await.status, 200);
    assert_eq!(consumer.get(PROD, &[]).await.problem(), (502, "upstream_credentials".into()));
    let answer = consumer.get("/accounts", &[]).await;
    let page = answer.json();
    let (office, prod) = (&page["items"][0], &page["items"][1]);
    assert_eq!(
        *office,
        json!({"name": "office", "region": "ap-guangzhou", "api": "2.0", "vpcs": ["vpc-03vihbk9", "vpc-lab"],
               "reachable": true, "last_error": null, "calls_left": null})
    );
    assert_eq!((&prod["reachable"], &prod["region"]), (&json!(true), &json!("ap-shanghai")));
    assert_eq!(
        (&prod["last_error"]["code"], &prod["last_error"]["upstream_code"]),
        (&json!("credentials"), &json!("4100"))
    );
    assert!(prod["calls_left"].as_u64().is_some_and(|left| left <= 7), "{prod}");
    for secret in ["revoked", "AKID", "Gu5t9"] {
        assert!(!answer.body.contains(secret), "{}", answer.body);
    }
}

async fn a_caller_sees_the_accounts_and_patterns_that_it_may_read(store: Store) {
    let harness = Harness::with(store, two).await;
    let one = harness.consumer_with("one", &[(Scope::TunnelsRead, &["vpc-l*"])]).await;
    let page = one.get("/accounts", &[]).await.json();
    assert_eq!((names(&page), &page["items"][0]["vpcs"]), (vec!["office"], &json!(["vpc-lab"])));
    // `prod` answers for this VPC, so the catch-all account never does.
    let catch_all = Harness::with(Store::sqlite(), |settings| {
        let prod = account(settings, "prod", &["vpc-prod-*"]);
        settings.accounts = vec![prod, account(settings, "rest", &["*"])];
    })
    .await;
    let covered =
        catch_all.consumer_with("covered", &[(Scope::TunnelsRead, &["vpc-prod-1", "vpc-prod-2*"])]).await;
    assert_eq!(names(&covered.get("/accounts", &[]).await.json()), ["prod"]);
    let wider = catch_all.consumer_with("wider", &[(Scope::TunnelsRead, &["vpc-prod-1", "vpc-p*"])]).await;
    let page = wider.get("/accounts", &[]).await.json();
    assert_eq!((names(&page), &page["items"][1]["vpcs"]), (vec!["prod", "rest"], &json!(["*"])));
    let none = harness.consumer_with("none", &[(Scope::TunnelsRead, &["vpc-other"])]).await;
    assert_eq!(names(&none.get("/accounts", &[]).await.json()), [""; 0]);
    let writer = harness.consumer_with("writer", &[(Scope::TunnelsWrite, &[])]).await;
    assert_eq!(writer.get("/accounts", &[]).await.problem(), (403, "forbidden".into()));
    let first = harness.consumer.get("/accounts?limit=1", &[]).await;
    assert_eq!(names(&first.json()), ["office"]);
    let next = first.next_page().expect("a second page");
    assert_eq!(names(&harness.consumer.get(&next, &[]).await.json()), ["prod"]);
}

async fn tunnels_operations_and_events_name_their_account(store: Store) {
    let harness = Harness::with(store, two).await;
    let consumer = &harness.consumer;
    let tunnel = consumer.get(&path("vpnx-load-1"), &[]).await.json();
    let route =
        |of: &Value| [&of["account"], &of["region"], &of["api"]].map(|name| name.as_str().map(str::to_owned));
    let office = ["office", "ap-guangzhou", "2.0"].map(|name| Some(name.to_owned()));
    assert_eq!(route(&tunnel), office);
    let opened = consumer.patch(&path("vpnx-load-1"), &ranges(), &[]).await.json();
    assert_eq!(route(&consumer.ended(opened["id"].as_str().expect("an id")).await), office);
    for (query, count) in [("account=office", 3), ("account=prod", 0)] {
        let events = consumer.get(&format!("/audit-events?{query}"), &[]).await.json();
        let events = events["items"].as_array().expect("items");
        assert_eq!(events.len(), count, "{query}");
        assert!(events.iter().all(|event| route(event) == office));
        let counted = consumer.get(&format!("/audit-events/counts?{query}"), &[]).await.json();
        let counted =
            counted["items"].as_array().expect("items").iter().filter_map(|item| item["count"].as_u64());
        assert_eq!(counted.sum::<u64>(), count as u64, "{query}");
        let lines =
            consumer.get(&format!("/audit-events?{query}"), &[("accept", "application/x-ndjson")]).await;
        assert_eq!(lines.body.lines().count(), count, "{query}");
    }
}

async fn an_account_whose_cloud_answers_is_reachable(harness: Harness) {
    assert_eq!(harness.consumer.get(&path("vpnx-branch01"), &[]).await.status, 200);
    let page = harness.consumer.get("/accounts", &[]).await.json();
    let account = &page["items"][0];
    assert_eq!((&account["reachable"], &account["last_error"]), (&json!(true), &Value::Null), "{account}");
}

on_each_api!(an_account_whose_cloud_answers_is_reachable);
on_each_ledger!(
    the_list_shows_the_standing_of_each_account,
    a_caller_sees_the_accounts_and_patterns_that_it_may_read,
    tunnels_operations_and_events_name_their_account,
);
