//! Pages of the list, and the calls that they take.

use std::collections::BTreeSet;

use super::{TUNNELS, names, page, walk};
use crate::harness::{Harness, path};
use crate::support::Store;
use crate::support::consumer::Consumer;

async fn every_tunnel_comes_once_whatever_the_size_of_a_page(harness: Harness) {
    let size = harness.by_api(50, 100);
    let (all, _) = walk(&harness.consumer, "/tunnels").await;
    assert_eq!(all.len(), TUNNELS);
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), TUNNELS, "each once");
    for limit in [200, 7, 120, size, TUNNELS, TUNNELS - 1] {
        let pages = TUNNELS.div_ceil(limit);
        let before = harness.reads().await;
        let (again, lengths) = walk(&harness.consumer, &format!("/tunnels?limit={limit}")).await;
        assert_eq!(again, all, "{limit}");
        assert_eq!(lengths.len(), pages, "{limit}: {lengths:?}");
        assert!(lengths[..pages - 1].iter().all(|length| *length == limit), "{limit}: {lengths:?}");
        let calls = (harness.reads().await - before) as usize;
        // A page that ends inside a page of the cloud reads the rest of that page again.
        assert!(
            calls >= TUNNELS.div_ceil(size) && calls <= pages + TUNNELS.div_ceil(size),
            "{limit}: {calls}"
        );
    }
    let before = harness.reads().await;
    page(&harness.consumer, "/tunnels?limit=200").await;
    assert_eq!(harness.reads().await - before, TUNNELS.div_ceil(size) as u64);
}

async fn the_list_has_the_same_views_as_the_list_of_a_gateway(harness: Harness) {
    let answer = harness.consumer.get("/tunnels?vpc_id=vpc-prod-1", &[]).await;
    assert!(!answer.body.contains(tunnelgate::simulator::FIRST_KEY), "{}", answer.body);
    let one =
        page(&harness.consumer, "/vpcs/vpc-prod-1/gateways/vpngw-prod1/tunnels").await["items"][0].clone();
    assert_eq!(answer.json()["items"], serde_json::json!([one]));
}

async fn a_page_takes_few_calls_and_may_be_empty(harness: Harness) {
    // More tunnels than four calls of API 3.0 show.
    for number in 901..=905 {
        let gateway = format!("/vpcs/vpc-03vihbk9/gateways/vpngw-load-{number}/tunnels?limit=1");
        page(&harness.consumer, &gateway).await;
    }
    // API 2.0 lists the oldest first, API 3.0 the newest.
    let last = harness.by_api("vpnx-load-905-50", "vpnx-ol6bcqp0");
    let before = harness.reads().await;
    let answer = harness.consumer.get(&format!("/tunnels?search={last}"), &[]).await;
    assert_eq!(harness.reads().await - before, 4);
    assert_eq!(names(&answer.json()), [""; 0]);
    assert!(answer.next_page().is_some());
    let (found, pages) = walk(&harness.consumer, &format!("/tunnels?search={last}")).await;
    assert_eq!(found, [format!("default/{last}")]);
    assert_eq!(pages, harness.by_api(vec![0, 0, 1], vec![0, 1]));
    let (all, pages) = walk(&harness.consumer, "/tunnels?limit=200").await;
    assert_eq!((all.len(), pages.len()), (TUNNELS + 250, 3));
}

async fn a_tunnel_that_comes_between_two_pages_is_in_the_list(store: Store) {
    let harness = Harness::new(store).await;
    let (all, _) = walk(&harness.consumer, "/tunnels").await;
    let first = harness.consumer.get("/tunnels?limit=10", &[]).await;
    // API 2.0: the simulated cloud creates this tunnel on the first read, and lists it last.
    page(&harness.consumer, &path("vpnx-load-1")).await;
    let (rest, _) = walk(&harness.consumer, &first.next_page().expect("a second page")).await;
    let seen = [names(&first.json()), rest].concat();
    assert_eq!(seen[..TUNNELS], all);
    assert_eq!(seen[TUNNELS..], ["default/vpnx-load-1"]);
}

async fn a_cursor_belongs_to_its_filters_and_survives_a_restart(harness: Harness) {
    let first = page(&harness.consumer, "/tunnels?search=SITE&limit=20").await;
    let cursor = first["next_cursor"].as_str().expect("a cursor").to_owned();
    let get = async |consumer: &Consumer, query: &str| {
        consumer.get(&format!("/tunnels?{query}&cursor={cursor}"), &[]).await
    };
    for query in [
        "search=sit",
        "limit=20",
        "search=site&vpc_id=vpc-03vihbk9",
        "search=site&drift=true",
        "vpc_id=site",
        "account=site",
    ] {
        let answer = get(&harness.consumer, query).await;
        assert_eq!(answer.problem(), (400, "invalid_cursor".into()), "{query}");
        let detail = answer.json()["errors"][0]["detail"].as_str().map(str::to_owned);
        assert!(detail.is_some_and(|detail| detail.contains("other filters")), "{}", answer.body);
    }
    let (_replica, other) = harness.replica().await;
    let expected = get(&harness.consumer, "search=SITE&limit=3").await.json();
    assert_eq!(names(&expected).len(), 3);
    harness.stop();
    assert_eq!(get(&other, "search=site&limit=3&drift=false").await.json(), expected);
    let others = "cursor=MTp2cG54LW9sNmJjcXAw";
    for query in
        ["cursor=abc", others, "cursor=", "limit=0", "limit=201", "search=", "status=running", "drift=1"]
    {
        assert_eq!(other.get(&format!("/tunnels?{query}"), &[]).await.status, 400, "{query}");
    }
    let long = |length: usize| format!("/tunnels?search={}", "x".repeat(length));
    assert_eq!(other.get(&long(129), &[]).await.problem(), (400, "invalid_query".into()));
    assert_eq!(names(&page(&other, &long(128)).await), [""; 0]);
}

on_each_api!(
    every_tunnel_comes_once_whatever_the_size_of_a_page,
    the_list_has_the_same_views_as_the_list_of_a_gateway,
    a_page_takes_few_calls_and_may_be_empty,
    a_cursor_belongs_to_its_filters_and_survives_a_restart,
);
on_each_ledger!(a_tunnel_that_comes_between_two_pages_is_in_the_list);
