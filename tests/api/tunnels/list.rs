//! A gateway's tunnels, in pages.

use serde_json::Value;

use super::read::{BRANCHES, read};
use crate::harness::Harness;

/// All ids of a list, and the number of its pages.
async fn walk(harness: &Harness, first: &str) -> (Vec<String>, usize) {
    let (mut ids, mut pages, mut next) = (Vec::new(), 0, first.to_owned());
    loop {
        let answer = harness.consumer.get(&next, &[]).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let page = answer.json();
        pages += 1;
        let items = page["items"].as_array().expect("items");
        ids.extend(items.iter().map(|item| item["tunnel_id"].as_str().expect("an id").to_owned()));
        let Some(route) = answer.next_page() else { return (ids, pages) };
        next = route;
    }
}

async fn a_simulated_gateway_for_load_tests_has_fifty_tunnels_from_its_first_use_on(harness: Harness) {
    let gateway = "/vpcs/vpc-03vihbk9/gateways/vpngw-load-7/tunnels";
    let mut expected: Vec<String> = (1..=50).map(|number| format!("vpnx-load-7-{number}")).collect();
    expected.sort();
    assert_eq!(walk(&harness, gateway).await, (expected, 1));
    let one = harness.consumer.get(&format!("{gateway}/vpnx-load-7-50"), &[]).await;
    assert_eq!((one.status, &one.json()["gateway_id"]), (200, &"vpngw-load-7".into()));
    let elsewhere = "/vpcs/vpc-03vihbk9/gateways/vpngw-load-8/tunnels/vpnx-load-7-50";
    assert_eq!(harness.consumer.get(elsewhere, &[]).await.status, 404);
}

async fn the_tunnels_of_a_gateway_come_in_pages(harness: Harness) {
    let expected: Vec<String> = (1..=120).map(|number| format!("vpnx-site-{number:03}")).collect();
    assert_eq!(walk(&harness, BRANCHES).await, (expected.clone(), 3), "50 a page by default");
    assert_eq!(walk(&harness, &format!("{BRANCHES}?limit=200")).await, (expected.clone(), 1));
    assert_eq!(walk(&harness, &format!("{BRANCHES}?limit=60")).await, (expected.clone(), 2));
    let list = harness.consumer.get(&format!("{BRANCHES}?limit=1"), &[]).await.json();
    let one = harness.consumer.get(&format!("{BRANCHES}/vpnx-site-001"), &[]).await.json();
    assert_eq!(list["items"][0], one);
    for (query, code) in [
        ("limit=0", "invalid_query"),
        ("limit=201", "invalid_query"),
        ("status=running", "invalid_query"),
        ("cursor=abc", "invalid_cursor"),
    ] {
        let answer = harness.consumer.get(&format!("{BRANCHES}?{query}"), &[]).await;
        assert_eq!(answer.problem(), (400, code.into()), "{query}");
    }
}

async fn a_tunnel_that_comes_between_two_pages_moves_no_other(harness: Harness) {
    let list = "/vpcs/vpc-03vihbk9/gateways/vpngw-kfldykuz/tunnels";
    let all = walk(&harness, list).await.0;
    let first = harness.consumer.get(&format!("{list}?limit=10"), &[]).await;
    let page = first.json();
    let mut seen: Vec<Value> = page["items"].as_array().expect("items").clone();
    // The simulated cloud creates this tunnel on the first read; its id sorts before the cursor.
    read(&harness, "vpnx-load-1").await;
    let cursor = page["next_cursor"].as_str().expect("a cursor");
    let rest = harness.consumer.get(&format!("{list}?limit=200&cursor={cursor}"), &[]).await.json();
    seen.extend(rest["items"].as_array().expect("items").clone());
    let mut ids: Vec<&str> = seen.iter().filter_map(|item| item["tunnel_id"].as_str()).collect();
    ids.retain(|id| *id != "vpnx-load-1");
    assert_eq!(ids, all);
}

on_each_api!(
    a_simulated_gateway_for_load_tests_has_fifty_tunnels_from_its_first_use_on,
    the_tunnels_of_a_gateway_come_in_pages,
    a_tunnel_that_comes_between_two_pages_moves_no_other,
);
