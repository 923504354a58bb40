//! Filters, pages, and the VPCs of a principal.

use std::collections::BTreeMap;
use std::time::Duration;

use tunnelgate::domain::bucket::Bucket;
use tunnelgate::domain::event::{Event, EventKind};
use tunnelgate::domain::operation::{ErrorCode, Status, Transition};
use tunnelgate::domain::principal::{VpcPattern, VpcScope};
use tunnelgate::domain::timestamp::Timestamp;
use tunnelgate::service::ledger::{EventFilter, OperationFilter, Order, Step};

use crate::harness::{Harness, advance, at, denied, error, opening_in, submit, succeed};

/// Six operations in two VPCs and on two accounts, by two requesters. One has ended.
async fn fill(harness: &Harness) {
    for number in 0..6_u64 {
        let vpc = if number % 2 == 0 { "vpc-prod-1" } else { "vpc_test" };
        let requester = if number < 3 { "alice" } else { "bob" };
        let now = at(number * 10);
        let mut opening = opening_in(vpc, &format!("vpnx-{number}"), requester, now);
        if number % 3 == 0 {
            opening.operation.route.account = "prod-gz".into();
        }
        opening.operation.request_id = Some(format!("request-{number}"));
        let opened = harness.opened(opening).await;
        if number == 5 {
            let running = harness.advanced(advance(opened, submit(), 0, now)).await;
            harness.advanced(advance(running, succeed(), 0, now)).await;
        }
    }
}

async fn tunnels(harness: &Harness, vpcs: &VpcScope, filter: OperationFilter) -> Vec<String> {
    let operations = harness.ledger.operations(vpcs, &filter, None, 100).await.expect("a list");
    operations.iter().map(|operation| operation.tunnel.tunnel_id.as_str().to_owned()).collect()
}

fn scope(patterns: &[&str]) -> VpcScope {
    let patterns = patterns.iter().map(|pattern| pattern.parse::<VpcPattern>().expect("a pattern"));
    VpcScope::Matching(patterns.collect())
}

async fn every_filter_narrows_the_list_of_operations(harness: Harness) {
    fill(&harness).await;
    let all = OperationFilter::default;
    let some = |text: &str| Some(text.to_owned());
    let cases: [(OperationFilter, &[u32]); 11] = [
        (all(), &[5, 4, 3, 2, 1, 0]),
        (OperationFilter { vpc_id: some("vpc_test"), ..all() }, &[5, 3, 1]),
        (OperationFilter { tunnel_id: some("vpnx-2"), ..all() }, &[2]),
        (OperationFilter { status: Some(Status::Succeeded), ..all() }, &[5]),
        (OperationFilter { requested_by: some("alice"), ..all() }, &[2, 1, 0]),
        (OperationFilter { account: some("prod-gz"), ..all() }, &[3, 0]),
        (OperationFilter { request_id: some("request-4"), ..all() }, &[4]),
        (OperationFilter { request_id: some("request-4"), tunnel_id: some("vpnx-2"), ..all() }, &[]),
        (OperationFilter { created_after: Some(at(20)), ..all() }, &[5, 4, 3, 2]),
        (OperationFilter { created_before: Some(at(20)), ..all() }, &[1, 0]),
        (OperationFilter { requested_by: some("bob"), status: Some(Status::Pending), ..all() }, &[4, 3]),
    ];
    for (filter, expected) in cases {
        let expected: Vec<String> = expected.iter().map(|number| format!("vpnx-{number}")).collect();
        assert_eq!(tunnels(&harness, &VpcScope::All, filter.clone()).await, expected, "{filter:?}");
    }
}

async fn pages_stay_right_while_rows_come_in(harness: Harness) {
    fill(&harness).await;
    let filter = OperationFilter::default();
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = harness.ledger.operations(&VpcScope::All, &filter, after, 2).await.expect("a page");
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        seen.extend(page.into_iter().map(|operation| operation.tunnel.tunnel_id.as_str().to_owned()));
        let newer = at(1000 + seen.len() as u64);
        harness.opened(opening_in("vpc-new", &format!("vpnx-new-{}", seen.len()), "carol", newer)).await;
    }
    assert_eq!(seen, ["vpnx-5", "vpnx-4", "vpnx-3", "vpnx-2", "vpnx-1", "vpnx-0"]);
}

async fn a_principal_sees_its_vpcs_only(harness: Harness) {
    fill(&harness).await;
    let all = OperationFilter::default;
    assert_eq!(tunnels(&harness, &scope(&["vpc-prod-*"]), all()).await, ["vpnx-4", "vpnx-2", "vpnx-0"]);
    // An underscore matches only itself, and case matters.
    assert_eq!(tunnels(&harness, &scope(&["vpc_*"]), all()).await, ["vpnx-5", "vpnx-3", "vpnx-1"]);
    assert!(tunnels(&harness, &scope(&["VPC*"]), all()).await.is_empty());
    assert!(tunnels(&harness, &scope(&["vpc_prod_*"]), all()).await.is_empty());
    assert_eq!(tunnels(&harness, &scope(&["nothing", "*test"]), all()).await.len(), 3);
    assert!(tunnels(&harness, &scope(&[]), all()).await.is_empty());

    let hidden = harness.ledger.operations(&VpcScope::All, &all(), None, 1).await.expect("a list").remove(0);
    let read = |vpcs| {
        let (ledger, id) = (harness.ledger.clone(), hidden.id);
        async move { ledger.operation(id, &vpcs).await.expect("read") }
    };
    assert_eq!(read(scope(&["vpc-prod-*"])).await, None);
    assert!(read(scope(&["vpc_test"])).await.is_some());

    let (visible, filter) = (scope(&["vpc-prod-*"]), EventFilter::default());
    let events =
        harness.ledger.events(&visible, &filter, Order::NewestFirst, None, 99).await.expect("a list");
    assert!(
        events.len() == 3 && events.iter().all(|event| event.row.vpc_id.as_deref() == Some("vpc-prod-1"))
    );
    assert_eq!(harness.ledger.event(1, &scope(&["vpc_test"])).await.expect("read"), None);
    assert!(harness.ledger.event(1, &scope(&["vpc-prod-1"])).await.expect("read").is_some());
}

async fn every_filter_narrows_the_list_of_events(harness: Harness) {
    fill(&harness).await;
    let all = EventFilter::default;
    let some = |text: &str| Some(text.to_owned());
    let last = harness
        .ledger
        .operations(&VpcScope::All, &OperationFilter::default(), None, 1)
        .await
        .expect("a list");
    let cases: [(EventFilter, &[i64]); 10] = [
        (all(), &[8, 7, 6, 5, 4, 3, 2, 1]),
        (EventFilter { operation_id: Some(last[0].id), ..all() }, &[8, 7, 6]),
        (EventFilter { event: Some(EventKind::Succeeded), ..all() }, &[8]),
        (EventFilter { vpc_id: some("vpc-prod-1"), ..all() }, &[5, 3, 1]),
        (EventFilter { tunnel_id: some("vpnx-5"), event: Some(EventKind::Requested), ..all() }, &[6]),
        (EventFilter { status: Some(Status::Succeeded), ..all() }, &[8, 7, 6]),
        (EventFilter { requested_by: some("alice"), ..all() }, &[3, 2, 1]),
        (EventFilter { account: some("prod-gz"), ..all() }, &[4, 1]),
        (EventFilter { created_after: Some(at(40)), ..all() }, &[8, 7, 6, 5]),
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
                    harness.ledger.events(&VpcScope::All, &filter, order, after, 2).await.expect("a page");
                let Some(event) = page.last() else { break };
                after = Some(event.row.seq);
                seen.extend(page.iter().map(|event| event.row.seq));
            }
            assert_eq!(seen, expected, "{filter:?} {order:?}");
        }
    }
}

/// The expected list, found by a scan of all events.
fn found_by_scan(log: &[Event], fits: impl Fn(&Event) -> bool) -> Vec<i64> {
    log.iter().rev().filter(|event| fits(event)).map(|event| event.row.seq).collect()
}

async fn walk(
    harness: &Harness,
    vpcs: &VpcScope,
    filter: &EventFilter,
    order: Order,
    limit: u32,
) -> Vec<i64> {
    let (mut seqs, mut after) = (Vec::new(), None);
    loop {
        let page = harness.ledger.events(vpcs, filter, order, after, limit).await.expect("a page");
        let Some(last) = page.last() else { return seqs };
        after = Some(last.row.seq);
        seqs.extend(page.iter().map(|event| event.row.seq));
    }
}

/// Thousands of `denied` events follow a few operations with interleaved steps. The search for rare matches must return
/// the same pages as the search for common ones.
async fn pages_are_whole_where_matches_are_rare(harness: Harness) {
    let mut running = Vec::new();
    for number in 0..12_u64 {
        let vpc = if number % 3 == 0 { "vpc-prod-1" } else { "vpc_test" };
        let now = at(number * 60);
        let opened = harness.opened(opening_in(vpc, &format!("vpnx-{number}"), "alice", now)).await;
        running.push((number, harness.advanced(advance(opened, submit(), 0, now)).await));
    }
    let refuse = async |from: u64| {
        let steps = (0..1100).map(|number| {
            harness.ledger.write(Step::Record(Box::new(denied(at(from + number), "intruder"))))
        });
        assert!(futures_util::future::join_all(steps).await.iter().all(Result::is_ok));
    };
    refuse(1000).await;
    // The operation that began first ends last.
    running.reverse();
    for (number, operation) in running {
        let now = at(4000 - number * 60);
        let step = if number % 2 == 0 {
            succeed()
        } else {
            Transition::Fail { error: error(ErrorCode::TaskFailed) }
        };
        harness.advanced(advance(operation, step, 0, now)).await;
        if number == 6 {
            refuse(3000).await;
        }
    }
    refuse(5000).await;
    let log = harness.events().await;

    let ended = async |status: Status| {
        let filter = OperationFilter { status: Some(status), ..OperationFilter::default() };
        harness.ledger.operations(&VpcScope::All, &filter, None, 100).await.expect("a list")
    };
    let (succeeded, failed) = (ended(Status::Succeeded).await, ended(Status::Failed).await);
    assert_eq!((succeeded.len(), failed.len()), (6, 6));
    for (status, operations) in [(Status::Succeeded, succeeded), (Status::Failed, failed)] {
        let is_of = |event: &Event| operations.iter().any(|o| Some(o.id) == event.row.operation_id);
        let all = EventFilter { status: Some(status), ..EventFilter::default() };
        for (created_after, created_before) in
            [(None, None), (Some(at(130)), None), (None, Some(at(3700))), (Some(at(61)), Some(at(400)))]
        {
            let filter = EventFilter { created_after, created_before, ..all.clone() };
            let expected = found_by_scan(&log, |event| {
                let now = event.row.occurred_at;
                let in_time =
                    created_after.is_none_or(|at| now >= at) && created_before.is_none_or(|at| now < at);
                is_of(event) && in_time
            });
            for limit in [1, 3, 100] {
                let seqs = walk(&harness, &VpcScope::All, &filter, Order::NewestFirst, limit).await;
                assert_eq!(seqs, expected, "{filter:?}, {limit} a page");
            }
            let mut seqs = walk(&harness, &VpcScope::All, &filter, Order::OldestFirst, 5).await;
            seqs.reverse();
            assert_eq!(seqs, expected, "{filter:?}, oldest first");
        }
        let visible = scope(&["*prod*", "vpc-prod-1"]);
        let expected =
            found_by_scan(&log, |event| is_of(event) && event.row.vpc_id.as_deref() == Some("vpc-prod-1"));
        assert_eq!(walk(&harness, &visible, &all, Order::NewestFirst, 2).await, expected);
        let requested = EventFilter { event: Some(EventKind::Requested), ..all.clone() };
        let expected = found_by_scan(&log, |event| is_of(event) && event.row.event == "requested");
        assert_eq!(walk(&harness, &VpcScope::All, &requested, Order::NewestFirst, 2).await, expected);
        let never = EventFilter { event: Some(EventKind::Rejected), ..all };
        assert!(walk(&harness, &VpcScope::All, &never, Order::NewestFirst, 2).await.is_empty());
    }
}

/// Clocks differ between replicas and steps wait for their commit, so the log is not sorted by time.
async fn lists_by_time_are_whole_whatever_the_clocks_did(harness: Harness) {
    let day = 24 * 3600;
    for (number, seconds) in [0, 5 * day, 3600, 2 * day, 1800, 30, 9 * day, 7200].into_iter().enumerate() {
        harness.opened(opening_in("vpc-prod-1", &format!("vpnx-{number}"), "alice", at(seconds))).await;
    }
    let log = harness.events().await;
    for bound in [0, 29, 30, 31, 1800, 3599, 3600, 3601, 2 * day, 3 * day, 9 * day, 10 * day].map(at) {
        for sub in [Duration::ZERO, Duration::from_micros(877_000), Duration::from_micros(500)] {
            let bound = bound.plus(sub);
            for (from, before) in [(Some(bound), None), (None, Some(bound)), (Some(bound), Some(at(2 * day)))]
            {
                let fits = |now| from.is_none_or(|at| now >= at) && before.is_none_or(|at| now < at);
                let expected = found_by_scan(&log, |event| fits(event.row.occurred_at));
                let filter =
                    EventFilter { created_after: from, created_before: before, ..EventFilter::default() };
                for vpcs in [VpcScope::All, scope(&["vpc-prod-*"])] {
                    let seqs = walk(&harness, &vpcs, &filter, Order::NewestFirst, 3).await;
                    assert_eq!(seqs, expected, "{filter:?}");
                }
                let filter =
                    OperationFilter { created_after: from, created_before: before, ..Default::default() };
                let found =
                    harness.ledger.operations(&VpcScope::All, &filter, None, 100).await.expect("a list");
                assert!(found.iter().all(|operation| fits(operation.created_at)), "{filter:?}");
                assert_eq!(found.len(), expected.len(), "{filter:?}");
            }
        }
    }
}

/// Compares every combination of filters and VPCs with a scan of all rows.
async fn filters_hold_together(harness: Harness) {
    fill(&harness).await;
    let log = harness.events().await;
    let vpcs = [None, Some("vpc-prod-1"), Some("vpc_test"), Some("vpc-none")];
    let tunnels_of = [None, Some("vpnx-1"), Some("vpnx-5")];
    let requesters = [None, Some("alice"), Some("bob")];
    let statuses = [None, Some(Status::Pending), Some(Status::Succeeded), Some(Status::Failed)];
    let accounts = [None, Some("prod-gz")];
    let both = statuses.into_iter().flat_map(|status| accounts.map(|account| (status, account)));
    let both: Vec<_> = both.collect();
    let everything = harness.ledger.operations(&VpcScope::All, &OperationFilter::default(), None, 100).await;
    let everything = everything.expect("a list");
    let owned = |text: Option<&str>| text.map(str::to_owned);
    for visible in [VpcScope::All, scope(&["vpc-prod-*"]), scope(&["*"]), scope(&["vpc_*", "x"])] {
        for vpc in vpcs {
            for tunnel in tunnels_of {
                for requester in requesters {
                    for (status, account) in both.iter().copied() {
                        let fits: Vec<_> = everything
                            .iter()
                            .filter(|o| visible.allows(o.tunnel.vpc_id.as_str()))
                            .filter(|o| vpc.is_none_or(|vpc| o.tunnel.vpc_id.as_str() == vpc))
                            .filter(|o| tunnel.is_none_or(|tunnel| o.tunnel.tunnel_id.as_str() == tunnel))
                            .filter(|o| requester.is_none_or(|name| o.requested_by.name == name))
                            .filter(|o| status.is_none_or(|status| o.status() == status))
                            .filter(|o| account.is_none_or(|account| o.route.account == account))
                            .map(|o| o.id)
                            .collect();
                        let filter = OperationFilter {
                            vpc_id: owned(vpc),
                            tunnel_id: owned(tunnel),
                            requested_by: owned(requester),
                            status,
                            account: owned(account),
                            ..Default::default()
                        };
                        let found =
                            harness.ledger.operations(&visible, &filter, None, 100).await.expect("a list");
                        let found: Vec<_> = found.iter().map(|operation| operation.id).collect();
                        assert_eq!(found, fits, "{visible:?} {filter:?}");
                        let filter = EventFilter {
                            vpc_id: owned(vpc),
                            tunnel_id: owned(tunnel),
                            requested_by: owned(requester),
                            status,
                            account: owned(account),
                            ..Default::default()
                        };
                        let expected = found_by_scan(&log, |event| {
                            event.row.operation_id.is_some_and(|id| fits.contains(&id))
                        });
                        let seqs = walk(&harness, &visible, &filter, Order::NewestFirst, 2).await;
                        assert_eq!(seqs, expected, "{visible:?} {filter:?}");
                    }
                }
            }
        }
    }
}

/// Compares the counts with a scan of all events.
async fn counts_agree_with_the_list_of_events(harness: Harness) {
    fill(&harness).await;
    harness.ledger.write(Step::Record(Box::new(denied(at(4000), "intruder")))).await.expect("written");
    let log = harness.events().await;
    let all = EventFilter::default;
    let some = |text: &str| Some(text.to_owned());
    let cases = [
        (VpcScope::All, all()),
        (scope(&["vpc-prod-*", "vpc-1"]), all()),
        (scope(&[]), all()),
        (VpcScope::All, EventFilter { operation_id: log[0].row.operation_id, ..all() }),
        (VpcScope::All, EventFilter { event: Some(EventKind::Requested), ..all() }),
        (VpcScope::All, EventFilter { vpc_id: some("vpc_test"), requested_by: some("bob"), ..all() }),
        (VpcScope::All, EventFilter { status: Some(Status::Succeeded), ..all() }),
        (VpcScope::All, EventFilter { account: some("prod-gz"), ..all() }),
        (VpcScope::All, EventFilter { tunnel_id: some("vpnx-1"), created_after: Some(at(5)), ..all() }),
        (VpcScope::All, EventFilter { created_after: Some(at(5)), created_before: Some(at(50)), ..all() }),
    ];
    for (vpcs, filter) in cases {
        for bucket in [Bucket::Minute, Bucket::Hour, Bucket::Day] {
            let listed = harness.ledger.events(&vpcs, &filter, Order::OldestFirst, None, 100).await;
            let mut expected = BTreeMap::new();
            for event in listed.expect("a list") {
                let seconds = i64::try_from(bucket.length().as_secs()).expect("a day at most");
                let start = event.row.occurred_at.as_seconds().div_euclid(seconds) * seconds;
                *expected.entry((Timestamp::from_micros(start * 1_000_000), event.row.event)).or_default() +=
                    1_u64;
            }
            let counts = harness.ledger.event_counts(&vpcs, &filter, bucket).await.expect("counts");
            let found: Vec<_> = counts.into_iter().map(|c| ((c.from, c.event), c.count)).collect();
            assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{vpcs:?} {filter:?} {bucket:?}");
        }
    }
}

on_each_ledger!(
    every_filter_narrows_the_list_of_operations,
    pages_stay_right_while_rows_come_in,
    a_principal_sees_its_vpcs_only,
    every_filter_narrows_the_list_of_events,
    pages_are_whole_where_matches_are_rare,
    lists_by_time_are_whole_whatever_the_clocks_did,
    filters_hold_together,
    counts_agree_with_the_list_of_events,
);
