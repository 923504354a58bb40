//! Steps that come in together share a transaction, and one at fault does not take the others with it.

use tunnelgate::ledger;
use tunnelgate::metrics::Metrics;
use tunnelgate::service::ledger::{Step, Written};

use crate::words::{Bench, OPTIONS, another, at, denied, opening};

const STEPS: usize = 64;

/// A figure of `/metrics`.
fn figure(metrics: &Metrics, name: &str) -> f64 {
    let text = metrics.render();
    let line = text.lines().find(|line| line.split(' ').next() == Some(name));
    let value = line.and_then(|line| line.split(' ').nth(1)).and_then(|value| value.parse().ok());
    value.unwrap_or_else(|| panic!("no {name} in {text}"))
}

async fn steps_at_the_same_time_share_commits(bench: Bench) {
    let metrics = Metrics::default();
    let ledger = ledger::open(bench.store.url(), OPTIONS, &metrics).await.expect("a ledger");
    let writes = (0..STEPS).map(|number| {
        let step = Step::Open(Box::new(opening(&format!("vpnx-{number}"), at(0))));
        let ledger = ledger.clone();
        async move { ledger.write(step).await.expect("written") }
    });
    let written = futures_util::future::join_all(writes).await;
    assert!(written.iter().all(|written| *written == Written::Opened));
    let commits = figure(&metrics, "tunnelgate_ledger_batch_steps_count");
    assert!((figure(&metrics, "tunnelgate_ledger_batch_steps_sum") - STEPS as f64).abs() < 0.5);
    assert!(commits <= 4.0, "{STEPS} steps took {commits} commits");
    let seqs: Vec<i64> = bench.events().await.into_iter().map(|event| event.row.seq).collect();
    assert_eq!(seqs, (1..=STEPS as i64).collect::<Vec<_>>(), "gap-free");
}

async fn a_batch_sees_its_own_steps(bench: Bench) {
    let writes = (0..STEPS).map(|_| {
        let step = Step::Open(Box::new(opening("vpnx-1", at(0))));
        let ledger = bench.ledger.clone();
        async move { ledger.write(step).await.expect("written") }
    });
    let written = futures_util::future::join_all(writes).await;
    let opened = written.iter().filter(|written| **written == Written::Opened).count();
    let in_progress = written.iter().filter(|written| matches!(written, Written::InProgress(_))).count();
    assert_eq!((opened, in_progress), (1, STEPS - 1));
}

async fn a_step_that_the_database_refuses_fails_alone(bench: Bench) {
    let taken = denied(at(0), "first");
    bench.ledger.write(Step::Record(Box::new(taken.clone()))).await.expect("written");
    let mut steps: Vec<Step> =
        (0..8).map(|number| Step::Open(Box::new(opening(&format!("vpnx-{number}"), at(0))))).collect();
    // The id of an event stands once.
    steps.insert(4, Step::Record(Box::new(taken)));
    let writes = steps.into_iter().map(|step| {
        let ledger = bench.ledger.clone();
        async move { ledger.write(step).await }
    });
    let written = futures_util::future::join_all(writes).await;
    for (place, written) in written.into_iter().enumerate() {
        assert_eq!(written.is_err(), place == 4, "{place}: {written:?}");
    }
    let seqs: Vec<i64> = bench.events().await.into_iter().map(|event| event.row.seq).collect();
    assert_eq!(seqs, (1..=9).collect::<Vec<_>>(), "no gap where the refused one would have stood");
}

async fn two_replicas_write_one_chain(bench: Bench) {
    let other = another(&bench.store).await;
    let writes = (0..200).map(|number| {
        let ledger = if number % 2 == 0 { bench.ledger.clone() } else { other.clone() };
        let step = Step::Open(Box::new(opening(&format!("vpnx-{number}"), at(0))));
        tokio::spawn(async move { ledger.write(step).await.expect("written") })
    });
    for write in writes.collect::<Vec<_>>() {
        assert_eq!(write.await.expect("an answer"), Written::Opened);
    }
    let verdict = tunnelgate::service::audit::verify(&*bench.ledger, None).await.expect("looked");
    assert!(matches!(verdict, tunnelgate::service::audit::Verdict::Whole { events: 200, .. }), "{verdict:?}");
}

async fn a_step_is_heard_of_on_every_replica(bench: Bench) {
    let other = another(&bench.store).await;
    let mut here = bench.ledger.steps();
    let mut there = other.steps();
    let operation = bench.opened(opening("vpnx-1", at(0))).await;
    assert_eq!(here.recv().await.expect("a step"), operation.id);
    if bench.store.is_postgres() {
        // The listener may still be connecting; every step is told.
        let heard = loop {
            tokio::select! {
                heard = there.recv() => break heard.expect("a step"),
                () = tokio::time::sleep(std::time::Duration::from_millis(50)) => {
                    bench.ledger.write(Step::Record(Box::new(denied(at(1), "x")))).await.expect("written");
                    let next = tunnelgate::chance::Chance::word(&tunnelgate::chance::SystemChance);
                    bench.opened(opening(&format!("vpnx-{next}"), at(1))).await;
                }
            }
        };
        let read = other.operation(heard, &tunnelgate::domain::principal::VpcScope::All).await.expect("read");
        assert!(read.is_some(), "what is heard of is there");
    }
}

on_each_ledger!(
    steps_at_the_same_time_share_commits,
    a_batch_sees_its_own_steps,
    a_step_that_the_database_refuses_fails_alone,
    two_replicas_write_one_chain,
    a_step_is_heard_of_on_every_replica,
);
