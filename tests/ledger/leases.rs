//! Claims of unfinished operations: leases and fencing tokens.

use std::collections::HashSet;
use std::time::Duration;

use tunnelgate::domain::operation::{ErrorCode, Status, Transition};
use tunnelgate::service::ledger::{Claim, Places, Read, Reads, Step, Written};

use crate::harness::{Harness, LEASE, advance, at, error, open_replica, opening, succeed};

async fn the_opener_s_lease_keeps_trackers_away_until_it_ends(harness: Harness) {
    let opened = harness.opened(opening("vpnx-1", at(0))).await;
    assert!(harness.claim(at(29), 10).await.is_empty());
    let claims = harness.claim(at(30), 10).await;
    assert_eq!(claims[0].operation, opened);
    assert!(claims[0].fence > 0);

    // The opener continues after its lease has ended.
    let late = advance(opened, crate::harness::submit(), 0, at(31));
    assert_eq!(harness.ledger.write(Step::Advance(Box::new(late))).await.expect("written"), Written::Stale);
    let lose = Transition::LoseTrack { reason: error(ErrorCode::AnswerLost) };
    let claim = claims.into_iter().next().expect("a claim");
    harness.advanced(advance(claim.operation, lose, claim.fence, at(32))).await;
    assert_eq!(harness.kinds().await, ["requested", "outcome_unknown"]);
}

async fn a_tracker_that_slept_past_its_lease_changes_nothing(harness: Harness) {
    harness.running("vpnx-1", at(0)).await;
    let sleeper = harness.claim(at(1), 1).await.remove(0);
    assert!(harness.claim(at(2), 1).await.is_empty(), "leased");
    let successor = harness.claim(at(1).plus(LEASE), 1).await.remove(0);
    assert!(successor.fence > sleeper.fence);

    let late = advance(sleeper.operation.clone(), succeed(), sleeper.fence, at(40));
    assert_eq!(harness.ledger.write(Step::Advance(Box::new(late))).await.expect("written"), Written::Stale);
    assert!(!harness.ledger.snooze(&sleeper, None, at(99)).await.expect("written"), "the lease was lost");
    let fail = Transition::Fail { error: error(ErrorCode::TaskFailed) };
    let ended = harness.advanced(advance(successor.operation, fail, successor.fence, at(41))).await;
    assert_eq!(ended.status(), Status::Failed);
}

async fn a_snooze_counts_and_gives_the_lease_back(harness: Harness) {
    harness.running("vpnx-1", at(0)).await;
    let claim = harness.claim(at(1), 1).await.remove(0);
    assert_eq!((claim.polls, claim.reads), (0, Reads::default()));
    assert!(harness.ledger.snooze(&claim, None, at(5)).await.expect("written"));
    assert!(harness.claim(at(4), 1).await.is_empty(), "not due yet");
    assert_eq!(harness.ledger.next_due().await.expect("read"), Some(at(5)));
    let claim = harness.claim(at(5), 1).await.remove(0);
    assert_eq!((claim.polls, claim.reads), (1, Reads::default()));
    let mut claim = claim;
    for read in [Read::Different, Read::Different, Read::Open, Read::Failed, Read::Failed, Read::Failed] {
        assert!(harness.ledger.snooze(&claim, Some(read), at(6)).await.expect("written"));
        claim = harness.claim(at(6), 1).await.remove(0);
    }
    assert_eq!((claim.polls, claim.reads), (7, Reads { different: 2, open: 1, failed: 3 }));
    assert_eq!(
        harness.ledger.next_due().await.expect("read"),
        Some(at(6).plus(LEASE)),
        "when the lease ends"
    );
    harness.advanced(advance(claim.operation, succeed(), claim.fence, at(7))).await;
    assert_eq!(harness.ledger.next_due().await.expect("read"), None);
    assert!(harness.claim(at(9999), 1).await.is_empty(), "nothing is left");
}

async fn the_oldest_due_comes_first_and_no_more_than_asked(harness: Harness) {
    for (tunnel, seconds) in [("vpnx-3", 3), ("vpnx-1", 1), ("vpnx-2", 2)] {
        harness.running(tunnel, at(seconds)).await;
    }
    assert_eq!(names(harness.claim(at(10), 2).await), ["vpnx-1", "vpnx-2"]);
    assert_eq!(names(harness.claim(at(10), 2).await), ["vpnx-3"]);
}

fn names(claims: Vec<Claim>) -> Vec<String> {
    claims.iter().map(|claim| claim.operation.tunnel.tunnel_id.as_str().to_owned()).collect()
}

/// Opens an operation on a tunnel of this gateway and moves it to `running`; due at once.
async fn running_on(harness: &Harness, gateway: &str, tunnel: &str, seconds: u64) {
    let mut opening = opening(tunnel, at(seconds));
    opening.operation.tunnel.gateway_id = gateway.parse().expect("an id");
    let operation = harness.opened(opening).await;
    harness.advanced(advance(operation, crate::harness::submit(), 0, at(seconds))).await;
}

async fn a_backlog_does_not_delay_the_youngest_and_goes_gateway_by_gateway(harness: Harness) {
    for number in 0..12 {
        let gateway = ["vpngw-a", "vpngw-b", "vpngw-c"][number % 3];
        running_on(&harness, gateway, &format!("vpnx-{gateway}-{number:02}"), number as u64).await;
    }
    running_on(&harness, "vpngw-new", "vpnx-new", 100).await;
    running_on(&harness, "vpngw-new", "vpnx-not-due", 300).await;
    let places = Places { youngest: 2, oldest: 5 };
    let claimed = names(harness.claim_by(at(200), places).await);
    // The gateway of the oldest has four. All in the order in which they are due.
    let expected = [
        "vpnx-vpngw-a-00",
        "vpnx-vpngw-b-01",
        "vpnx-vpngw-a-03",
        "vpnx-vpngw-a-06",
        "vpnx-vpngw-a-09",
        "vpnx-vpngw-c-11",
        "vpnx-new",
    ];
    assert_eq!(claimed, expected);

    running_on(&harness, "vpngw-new", "vpnx-newer", 201).await;
    let one = names(harness.claim_by(at(202), Places { youngest: 1, oldest: 0 }).await);
    assert_eq!(one, ["vpnx-newer"]);
    let mut rest = names(harness.claim_by(at(202), Places { youngest: 3, oldest: 30 }).await);
    rest.sort();
    assert_eq!(rest.len(), 6, "each once: {rest:?}");
}

async fn no_operation_is_held_by_two(harness: Harness) {
    const OPERATIONS: usize = 60;
    for number in 0..OPERATIONS {
        harness.running(&format!("vpnx-{number}"), at(0)).await;
    }
    let mut tasks = Vec::new();
    for _ in 0..6 {
        let ledger = if harness.store.is_postgres() {
            open_replica(&harness.store).await
        } else {
            harness.ledger.clone()
        };
        tasks.push(tokio::spawn(async move {
            let mut mine = Vec::new();
            loop {
                let places = Places { youngest: 3, oldest: 4 };
                let claims = ledger.claim("one", at(1), at(1).plus(LEASE), places).await.expect("claims");
                if claims.is_empty() {
                    return mine;
                }
                mine.extend(claims.into_iter().map(|claim| claim.operation.id));
            }
        }));
    }
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.expect("claims"));
    }
    // A claimer stops if all due rows are locked, so some rows may be unclaimed.
    all.extend(harness.claim(at(1), 100).await.into_iter().map(|claim| claim.operation.id));
    assert_eq!(all.len(), OPERATIONS);
    assert_eq!(all.into_iter().collect::<HashSet<_>>().len(), OPERATIONS);
}

async fn the_backlog_tells_how_the_work_stands(harness: Harness) {
    let backlog = harness.ledger.backlog(at(0)).await.expect("read");
    assert_eq!((backlog.unfinished.len(), backlog.oldest, backlog.oldest_due), (0, None, None));
    harness.opened(opening("vpnx-1", at(0))).await;
    harness.running("vpnx-2", at(5)).await;
    harness.running("vpnx-3", at(6)).await;
    let backlog = harness.ledger.backlog(at(20)).await.expect("read");
    assert_eq!(backlog.unfinished, [(Status::Pending, 1), (Status::Running, 2)]);
    assert_eq!((backlog.oldest, backlog.oldest_due), (Some(at(0)), Some(at(5))));
    let ended = harness.claim(at(20), 9).await;
    for claim in ended {
        harness.advanced(advance(claim.operation, succeed(), claim.fence, at(21))).await;
    }
    let backlog = harness.ledger.backlog(at(21).plus(Duration::from_secs(30))).await.expect("read");
    assert_eq!(backlog.unfinished, [(Status::Pending, 1)]);
}

async fn an_operation_that_can_not_be_read_does_not_hold_up_the_others(harness: Harness) {
    harness.opened(opening("vpnx-bad", at(0))).await;
    let good = harness.opened(opening("vpnx-good", at(1))).await;
    harness
        .store
        .execute("UPDATE operations SET gateway_id = 'no id' WHERE tunnel_id = 'vpnx-bad'")
        .await
        .expect("updated");
    let claims = harness.claim(at(40), 10).await;
    assert_eq!(claims.iter().map(|claim| claim.operation.id).collect::<Vec<_>>(), [good.id]);
}

on_each_ledger!(
    the_opener_s_lease_keeps_trackers_away_until_it_ends,
    a_tracker_that_slept_past_its_lease_changes_nothing,
    a_snooze_counts_and_gives_the_lease_back,
    the_oldest_due_comes_first_and_no_more_than_asked,
    a_backlog_does_not_delay_the_youngest_and_goes_gateway_by_gateway,
    no_operation_is_held_by_two,
    an_operation_that_can_not_be_read_does_not_hold_up_the_others,
    the_backlog_tells_how_the_work_stands,
);
