//! Concurrent steps share a transaction, and an invalid step does not fail the others.

use tunnelgate::ledger;
use tunnelgate::metrics::Metrics;
use tunnelgate::service::ledger::{Step, Written};

use crate::harness::{Harness, OPTIONS, at, denied, open_replica, opening};

const STEPS: usize = 64;

/// The value of a metric.
fn value(metrics: &Metrics, name: &str) -> f64 {
    let text = metrics.render();
    let line = text.lines().find(|line| line.split(' ').next() == Some(name));
    let found = line.and_then(|line| line.split(' ').nth(1)).and_then(|value| value.parse().ok());
    found.unwrap_or_else(|| panic!("no {name} in {text}"))
}

async fn steps_at_the_same_time_share_commits(harness: Harness) {
    let metrics = Metrics::default();
    let ledger = ledger::open(harness.store.url(), OPTIONS, &metrics).await.expect("a ledger");
    let writes = (0..STEPS).map(|number| {
        let step = Step::Open(Box::new(opening(&format!("vpnx-{number}"), at(0))));
        let ledger = ledger.clone();
        async move { ledger.write(step).await.expect("written") }
    });
    let written = futures_util::future::join_all(writes).await;
    assert!(written.iter().all(|written| *written == Written::Opened));
    let commits = value(&metrics, "tunnelgate_ledger_batch_steps_count");
    assert!((value(&metrics, "tunnelgate_ledger_batch_steps_sum") - STEPS as f64).abs() < 0.5);
    assert!(commits <= 4.0, "{STEPS} steps took {commits} commits");
    let seqs: Vec<i64> = harness.events().await.into_iter().map(|event| event.row.seq).collect();
    assert_eq!(seqs, (1..=STEPS as i64).collect::<Vec<_>>(), "gap-free");
}

async fn a_batch_sees_its_own_steps(harness: Harness) {
    let writes = (0..STEPS).map(|_| {
        let step = Step::Open(Box::new(opening("vpnx-1", at(0))));
        let ledger = harness.ledger.clone();
        async move { ledger.write(step).await.expect("written") }
    });
    let written = futures_util::future::join_all(writes).await;
    let opened = written.iter().filter(|written| **written == Written::Opened).count();
    let in_progress = written.iter().filter(|written| matches!(written, Written::InProgress(_))).count();
    assert_eq!((opened, in_progress), (1, STEPS - 1));
}

async fn a_step_that_the_database_refuses_fails_alone(harness: Harness) {
    let taken = harness.opened(opening("vpnx-taken", at(0))).await;
    let mut steps: Vec<Step> =
        (0..8).map(|number| Step::Open(Box::new(opening(&format!("vpnx-{number}"), at(0))))).collect();
    // Ids of operations are unique.
    let mut again = opening("vpnx-again", at(0));
    again.operation.id = taken.id;
    steps.insert(4, Step::Open(Box::new(again)));
    let writes = steps.into_iter().map(|step| {
        let ledger = harness.ledger.clone();
        async move { ledger.write(step).await }
    });
    let written = futures_util::future::join_all(writes).await;
    for (place, written) in written.into_iter().enumerate() {
        assert_eq!(written.is_err(), place == 4, "{place}: {written:?}");
    }
    let seqs: Vec<i64> = harness.events().await.into_iter().map(|event| event.row.seq).collect();
    assert_eq!(seqs, (1..=9).collect::<Vec<_>>(), "the refused step leaves no gap");
}

async fn two_replicas_write_one_chain(harness: Harness) {
    let other = open_replica(&harness.store).await;
    let writes = (0..200).map(|number| {
        let ledger = if number % 2 == 0 { harness.ledger.clone() } else { other.clone() };
        let step = Step::Open(Box::new(opening(&format!("vpnx-{number}"), at(0))));
        tokio::spawn(async move { ledger.write(step).await.expect("written") })
    });
    for write in writes.collect::<Vec<_>>() {
        assert_eq!(write.await.expect("an answer"), Written::Opened);
    }
    let verdict = tunnelgate::service::audit::verify(&*harness.ledger, None).await.expect("verified");
    assert!(matches!(verdict, tunnelgate::service::audit::Verdict::Whole { events: 200, .. }), "{verdict:?}");
}

async fn a_step_is_heard_of_on_every_replica(harness: Harness) {
    let other = open_replica(&harness.store).await;
    let mut here = harness.ledger.steps();
    let mut there = other.steps();
    let operation = harness.opened(opening("vpnx-1", at(0))).await;
    assert_eq!(here.recv().await.expect("a step"), operation.id);
    if harness.store.is_postgres() {
        // The listener may still be connecting, so write steps until it receives one.
        let notified = loop {
            tokio::select! {
                notified = there.recv() => break notified.expect("a step"),
                () = tokio::time::sleep(std::time::Duration::from_millis(50)) => {
                    harness.ledger.write(Step::Record(Box::new(denied(at(1), "x")))).await.expect("written");
                    let next = tunnelgate::chance::Chance::word(&tunnelgate::chance::SystemChance);
                    harness.opened(opening(&format!("vpnx-{next}"), at(1))).await;
                }
            }
        };
        let read =
            other.operation(notified, &tunnelgate::domain::principal::VpcScope::All).await.expect("read");
        assert!(read.is_some(), "the operation of the notification exists");
    }
}

on_each_ledger!(
    steps_at_the_same_time_share_commits,
    a_batch_sees_its_own_steps,
    a_step_that_the_database_refuses_fails_alone,
    two_replicas_write_one_chain,
    a_step_is_heard_of_on_every_replica,
);
