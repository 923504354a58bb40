//! Steps and their guards.

use tunnelgate::domain::operation::{ErrorCode, Status, Transition};
use tunnelgate::domain::principal::VpcScope;
use tunnelgate::domain::verification::{Difference, Verification};
use tunnelgate::service::ledger::{Step, Written};

use crate::harness::{Harness, advance, at, denied, error, opening, opening_in, submit, succeed};

async fn an_operation_reads_back_as_it_was_written(harness: Harness) {
    let opened = harness.opened(opening("vpnx-1", at(0))).await;
    let read = harness.ledger.operation(opened.id, &VpcScope::All).await.expect("read");
    assert_eq!(read, Some(opened.clone()));

    let running = harness.advanced(advance(opened, submit(), 0, at(1))).await;
    assert_eq!((running.status(), running.updated_at), (Status::Running, at(1)));
    let read = harness.ledger.operation(running.id, &VpcScope::All).await.expect("read");
    assert_eq!(read.as_ref(), Some(&running));

    let claim = harness.claim(at(2), 10).await.remove(0);
    let differences = vec![Difference {
        pointer: "/peer_cidrs".into(),
        asked: serde_json::json!(["10.0.0.0/8"]),
        observed: serde_json::Value::Null,
    }];
    let transition = Transition::Diverge { verification: Verification::Diverged { differences } };
    let ended = harness.advanced(advance(claim.operation, transition, claim.fence, at(3))).await;
    assert_eq!((ended.status(), ended.finished_at), (Status::Diverged, Some(at(3))));
    let read = harness.ledger.operation(ended.id, &VpcScope::All).await.expect("read");
    assert_eq!(read, Some(ended));
    let kinds = harness.kinds().await;
    assert_eq!(kinds, ["requested", "submitted", "diverged"]);
}

async fn every_end_is_kept(harness: Harness) {
    let why = || error(ErrorCode::TaskFailed);
    let ends: [(&str, Transition); 3] = [
        ("failed", Transition::Fail { error: why() }),
        ("timed_out", Transition::TimeOut { error: why() }),
        ("succeeded", succeed()),
    ];
    for (word, transition) in ends {
        for lost in [false, true] {
            let opened = harness.opened(opening(&format!("vpnx-{word}-{lost}"), at(0))).await;
            let first = if lost { Transition::LoseTrack { reason: why() } } else { submit() };
            let moved = harness.advanced(advance(opened, first, 0, at(1))).await;
            let ended = harness.advanced(advance(moved, transition.clone(), 0, at(2))).await;
            assert_eq!(ended.status().as_str(), word);
            let read = harness.ledger.operation(ended.id, &VpcScope::All).await.expect("read");
            assert_eq!(read, Some(ended));
        }
    }
    let opened = harness.opened(opening("vpnx-rejected", at(0))).await;
    let rejected = harness.advanced(advance(opened, Transition::Reject { error: why() }, 0, at(1))).await;
    assert_eq!(harness.ledger.operation(rejected.id, &VpcScope::All).await.expect("read"), Some(rejected));
}

async fn one_change_at_a_time_on_one_tunnel(harness: Harness) {
    let first = harness.opened(opening("vpnx-1", at(0))).await;
    let second = harness.ledger.write(Step::Open(Box::new(opening("vpnx-1", at(1))))).await.expect("written");
    assert_eq!(second, Written::InProgress(first.id));
    assert_eq!(harness.kinds().await, ["requested"], "a refused opening leaves no event");
    harness.opened(opening("vpnx-2", at(1))).await;
    // A request for this tunnel in a wrong VPC can't succeed, and must not block the VPC's owners.
    harness.opened(opening_in("vpc-2", "vpnx-1", "netops", at(1))).await;

    let reject = Transition::Reject { error: error(ErrorCode::UpstreamFailed) };
    harness.advanced(advance(first, reject, 0, at(2))).await;
    harness.opened(opening("vpnx-1", at(3))).await;
}

async fn a_step_whose_guard_does_not_hold_writes_nothing(harness: Harness) {
    let opened = harness.opened(opening("vpnx-1", at(0))).await;
    let running = harness.advanced(advance(opened.clone(), submit(), 0, at(1))).await;
    let before = harness.kinds().await;
    let stale = [
        // The status has changed.
        advance(opened.clone(), submit(), 0, at(2)),
        // Unknown lease.
        advance(running.clone(), succeed(), 7, at(2)),
        // Illegal transition.
        advance(running.clone(), submit(), 0, at(2)),
        // Unknown operation.
        advance(opening("vpnx-9", at(0)).operation, submit(), 0, at(2)),
    ];
    for advance in stale {
        let written = harness.ledger.write(Step::Advance(Box::new(advance))).await.expect("written");
        assert_eq!(written, Written::Stale);
    }
    assert_eq!(harness.kinds().await, before);
    let ended = harness.advanced(advance(running.clone(), succeed(), 0, at(3))).await;
    let again = harness.ledger.write(Step::Advance(Box::new(advance(running, succeed(), 0, at(4)))));
    assert_eq!(again.await.expect("written"), Written::Stale, "an operation ends once");
    assert_eq!(harness.ledger.operation(ended.id, &VpcScope::All).await.expect("read"), Some(ended));
}

async fn a_change_that_was_read_before_another_one_ended_is_read_again(harness: Harness) {
    let first = harness.opened(opening("vpnx-1", at(0))).await;
    let read_seq = harness.ledger.newest_seq().await.expect("read");
    assert_eq!(read_seq, 1);
    let reject = Transition::Reject { error: error(ErrorCode::UpstreamFailed) };
    harness.advanced(advance(first, reject, 0, at(1))).await;
    for (tunnel, read_seq, stale) in [("vpnx-1", 1, true), ("vpnx-2", 1, false), ("vpnx-1", 2, false)] {
        let mut second = opening(tunnel, at(2));
        second.read_seq = Some(read_seq);
        let written = harness.ledger.write(Step::Open(Box::new(second))).await.expect("written");
        assert_eq!(written == Written::ReadStale, stale, "{tunnel} {read_seq}: {written:?}");
    }
}

async fn a_refused_call_is_an_event_without_an_operation(harness: Harness) {
    let event = denied(at(0), "intruder");
    let written = harness.ledger.write(Step::Record(Box::new(event.clone()))).await.expect("written");
    assert_eq!(written, Written::Recorded);
    let row = harness.events().await.remove(0).row;
    assert_eq!((row.event.as_str(), row.actor.as_str(), row.operation_id), ("denied", "intruder", None));
    assert_eq!((row.source_ip, row.id), (event.origin.source_ip, event.id));
}

async fn who_and_where_stands_in_every_event(harness: Harness) {
    let running = harness.running("vpnx-1", at(0)).await;
    let claim = harness.claim(at(1), 1).await.remove(0);
    let mut background = advance(claim.operation, succeed(), claim.fence, at(2));
    background.origin = tunnelgate::domain::event::Origin::default();
    harness.advanced(background).await;
    for event in harness.events().await {
        let row = event.row;
        assert_eq!((row.actor.as_str(), row.operation_id), ("netops", Some(running.id)));
        assert_eq!(row.request_id.as_deref(), Some("req-1"));
        assert_eq!(row.source_ip.is_some(), matches!(row.event.as_str(), "requested" | "submitted"));
        assert_eq!(row.changes.is_some(), row.event == "requested");
        assert_eq!(row.before.is_some(), row.event == "requested");
        assert_eq!((row.format, row.actor_id.as_deref()), (1, Some("id of netops")));
        let route = (row.account.as_deref(), row.region.as_deref(), row.api.as_deref());
        assert_eq!(route, (Some("default"), Some("ap-guangzhou"), Some("2.0")));
        assert_eq!(row.reason.as_deref(), Some("CHG-4711 größe"));
        let status = match row.event.as_str() {
            "requested" => "pending",
            "submitted" => "running",
            other => other,
        };
        assert_eq!(row.outcome.expect("an outcome")["status"], status);
    }
}

on_each_ledger!(
    an_operation_reads_back_as_it_was_written,
    every_end_is_kept,
    one_change_at_a_time_on_one_tunnel,
    a_step_whose_guard_does_not_hold_writes_nothing,
    a_change_that_was_read_before_another_one_ended_is_read_again,
    a_refused_call_is_an_event_without_an_operation,
    who_and_where_stands_in_every_event,
);
