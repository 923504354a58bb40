//! Two replicas on one store: each respects the writes of the other.

use tunnelgate::domain::operation::Status;
use tunnelgate::service::audit::{Verdict, verify};
use tunnelgate::service::ledger::{Places, Step, Written};

use crate::harness::{Harness, advance, at, denied, open_replica, opening, submit, succeed, with_key};

async fn the_chain_stays_whole_when_two_take_turns(harness: Harness) {
    let replicas = [harness.ledger.clone(), open_replica(&harness.store).await];
    // One replica writes alone, then the other, then both alternately, then both at once.
    let turns = [0, 0, 0, 1, 1, 0, 1, 0, 1, 1, 0];
    for (number, replica) in turns.into_iter().enumerate() {
        let event = denied(at(number as u64), &format!("caller-{number}"));
        let written = replicas[replica].write(Step::Record(Box::new(event))).await.expect("written");
        assert_eq!(written, Written::Recorded);
    }
    let at_once = (0..40).map(|number| {
        let replica = replicas[number % 2].clone();
        let step = Step::Open(Box::new(opening(&format!("vpnx-{number}"), at(60))));
        async move { replica.write(step).await.expect("written") }
    });
    let written = futures_util::future::join_all(at_once).await;
    assert!(written.iter().all(|written| *written == Written::Opened), "{written:?}");
    let verdict = verify(&*harness.ledger, None).await.expect("verified");
    assert!(matches!(verdict, Verdict::Whole { events: 51, .. }), "{verdict:?}");
}

async fn what_the_other_wrote_stands_in_the_way(harness: Harness) {
    let other = open_replica(&harness.store).await;
    for number in 0..3 {
        other.write(Step::Record(Box::new(denied(at(number), "warm")))).await.expect("written");
    }
    let opened = harness.opened(with_key(opening("vpnx-1", at(10)), "key-1", 1)).await;
    // The same tunnel, the same key, and a step of an operation whose status has changed.
    let second = other.write(Step::Open(Box::new(opening("vpnx-1", at(11))))).await.expect("written");
    assert_eq!(second, Written::InProgress(opened.id));
    let repeated = Step::Open(Box::new(with_key(opening("vpnx-2", at(12)), "key-1", 1)));
    let repeated = other.write(repeated).await.expect("written");
    assert_eq!(repeated, Written::Repeated(Box::new(opened.clone())));
    let running = harness.advanced(advance(opened.clone(), submit(), 0, at(13))).await;
    let late = other.write(Step::Advance(Box::new(advance(opened, submit(), 0, at(14))))).await;
    assert_eq!(late.expect("written"), Written::Stale);
    let ended = other.write(Step::Advance(Box::new(advance(running, succeed(), 0, at(15))))).await;
    assert!(matches!(ended.expect("written"), Written::Advanced(o) if o.status() == Status::Succeeded));
    assert_eq!(harness.kinds().await[3..], ["requested", "submitted", "succeeded"]);
}

async fn a_lease_taken_by_the_other_fences_off(harness: Harness) {
    let other = open_replica(&harness.store).await;
    let running = harness.running("vpnx-1", at(0)).await;
    let claims =
        other.claim("other", at(1), at(40), Places { youngest: 1, oldest: 0 }).await.expect("claims");
    assert_eq!(claims.len(), 1);
    // A claim does not move the chain head. Only the fencing token shows it.
    let late = harness.ledger.write(Step::Advance(Box::new(advance(running, succeed(), 0, at(2))))).await;
    assert_eq!(late.expect("written"), Written::Stale);
    assert_eq!(harness.kinds().await, ["requested", "submitted"]);
}

on_each_ledger!(
    the_chain_stays_whole_when_two_take_turns,
    what_the_other_wrote_stands_in_the_way,
    a_lease_taken_by_the_other_fences_off,
);
