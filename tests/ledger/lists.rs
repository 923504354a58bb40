//! Filters, pages, and what a principal may see.

use tunnelgate::domain::event::EventKind;
use tunnelgate::domain::operation::Status;
use tunnelgate::domain::principal::{VpcPattern, VpcScope};
use tunnelgate::service::ledger::{EventFilter, OperationFilter, Order};

use crate::on_each_ledger;
use crate::words::{Bench, advance, at, opening_in, submit, succeed};

/// Six operations: two VPCs, two requesters, one ended.
async fn fill(bench: &Bench) {
    for number in 0..6_u64 {
        let vpc = if number % 2 == 0 { "vpc-prod-1" } else { "vpc_test" };
        let requester = if number < 3 { "alice" } else { "bob" };
        let now = at(number * 10);
        let opened = bench.opened(opening_in(vpc, &format!("vpnx-{number}"), requester, now)).await;
        if number == 5 {
            let running = bench.advanced(advance(opened, submit(), 0, now)).await;
            bench.advanced(advance(running, succeed(), 0, now)).await;
        }
    }
}

async fn tunnels(bench: &Bench, vpcs: &VpcScope, filter: OperationFilter) -> Vec<String> {
    let operations = bench.ledger.operations(vpcs, &filter, None, 100).await.expect("a list");
    operations.iter().map(|operation| operation.tunnel.tunnel_id.as_str().to_owned()).collect()
}

fn scope(patterns: &[&str]) -> VpcScope {
    let patterns = patterns.iter().map(|pattern| pattern.parse::<VpcPattern>().expect("a pattern"));
    VpcScope::Matching(patterns.collect())
}

async fn every_filter_narrows_the_list_of_operations(bench: Bench) {
    fill(&bench).await;
    let all = OperationFilter::default;
    let some = |text: &str| Some(text.to_owned());
    let cases: [(OperationFilter, &[u32]); 8] = [
        (all(), &[5, 4, 3, 2, 1, 0]),
        (OperationFilter { vpc_id: some("vpc_test"), ..all() }, &[5, 3, 1]),
        (OperationFilter { tunnel_id: some("vpnx-2"), ..all() }, &[2]),
        (OperationFilter { status: Some(Status::Succeeded), ..all() }, &[5]),
        (OperationFilter { requested_by: some("alice"), ..all() }, &[2, 1, 0]),
        (OperationFilter { created_after: Some(at(20)), ..all() }, &[5, 4, 3, 2]),
        (OperationFilter { created_before: Some(at(20)), ..all() }, &[1, 0]),
        (OperationFilter { requested_by: some("bob"), status: Some(Status::Pending), ..all() }, &[4, 3]),
    ];
    for (filter, expected) in cases {
        let expected: Vec<String> = expected.iter().map(|number| format!("vpnx-{number}")).collect();
        assert_eq!(tunnels(&bench, &VpcScope::All, filter.clone()).await, expected, "{filter:?}");
    }
}

async fn pages_stay_right_while_rows_come_in(bench: Bench) {
    fill(&bench).await;
    let filter = OperationFilter::default();
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = bench.ledger.operations(&VpcScope::All, &filter, after, 2).await.expect("a page");
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        seen.extend(page.into_iter().map(|operation| operation.tunnel.tunnel_id.as_str().to_owned()));
        let newer = at(1000 + seen.len() as u64);
        bench.opened(opening_in("vpc-new", &format!("vpnx-new-{}", seen.len()), "carol", newer)).await;
    }
    assert_eq!(seen, ["vpnx-5", "vpnx-4", "vpnx-3", "vpnx-2", "vpnx-1", "vpnx-0"]);
}

async fn a_principal_sees_its_vpcs_only(bench: Bench) {
    fill(&bench).await;
    let all = OperationFilter::default;
    assert_eq!(tunnels(&bench, &scope(&["vpc-prod-*"]), all()).await, ["vpnx-4", "vpnx-2", "vpnx-0"]);
    // An underscore is a character, not any character; letter case counts.
    assert_eq!(tunnels(&bench, &scope(&["vpc_*"]), all()).await, ["vpnx-5", "vpnx-3", "vpnx-1"]);
    assert!(tunnels(&bench, &scope(&["VPC*"]), all()).await.is_empty());
    assert!(tunnels(&bench, &scope(&["vpc_prod_*"]), all()).await.is_empty());
    assert_eq!(tunnels(&bench, &scope(&["nothing", "*test"]), all()).await.len(), 3);
    assert!(tunnels(&bench, &scope(&[]), all()).await.is_empty());

    let hidden = bench.ledger.operations(&VpcScope::All, &all(), None, 1).await.expect("a list").remove(0);
    let read = |vpcs| {
        let (ledger, id) = (bench.ledger.clone(), hidden.id);
        async move { ledger.operation(id, &vpcs).await.expect("read") }
    };
    assert_eq!(read(scope(&["vpc-prod-*"])).await, None);
    assert!(read(scope(&["vpc_test"])).await.is_some());

    let (visible, filter) = (scope(&["vpc-prod-*"]), EventFilter::default());
    let events = bench.ledger.events(&visible, &filter, Order::NewestFirst, None, 99).await.expect("a list");
    assert!(events.len() == 3 && events.iter().all(|event| event.row.vpc_id == "vpc-prod-1"));
    assert_eq!(bench.ledger.event(1, &scope(&["vpc_test"])).await.expect("read"), None);
    assert!(bench.ledger.event(1, &scope(&["vpc-prod-1"])).await.expect("read").is_some());
}

async fn every_filter_narrows_the_list_of_events(bench: Bench) {
    fill(&bench).await;
    let all = EventFilter::default;
    let some = |text: &str| Some(text.to_owned());
    let last =
        bench.ledger.operations(&VpcScope::All, &OperationFilter::default(), None, 1).await.expect("a list");
    let cases: [(EventFilter, &[i64]); 9] = [
        (all(), &[9, 8, 7, 6, 5, 4, 3, 2, 1]),
        (EventFilter { operation_id: Some(last[0].id), ..all() }, &[9, 8, 7, 6]),
        (EventFilter { event: Some(EventKind::Succeeded), ..all() }, &[8]),
        (EventFilter { vpc_id: some("vpc-prod-1"), ..all() }, &[5, 3, 1]),
        (EventFilter { tunnel_id: some("vpnx-5"), event: Some(EventKind::Requested), ..all() }, &[6]),
        (EventFilter { status: Some(Status::Succeeded), ..all() }, &[9, 8, 7, 6]),
        (EventFilter { requested_by: some("alice"), ..all() }, &[3, 2, 1]),
        (EventFilter { created_after: Some(at(40)), ..all() }, &[9, 8, 7, 6, 5]),
        (EventFilter { created_before: Some(at(10)), ..all() }, &[1]),
    ];
    for (filter, expected) in cases {
        for order in [Order::NewestFirst, Order::OldestFirst] {
            let mut expected = expected.to_vec();
            if order == Order::OldestFirst {
                expected.reverse();
            }
            let mut seen = Vec::new();
            let mut after = None;
            loop {
                let page =
                    bench.ledger.events(&VpcScope::All, &filter, order, after, 2).await.expect("a page");
                let Some(event) = page.last() else { break };
                after = Some(event.row.seq);
                seen.extend(page.iter().map(|event| event.row.seq));
            }
            assert_eq!(seen, expected, "{filter:?} {order:?}");
        }
    }
}

on_each_ledger!(
    every_filter_narrows_the_list_of_operations,
    pages_stay_right_while_rows_come_in,
    a_principal_sees_its_vpcs_only,
    every_filter_narrows_the_list_of_events,
);
