//! The filters of the list, and the rights of callers.

use tunnelgate::domain::principal::Scope;
use tunnelgate::simulator::Lists;

use super::{BRANCHES, TUNNELS, names, page, walk};
use crate::harness::Harness;

async fn each_filter_and_each_pair_of_filters_limits_the_list(harness: Harness) {
    let of_api_2 = |count: usize| harness.by_api(count, 0);
    for (query, count) in [
        ("vpc_id=vpc-prod-1", 1),
        ("vpc_id=vpc-03vihbk9", TUNNELS - 1),
        ("vpc_id=gz_vpc_9001", of_api_2(1)),
        ("vpc_id=vpc-03vihbk", 0),
        ("vpc_id=no/id", 0),
        ("gateway_id=vpngw-branches", BRANCHES),
        ("gateway_id=548", of_api_2(BRANCHES)),
        ("gateway_id=*", 0),
        ("vpc_id=vpc-prod-1&gateway_id=vpngw-branches", 0),
        ("vpc_id=vpc-prod-1&gateway_id=vpngw-prod1", 1),
        ("account=default", TUNNELS),
        ("account=Default", 0),
        ("account=", 0),
        ("account=default&vpc_id=vpc-prod-1", 1),
        ("account=other&vpc_id=vpc-prod-1", 0),
        ("search=SiTe-00", 9),
        ("search=prod", 1),
        ("search=gz_vpc_9001", of_api_2(1)),
        ("search=203.0.113.20&vpc_id=vpc-prod-1", of_api_2(1)),
        // One has no ranges.
        ("search=172.16.0.0/16", TUNNELS - 1),
        ("search=site-120&gateway_id=vpngw-kfldykuz", 0),
        ("drift=true", 0),
    ] {
        let (found, _) = walk(&harness.consumer, &format!("/tunnels?{query}")).await;
        assert_eq!(found.len(), count, "{query}: {found:?}");
    }
}

async fn a_filter_is_asked_of_the_cloud_and_checked_in_its_answer(harness: Harness) {
    let before = harness.reads().await;
    page(&harness.consumer, "/tunnels?vpc_id=vpc-prod-1").await;
    page(&harness.consumer, "/tunnels?gateway_id=vpngw-prod1").await;
    page(&harness.consumer, "/tunnels?vpc_id=vpc-none").await;
    assert_eq!(harness.reads().await - before, 3, "one call each");
    page(&harness.consumer, "/tunnels?account=none&search=x").await;
    assert_eq!(harness.reads().await - before, 3, "no call");
    harness.simulator.answer_lists(Lists::Unfiltered);
    let one = harness.consumer_with("one", &[(Scope::TunnelsRead, &["vpc-prod-1"])]).await;
    for (consumer, query) in [
        (&harness.consumer, "vpc_id=vpc-prod-1"),
        (&harness.consumer, "gateway_id=vpngw-prod1"),
        (&one, "limit=200"),
        (&one, "account=default"),
    ] {
        let (found, _) = walk(consumer, &format!("/tunnels?{query}")).await;
        assert_eq!(found, ["default/vpnx-prod1"], "{query}");
    }
    assert_eq!(names(&page(&harness.consumer, "/tunnels?vpc_id=vpc-none&limit=200").await), [""; 0]);
}

async fn callers_see_the_tunnels_of_their_vpcs_only(harness: Harness) {
    let size = harness.by_api(50, 100);
    for (name, patterns, count, calls) in [
        ("pattern", &["vpc-prod-*"][..], 1, TUNNELS.div_ceil(size)),
        ("exact", &["vpc-prod-1"], 1, 1),
        ("two", &["vpc-prod-1", "vpc-none"], 1, 2),
        ("both forms", &["vpc-prod-1", "gz_vpc_9001"], 1, harness.by_api(2, 1)),
        ("mixed", &["vpc-none", "vpc-prod-*"], 1, TUNNELS.div_ceil(size)),
        ("old", &["gz_vpc_9001"], harness.by_api(1, 0), harness.by_api(1, 0)),
    ] {
        let consumer = harness.consumer_with(name, &[(Scope::TunnelsRead, patterns)]).await;
        let before = harness.reads().await;
        let found = names(&page(&consumer, "/tunnels?limit=200").await);
        assert_eq!((found.len(), harness.reads().await - before), (count, calls as u64), "{name}: {found:?}");
        // A VPC of others looks as if it did not exist, and costs no call.
        let before = harness.reads().await;
        for query in ["vpc_id=vpc-03vihbk9", "vpc_id=vpc-03vihbk9&gateway_id=vpngw-branches"] {
            assert_eq!(names(&page(&consumer, &format!("/tunnels?{query}")).await), [""; 0], "{name}");
        }
        assert_eq!(harness.reads().await, before);
        assert_eq!(walk(&consumer, "/tunnels?search=site").await.0, [""; 0], "{name}");
    }
    let writer = harness.consumer_with("writer", &[(Scope::TunnelsWrite, &[])]).await;
    assert_eq!(writer.get("/tunnels", &[]).await.problem(), (403, "forbidden".into()));
    let anonymous = harness.caller(String::new());
    assert_eq!(anonymous.get("/tunnels", &[]).await.status, 401);
}

async fn credentials_that_may_not_list_the_account_list_what_they_may(harness: Harness) {
    harness.simulator.answer_lists(Lists::NotWhole);
    for query in ["limit=1", "account=default", "search=prod"] {
        let answer = harness.consumer.get(&format!("/tunnels?{query}"), &[]).await;
        assert_eq!(answer.problem(), (502, "upstream_credentials".into()), "{query}");
        let problem = answer.json();
        assert_eq!(problem["account"], "default");
        let detail = problem["detail"].as_str().expect("a detail");
        for name in ["account default: ", "`vpc_id`", "`gateway_id`", "`account`"] {
            assert!(detail.contains(name), "{detail}");
        }
    }
    for query in ["vpc_id=vpc-prod-1", "gateway_id=vpngw-prod1"] {
        let found = page(&harness.consumer, &format!("/tunnels?{query}")).await;
        assert_eq!(names(&found), ["default/vpnx-prod1"], "{query}");
    }
    let one = harness.consumer_with("one", &[(Scope::TunnelsRead, &["vpc-prod-1"])]).await;
    assert_eq!(names(&page(&one, "/tunnels").await), ["default/vpnx-prod1"]);
}

on_each_api!(
    each_filter_and_each_pair_of_filters_limits_the_list,
    a_filter_is_asked_of_the_cloud_and_checked_in_its_answer,
    callers_see_the_tunnels_of_their_vpcs_only,
    credentials_that_may_not_list_the_account_list_what_they_may,
);
