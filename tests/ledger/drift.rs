//! Drift in the ledger: what is watched, the lease on the sweep, findings with their guards, and verification.

use serde_json::{Value, json};
use tunnelgate::chance::{Chance, SystemChance};
use tunnelgate::domain::drift::FieldDrift;
use tunnelgate::domain::event::{Actor, EventKind, NewEvent, Route};
use tunnelgate::domain::operation::{ErrorCode, Operation, OperationId, Status, Transition};
use tunnelgate::domain::principal::VpcScope;
use tunnelgate::domain::timestamp::Timestamp;
use tunnelgate::service::audit::{Break, Row, Verdict, verify};
use tunnelgate::service::ledger::{
    DriftFilter, EventFilter, Finding, FindingEvent, OpenDrift, Order, Progress, Recorded, SweptSince,
    WatchedGateway, WatchedTunnel,
};

use crate::harness::{
    Harness, LEASE, advance, at, error, open_replica, opening, opening_in, path, submit, succeed,
};
use crate::support::Store;

/// Takes the lease; its fencing token.
async fn hold(harness: &Harness, holder: &str, now: Timestamp) -> Option<i64> {
    let sweep = harness.ledger.hold_sweep(holder, now, now.plus(LEASE)).await.expect("held or not");
    sweep.map(|sweep| sweep.fence)
}

async fn succeeded(harness: &Harness, tunnel: &str, seconds: u64) -> Operation {
    let running = harness.running(tunnel, at(seconds)).await;
    harness.advanced(advance(running, succeed(), 0, at(seconds + 1))).await
}

fn event(kind: EventKind, operation: &Operation, before: &Value, now: &Value, seconds: u64) -> FindingEvent {
    let occurred_at = at(seconds);
    let fields = before.as_object().expect("an object").iter();
    let field = |(name, set): (&String, &Value)| FieldDrift {
        pointer: format!("/{name}"),
        set: set.clone(),
        observed: now[name].clone(),
        since: occurred_at,
        operation_id: operation.id,
    };
    let fields = fields.map(field).collect();
    let event = NewEvent {
        operation_id: Some(operation.id),
        tunnel: Some(operation.tunnel.clone()),
        route: Some(operation.route.clone()),
        changes: Some(now.clone()),
        before: Some(serde_json::from_value(before.clone()).expect("an object")),
        ..NewEvent::new(SystemChance.id(occurred_at), kind, Actor::gateway(), occurred_at)
    };
    FindingEvent { event, fields }
}

fn finding(operation: &Operation, read_seq: i64, events: Vec<FindingEvent>) -> Finding {
    let tunnel = &operation.tunnel;
    Finding { lock_id: format!("{}/{}", tunnel.vpc_id, tunnel.tunnel_id), read_seq, events }
}

fn detected(operation: &Operation, read_seq: i64, name: &str, seconds: u64) -> Finding {
    let event =
        event(EventKind::DriftDetected, operation, &json!({"name": "set"}), &json!({"name": name}), seconds);
    finding(operation, read_seq, vec![event])
}

fn resolved(operation: &Operation, read_seq: i64, seconds: u64) -> Finding {
    let event =
        event(EventKind::DriftResolved, operation, &json!({"name": "x"}), &json!({"name": "set"}), seconds);
    finding(operation, read_seq, vec![event])
}

async fn record(harness: &Harness, fence: i64, findings: &[Finding]) -> Recorded {
    harness.ledger.record_findings(fence, findings).await.expect("recorded or not")
}

async fn newest(harness: &Harness) -> i64 {
    harness.ledger.newest_seq().await.expect("read")
}

async fn open(harness: &Harness) -> Vec<OpenDrift> {
    let filter = DriftFilter::default();
    harness.ledger.drifts(&VpcScope::All, &filter, None, 100).await.expect("read")
}

async fn is_whole(harness: &Harness) {
    let verdict = verify(&*harness.ledger, None).await.expect("verified");
    assert!(matches!(verdict, Verdict::Whole { .. }), "{verdict:?}");
}

async fn the_sweep_has_one_holder_and_each_holder_its_token(harness: Harness) {
    let first = hold(&harness, "one", at(0)).await.expect("free");
    assert_eq!(hold(&harness, "other", at(29)).await, None, "leased");
    assert_eq!(hold(&harness, "one", at(20)).await, Some(first), "extended without a break");
    assert_eq!(hold(&harness, "other", at(49)).await, None, "extended");
    let second = hold(&harness, "other", at(50)).await.expect("the lease has ended");
    assert!(second > first);
    harness.ledger.release_sweep(first).await.expect("too late");
    assert_eq!(hold(&harness, "one", at(51)).await, None, "an old token ends no lease");
    harness.ledger.release_sweep(second).await.expect("released");
    let third = hold(&harness, "one", at(51)).await.expect("given back");
    assert!(third > second);
    let fourth = hold(&harness, "one", at(200)).await.expect("nobody else");
    assert!(fourth > third, "another may have held it meanwhile");
}

async fn progress_is_kept_for_the_next_holder(harness: Harness) {
    succeeded(&harness, "vpnx-1", 0).await;
    let sweep = harness.ledger.hold_sweep("one", at(9), at(99)).await.expect("read").expect("free");
    assert_eq!(sweep.progress, Progress::default(), "follows from the first event on");
    let progress = Progress {
        followed_seq: 3,
        began_at: Some(at(9)),
        place: Some("a place".into()),
        swept_at: Some(at(8)),
    };
    assert!(harness.ledger.save_watched(sweep.fence, 3, &[]).await.expect("saved"));
    assert!(harness.ledger.save_progress(sweep.fence, &progress).await.expect("saved"));
    assert!(!harness.ledger.save_progress(sweep.fence - 1, &Progress::default()).await.expect("refused"));
    assert!(!harness.ledger.save_watched(sweep.fence - 1, 9, &[]).await.expect("refused"));
    let next = harness.ledger.hold_sweep("other", at(99), at(199)).await.expect("read").expect("ended");
    assert_eq!(next.progress, progress);
    assert_eq!(harness.ledger.swept_since().await.expect("read"), Some(SweptSince::Swept(at(8))));
}

async fn before_the_first_whole_sweep_the_ledger_knows_when_drift_was_turned_on(harness: Harness) {
    let since = async || harness.ledger.swept_since().await.expect("read");
    assert_eq!(since().await, None, "drift is off");
    let fence = hold(&harness, "one", at(3)).await.expect("free");
    assert_eq!(since().await, Some(SweptSince::Never(at(3))));
    let progress = Progress { began_at: Some(at(4)), ..Progress::default() };
    assert!(harness.ledger.save_progress(fence, &progress).await.expect("saved"));
    hold(&harness, "one", at(5)).await.expect("held");
    hold(&harness, "other", at(90)).await.expect("ended");
    assert_eq!(since().await, Some(SweptSince::Never(at(3))), "the first time counts");
}

async fn the_ends_of_operations_come_in_the_order_of_the_log(harness: Harness) {
    let first = harness.running("vpnx-1", at(0)).await;
    let second = harness.running("vpnx-2", at(1)).await;
    let rejected = harness.opened(opening("vpnx-3", at(2))).await;
    let reject = Transition::Reject { error: error(ErrorCode::UpstreamInvalidParameter) };
    harness.advanced(advance(rejected, reject, 0, at(3))).await;
    let fail = Transition::Fail { error: error(ErrorCode::TaskFailed) };
    let second = harness.advanced(advance(second, fail, 0, at(4))).await;
    let first = harness.advanced(advance(first, succeed(), 0, at(5))).await;
    let ended = harness.ledger.ended_operations(0, 100).await.expect("read");
    let found: Vec<(&str, &Operation)> =
        ended.iter().map(|ended| (ended.lock_id.as_str(), &ended.operation)).collect();
    assert_eq!(found, [("vpc-1/vpnx-2", &second), ("vpc-1/vpnx-1", &first)]);
    let last = newest(&harness).await;
    assert_eq!(harness.ledger.ended_operations(last - 1, last).await.expect("read").len(), 1);
    assert!(harness.ledger.ended_operations(last, last + 9).await.expect("read").is_empty());
}

async fn watched_tunnels_are_stored_once_and_counted_by_gateway(harness: Harness) {
    let fence = hold(&harness, "one", at(0)).await.expect("free");
    let tunnel = |tunnel: &str, name: &str| WatchedTunnel {
        lock_id: format!("vpc-1/{tunnel}"),
        tunnel: path("vpc-1", tunnel),
        fields: serde_json::from_value(json!({
            "/name": {"operation_id": OperationId::from_u128(1), "set": name, "fingerprint_key_id": "größe"}
        }))
        .expect("fields"),
    };
    let both = [tunnel("vpnx-1", "a"), tunnel("vpnx-2", "größe \"\\")];
    assert!(harness.ledger.save_watched(fence, 1, &both).await.expect("saved"));
    let again = [tunnel("vpnx-1", "b")];
    assert!(harness.ledger.save_watched(fence, 2, &again).await.expect("saved"));
    let locks = ["vpc-1/vpnx-1", "vpc-1/vpnx-2", "vpc-1/vpnx-3"].map(str::to_owned);
    let mut found = harness.ledger.watched(&locks).await.expect("read");
    found.sort_by(|one, other| one.lock_id.cmp(&other.lock_id));
    assert_eq!(found, [tunnel("vpnx-1", "b"), tunnel("vpnx-2", "größe \"\\")]);
    let gateways = harness.ledger.watched_gateways().await.expect("read");
    let expected = WatchedGateway { vpc_id: "vpc-1".into(), gateway_id: "vpngw-1".into(), tunnels: 2 };
    assert_eq!(gateways, [expected]);
}

async fn a_finding_is_an_event_with_its_row(harness: Harness) {
    let operation = succeeded(&harness, "vpnx-1", 0).await;
    let fence = hold(&harness, "one", at(2)).await.expect("free");
    let read = newest(&harness).await;
    assert_eq!(
        record(&harness, fence, &[detected(&operation, read, "x", 3)]).await,
        Recorded::Written(vec![true])
    );
    let expected = OpenDrift {
        lock_id: "vpc-1/vpnx-1".into(),
        tunnel: operation.tunnel.clone(),
        route: Route { account: "default".into(), region: "ap-guangzhou".into(), api: "2.0".into() },
        seq: read + 1,
        drift: FieldDrift {
            pointer: "/name".into(),
            set: json!("set"),
            observed: json!("x"),
            since: at(3),
            operation_id: operation.id,
        },
    };
    assert_eq!(open(&harness).await, std::slice::from_ref(&expected));
    assert_eq!(harness.ledger.open_drift(&["vpc-1/vpnx-1".into()]).await.expect("read"), [expected]);
    assert_eq!(harness.ledger.drift_counts().await.expect("read"), [("default".to_owned(), 1)]);
    is_whole(&harness).await;

    // Another value of the field takes the place of the first.
    record(&harness, fence, &[detected(&operation, read, "y", 4)]).await;
    assert_eq!(open(&harness).await[0].drift.observed, json!("y"));
    assert_eq!(open(&harness).await.len(), 1);
    is_whole(&harness).await;

    record(&harness, fence, &[resolved(&operation, read, 5)]).await;
    assert!(open(&harness).await.is_empty());
    is_whole(&harness).await;
    let drift: Vec<String> =
        harness.kinds().await.into_iter().filter(|kind| kind.starts_with("drift")).collect();
    assert_eq!(drift, ["drift_detected", "drift_detected", "drift_resolved"]);
    let event = harness.events().await.pop().expect("an event").row;
    assert_eq!((event.actor.as_str(), event.actor_kind.as_str()), ("tunnelgate", "system"));
}

async fn a_change_of_the_gateway_s_own_is_never_told(harness: Harness) {
    let operation = succeeded(&harness, "vpnx-1", 0).await;
    let fence = hold(&harness, "one", at(2)).await.expect("free");
    let read = newest(&harness).await;
    // It began after the read, and has not ended.
    let running = harness.running("vpnx-1", at(3)).await;
    let late = detected(&operation, read, "x", 4);
    assert_eq!(record(&harness, fence, std::slice::from_ref(&late)).await, Recorded::Written(vec![false]));
    let now = detected(&operation, newest(&harness).await, "x", 4);
    assert_eq!(record(&harness, fence, &[now]).await, Recorded::Written(vec![false]), "under way");
    // It has ended, after the read.
    let fail = Transition::Fail { error: error(ErrorCode::TaskFailed) };
    harness.advanced(advance(running, fail, 0, at(5))).await;
    // The guard of one tunnel does not hold another one up.
    let other = succeeded(&harness, "vpnx-2", 6).await;
    let both = [late, detected(&other, newest(&harness).await, "y", 8)];
    assert_eq!(record(&harness, fence, &both).await, Recorded::Written(vec![false, true]));
    assert_eq!(open(&harness).await[0].tunnel.tunnel_id.as_str(), "vpnx-2");
    is_whole(&harness).await;
}

async fn a_sweeper_that_slept_past_its_lease_tells_nothing(harness: Harness) {
    let operation = succeeded(&harness, "vpnx-1", 0).await;
    let sleeper = hold(&harness, "one", at(2)).await.expect("free");
    let successor = hold(&harness, "other", at(2).plus(LEASE)).await.expect("ended");
    let read = newest(&harness).await;
    let late = record(&harness, sleeper, &[detected(&operation, read, "x", 60)]).await;
    assert_eq!(late, Recorded::LeaseLost);
    assert!(open(&harness).await.is_empty());
    let told = record(&harness, successor, &[detected(&operation, read, "x", 60)]).await;
    assert_eq!(told, Recorded::Written(vec![true]));
    let replica = open_replica(&harness.store).await;
    let seen = replica.open_drift(&["vpc-1/vpnx-1".into()]).await.expect("read");
    assert_eq!(seen.len(), 1, "another replica knows what was told");
}

async fn lists_show_only_the_vpcs_of_the_caller_page_by_page(harness: Harness) {
    let fence = hold(&harness, "one", at(0)).await.expect("free");
    for (number, vpc) in ["vpc-prod-1", "vpc-test-1", "vpc-prod-2"].into_iter().enumerate() {
        let tunnel = format!("vpnx-{number}");
        let opened = harness.opened(opening_in(vpc, &tunnel, "netops", at(1))).await;
        let running = harness.advanced(advance(opened, submit(), 0, at(1))).await;
        let operation = harness.advanced(advance(running, succeed(), 0, at(2))).await;
        let (set, now) = (json!({"name": "a", "peer_cidrs": []}), json!({"name": "b", "peer_cidrs": ["x"]}));
        let event = event(EventKind::DriftDetected, &operation, &set, &now, 3);
        let read = newest(&harness).await;
        record(&harness, fence, &[finding(&operation, read, vec![event])]).await;
    }
    let prod = VpcScope::Matching(vec!["vpc-prod-*".parse().expect("a pattern")]);
    let all = DriftFilter::default();
    let mut after = None;
    let mut found = Vec::new();
    loop {
        let page = harness.ledger.drifts(&prod, &all, after.clone(), 1).await.expect("read");
        let Some(last) = page.last() else { break };
        after = Some((last.seq, last.drift.pointer.clone()));
        found.extend(page.into_iter().map(|open| (open.tunnel.vpc_id.to_string(), open.drift.pointer)));
    }
    let expected = [
        ("vpc-prod-2", "/peer_cidrs"),
        ("vpc-prod-2", "/name"),
        ("vpc-prod-1", "/peer_cidrs"),
        ("vpc-prod-1", "/name"),
    ];
    assert_eq!(found, expected.map(|(vpc, pointer)| (vpc.to_owned(), pointer.to_owned())));
    let filters = [
        (DriftFilter { vpc_id: Some("vpc-test-1".into()), ..all.clone() }, 2),
        (DriftFilter { tunnel_id: Some("vpnx-0".into()), ..all.clone() }, 2),
        (DriftFilter { account: Some("other".into()), ..all.clone() }, 0),
    ];
    for (filter, count) in filters {
        let found = harness.ledger.drifts(&VpcScope::All, &filter, None, 100).await.expect("read");
        assert_eq!(found.len(), count, "{filter:?}");
    }
    assert_eq!(harness.ledger.drift_counts().await.expect("read"), [("default".to_owned(), 3)]);
}

/// Drift belongs to operations that succeeded, however long ago that was.
async fn events_about_drift_are_found_by_the_status_of_their_operation(harness: Harness) {
    let operation = succeeded(&harness, "vpnx-1", 0).await;
    let fence = hold(&harness, "one", at(2)).await.expect("free");
    for number in 0..8 {
        let running = harness.running(&format!("vpnx-other-{number}"), at(3)).await;
        let fail = Transition::Fail { error: error(ErrorCode::TaskFailed) };
        harness.advanced(advance(running, fail, 0, at(4))).await;
    }
    record(&harness, fence, &[detected(&operation, newest(&harness).await, "x", 5)]).await;
    let status = Status::Succeeded;
    for (event, limit, expected) in [
        (None, 1, vec!["drift_detected"]),
        (None, 9, vec!["drift_detected", "succeeded", "submitted", "requested"]),
        (Some(EventKind::DriftDetected), 9, vec!["drift_detected"]),
        (Some(EventKind::DriftResolved), 9, vec![]),
    ] {
        let filter = EventFilter { event, status: Some(status), ..EventFilter::default() };
        let found = harness.ledger.events(&VpcScope::All, &filter, Order::NewestFirst, None, limit).await;
        let kinds: Vec<String> = found.expect("read").into_iter().map(|event| event.row.event).collect();
        assert_eq!(kinds, expected, "{event:?} {limit}");
    }
}

async fn verification_compares_the_open_differences_with_the_log(harness: Harness) {
    let operation = succeeded(&harness, "vpnx-1", 0).await;
    let fence = hold(&harness, "one", at(2)).await.expect("free");
    let read = newest(&harness).await;
    record(&harness, fence, &[detected(&operation, read, "x", 3)]).await;
    is_whole(&harness).await;
    let verdict = async || verify(&*harness.ledger, None).await.expect("verified");
    let broken = |row, why| Verdict::Broken { row, why };
    let row = || Row::Drift("/name of vpnx-1".into());
    let json = if harness.store.is_postgres() { "::jsonb" } else { "" };
    for set in [
        format!("observed = '\"z\"'{json}"),
        format!("was_set = '\"z\"'{json}"),
        "vpc_id = 'vpc-2'".to_owned(),
        "account = 'other'".to_owned(),
        "seq = seq - 1".to_owned(),
    ] {
        harness.store.execute("CREATE TABLE kept AS SELECT * FROM drift").await.expect("kept");
        harness.store.execute(&format!("UPDATE drift SET {set}")).await.expect("changed");
        assert_eq!(verdict().await, broken(row(), Break::Drift), "{set}");
        harness.store.execute("DELETE FROM drift").await.expect("deleted");
        assert_eq!(verdict().await, broken(Row::Event(read + 1), Break::DriftMissing), "removed");
        harness.store.execute("INSERT INTO drift SELECT * FROM kept").await.expect("restored");
        harness.store.execute("DROP TABLE kept").await.expect("dropped");
        is_whole(&harness).await;
    }
    harness.store.execute("CREATE TABLE kept AS SELECT * FROM drift").await.expect("kept");
    record(&harness, fence, &[resolved(&operation, read, 5)]).await;
    is_whole(&harness).await;
    harness.store.execute("INSERT INTO drift SELECT * FROM kept").await.expect("inserted");
    assert_eq!(verdict().await, broken(row(), Break::Drift), "it is gone");
}

/// The archive removed events that nobody had followed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_set_before_archived_changes_is_not_watched() {
    let harness = Harness::open(Store::postgres().await).await;
    let operation = succeeded(&harness, "vpnx-1", 0).await;
    let fence = hold(&harness, "a", at(5)).await.expect("the lease");
    let fields = serde_json::from_value(json!({"/name": {"operation_id": operation.id, "set": "a"}}));
    let tunnel = WatchedTunnel {
        lock_id: "vpc-1/vpnx-1".into(),
        tunnel: operation.tunnel.clone(),
        fields: fields.expect("fields"),
    };
    assert!(harness.ledger.save_watched(fence, 1, std::slice::from_ref(&tunnel)).await.expect("saved"));
    let held = |second| harness.ledger.hold_sweep("a", at(second), at(second).plus(LEASE));
    let sweep = held(6).await.expect("asked").expect("held");
    assert_eq!(sweep.progress.followed_seq, 1, "nothing is archived");
    let archive = "ALTER TABLE audit_events DISABLE TRIGGER USER; DELETE FROM audit_events WHERE seq < 3";
    harness.store.execute(archive).await.expect("archived");
    let sweep = held(7).await.expect("asked").expect("held");
    let watched = harness.ledger.watched(&[tunnel.lock_id]).await.expect("read");
    assert_eq!((sweep.progress.followed_seq, watched), (2, Vec::new()));
}

on_each_ledger!(
    the_sweep_has_one_holder_and_each_holder_its_token,
    progress_is_kept_for_the_next_holder,
    before_the_first_whole_sweep_the_ledger_knows_when_drift_was_turned_on,
    the_ends_of_operations_come_in_the_order_of_the_log,
    watched_tunnels_are_stored_once_and_counted_by_gateway,
    a_finding_is_an_event_with_its_row,
    a_change_of_the_gateway_s_own_is_never_told,
    a_sweeper_that_slept_past_its_lease_tells_nothing,
    lists_show_only_the_vpcs_of_the_caller_page_by_page,
    events_about_drift_are_found_by_the_status_of_their_operation,
    verification_compares_the_open_differences_with_the_log,
);
