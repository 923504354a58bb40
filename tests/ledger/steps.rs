//! What a step does, and what it refuses to do.

use tunnelgate::domain::operation::{ErrorCode, Status, Transition};
use tunnelgate::domain::principal::VpcScope;
use tunnelgate::domain::verification::{Difference, Verification};
use tunnelgate::service::ledger::{Step, Written};

use crate::words::{Bench, advance, at, denied, error, opening, opening_in, submit, succeed};

async fn an_operation_reads_back_as_it_was_written(bench: Bench) {
    let opened = bench.opened(opening("vpnx-1", at(0))).await;
    let read = bench.ledger.operation(opened.id, &VpcScope::All).await.expect("read");
    assert_eq!(read, Some(opened.clone()));

    let running = bench.advanced(advance(opened, submit(), 0, at(1))).await;
    assert_eq!((running.status(), running.updated_at), (Status::Running, at(1)));
    let read = bench.ledger.operation(running.id, &VpcScope::All).await.expect("read");
    assert_eq!(read.as_ref(), Some(&running));

    let claim = bench.claim(at(2), 10).await.remove(0);
    let differences = vec![Difference {
        pointer: "/peer_cidrs".into(),
        asked: serde_json::json!(["10.0.0.0/8"]),
        observed: serde_json::Value::Null,
    }];
    let transition = Transition::Succeed { verification: Verification::Diverged { differences } };
    let ended = bench.advanced(advance(claim.operation, transition, claim.fence, at(3))).await;
    assert_eq!((ended.status(), ended.finished_at), (Status::Succeeded, Some(at(3))));
    let read = bench.ledger.operation(ended.id, &VpcScope::All).await.expect("read");
    assert_eq!(read, Some(ended));
    let kinds = bench.kinds().await;
    assert_eq!(kinds, ["requested", "submitted", "succeeded", "verification_diverged"]);
}

async fn every_end_is_kept(bench: Bench) {
    let why = || error(ErrorCode::TaskFailed);
    let ends: [(&str, Transition); 3] = [
        ("failed", Transition::Fail { error: why() }),
        ("timed_out", Transition::TimeOut { error: why() }),
        ("succeeded", succeed()),
    ];
    for (word, transition) in ends {
        for lost in [false, true] {
            let opened = bench.opened(opening(&format!("vpnx-{word}-{lost}"), at(0))).await;
            let first = if lost { Transition::LoseTrack { reason: why() } } else { submit() };
            let moved = bench.advanced(advance(opened, first, 0, at(1))).await;
            let ended = bench.advanced(advance(moved, transition.clone(), 0, at(2))).await;
            assert_eq!(ended.status().as_str(), word);
            let read = bench.ledger.operation(ended.id, &VpcScope::All).await.expect("read");
            assert_eq!(read, Some(ended));
        }
    }
    let opened = bench.opened(opening("vpnx-rejected", at(0))).await;
    let rejected = bench.advanced(advance(opened, Transition::Reject { error: why() }, 0, at(1))).await;
    assert_eq!(bench.ledger.operation(rejected.id, &VpcScope::All).await.expect("read"), Some(rejected));
}

async fn one_change_at_a_time_on_one_tunnel(bench: Bench) {
    let first = bench.opened(opening("vpnx-1", at(0))).await;
    let second = bench.ledger.write(Step::Open(Box::new(opening("vpnx-1", at(1))))).await.expect("written");
    assert_eq!(second, Written::InProgress(first.id));
    assert_eq!(bench.kinds().await, ["requested"], "a refused opening leaves no event");
    bench.opened(opening("vpnx-2", at(1))).await;
    // A path of another VPC that names the tunnel leads nowhere, and must not keep its owners from it.
    bench.opened(opening_in("vpc-2", "vpnx-1", "netops", at(1))).await;

    let reject = Transition::Reject { error: error(ErrorCode::UpstreamFailed) };
    bench.advanced(advance(first, reject, 0, at(2))).await;
    bench.opened(opening("vpnx-1", at(3))).await;
}

async fn a_step_whose_guard_does_not_hold_writes_nothing(bench: Bench) {
    let opened = bench.opened(opening("vpnx-1", at(0))).await;
    let running = bench.advanced(advance(opened.clone(), submit(), 0, at(1))).await;
    let before = bench.kinds().await;
    let stale = [
        // It has moved on since.
        advance(opened.clone(), submit(), 0, at(2)),
        // Nobody gave out this lease.
        advance(running.clone(), succeed(), 7, at(2)),
        // No such step from there.
        advance(running.clone(), submit(), 0, at(2)),
        // No such operation.
        advance(opening("vpnx-9", at(0)).operation, submit(), 0, at(2)),
    ];
    for advance in stale {
        let written = bench.ledger.write(Step::Advance(Box::new(advance))).await.expect("written");
        assert_eq!(written, Written::Stale);
    }
    assert_eq!(bench.kinds().await, before);
    let ended = bench.advanced(advance(running.clone(), succeed(), 0, at(3))).await;
    let again = bench.ledger.write(Step::Advance(Box::new(advance(running, succeed(), 0, at(4)))));
    assert_eq!(again.await.expect("written"), Written::Stale, "ended once");
    assert_eq!(bench.ledger.operation(ended.id, &VpcScope::All).await.expect("read"), Some(ended));
}

async fn a_refused_call_is_an_event_without_an_operation(bench: Bench) {
    let event = denied(at(0), "intruder");
    let written = bench.ledger.write(Step::Record(Box::new(event.clone()))).await.expect("written");
    assert_eq!(written, Written::Recorded);
    let row = bench.events().await.remove(0).row;
    assert_eq!((row.event.as_str(), row.actor.as_str(), row.operation_id), ("denied", "intruder", None));
    assert_eq!((row.source_ip, row.id), (event.origin.source_ip, event.id));
}

async fn who_and_where_stands_in_every_event(bench: Bench) {
    let running = bench.running("vpnx-1", at(0)).await;
    let claim = bench.claim(at(1), 1).await.remove(0);
    let mut background = advance(claim.operation, succeed(), claim.fence, at(2));
    background.origin = tunnelgate::domain::event::Origin::default();
    bench.advanced(background).await;
    for event in bench.events().await {
        let row = event.row;
        assert_eq!((row.actor.as_str(), row.operation_id), ("netops", Some(running.id)));
        assert_eq!(row.request_id.as_deref(), Some("req-1"));
        assert_eq!(row.source_ip.is_some(), matches!(row.event.as_str(), "requested" | "submitted"));
        assert_eq!(row.changes.is_some(), row.event == "requested");
    }
}

on_each_ledger!(
    an_operation_reads_back_as_it_was_written,
    every_end_is_kept,
    one_change_at_a_time_on_one_tunnel,
    a_step_whose_guard_does_not_hold_writes_nothing,
    a_refused_call_is_an_event_without_an_operation,
    who_and_where_stands_in_every_event,
);
