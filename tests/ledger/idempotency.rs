//! `Idempotency-Key`: one operation for one request.

use std::time::Duration;

use tunnelgate::domain::operation::{ErrorCode, Transition};
use tunnelgate::domain::principal::VpcScope;
use tunnelgate::service::ledger::{IDEMPOTENCY_WINDOW, SecretIdentity, Step, Written};

use crate::harness::{Harness, advance, at, error, open_replica, opening, submit, succeed, with_key};

async fn write(harness: &Harness, opening: tunnelgate::service::ledger::Opening) -> Written {
    harness.ledger.write(Step::Open(Box::new(opening))).await.expect("written")
}

async fn the_same_request_gives_the_first_operation_as_it_is_now(harness: Harness) {
    let first = harness.opened(with_key(opening("vpnx-1", at(0)), "a", 1)).await;
    let repeated = write(&harness, with_key(opening("vpnx-1", at(1)), "a", 1)).await;
    assert_eq!(repeated, Written::Repeated(Box::new(first.clone())));
    let running = harness.advanced(advance(first, submit(), 0, at(2))).await;
    let ended = harness.advanced(advance(running, succeed(), 0, at(3))).await;
    let repeated = write(&harness, with_key(opening("vpnx-1", at(4)), "a", 1)).await;
    assert_eq!(repeated, Written::Repeated(Box::new(ended)));
    assert_eq!(harness.kinds().await.iter().filter(|kind| *kind == "requested").count(), 1);
}

async fn another_request_under_the_key_is_refused(harness: Harness) {
    harness.opened(with_key(opening("vpnx-1", at(0)), "a", 1)).await;
    assert_eq!(write(&harness, with_key(opening("vpnx-2", at(1)), "a", 2)).await, Written::KeyReused);
    // Keys of different principals are independent.
    let mut other = with_key(opening("vpnx-2", at(1)), "a", 2);
    if let Some(idempotency) = &mut other.idempotency {
        idempotency.principal_id = "key:2".into();
    }
    harness.opened(other).await;
}

async fn a_key_is_forgotten_after_a_day(harness: Harness) {
    let first = harness.opened(with_key(opening("vpnx-1", at(0)), "a", 1)).await;
    let last_moment = at(0).plus(IDEMPOTENCY_WINDOW - Duration::from_micros(1));
    let repeated = write(&harness, with_key(opening("vpnx-2", last_moment), "a", 1)).await;
    assert_eq!(repeated, Written::Repeated(Box::new(first)));
    let after = at(0).plus(IDEMPOTENCY_WINDOW);
    let second = harness.opened(with_key(opening("vpnx-2", after), "a", 2)).await;
    let repeated = write(&harness, with_key(opening("vpnx-2", after), "a", 2)).await;
    assert_eq!(repeated, Written::Repeated(Box::new(second)), "the key belongs to the second operation");
}

async fn old_keys_are_removed_and_no_others(harness: Harness) {
    let first = harness.opened(with_key(opening("vpnx-1", at(0)), "a", 1)).await;
    let second = harness.opened(with_key(opening("vpnx-2", at(10)), "b", 1)).await;
    let forget = async |before| harness.ledger.forget_idempotency_keys(before, 10).await.expect("forgotten");
    assert_eq!(forget(at(0)).await, 0, "not yet");
    assert_eq!(forget(at(5)).await, 1);
    let kept = write(&harness, with_key(opening("vpnx-3", at(11)), "b", 1)).await;
    assert_eq!(kept, Written::Repeated(Box::new(second)));
    assert_eq!(harness.ledger.operation(first.id, &VpcScope::All).await.expect("read"), Some(first));
    harness.opened(with_key(opening("vpnx-3", at(12)), "a", 2)).await;
}

async fn a_refused_opening_does_not_use_the_key_up(harness: Harness) {
    let first = harness.opened(opening("vpnx-1", at(0))).await;
    let refused = write(&harness, with_key(opening("vpnx-1", at(1)), "a", 1)).await;
    assert_eq!(refused, Written::InProgress(first.id));
    let running = harness.advanced(advance(first, submit(), 0, at(2))).await;
    harness.advanced(advance(running, succeed(), 0, at(3))).await;
    harness.opened(with_key(opening("vpnx-1", at(4)), "a", 1)).await;
}

async fn a_refusal_that_passes_does_not_use_the_key_up(harness: Harness) {
    for (code, is_used) in [(ErrorCode::UpstreamUnreachable, false), (ErrorCode::UpstreamCredentials, true)] {
        let (tunnel, key) = (format!("vpnx-{is_used}"), format!("key-{is_used}"));
        let first = harness.opened(with_key(opening(&tunnel, at(0)), &key, 1)).await;
        let reject = Transition::Reject { error: error(code) };
        harness.advanced(advance(first, reject, 0, at(1))).await;
        let second = write(&harness, with_key(opening(&tunnel, at(2)), &key, 1)).await;
        assert_eq!(matches!(second, Written::Repeated(_)), is_used, "{code}: {second:?}");
    }
}

async fn a_secret_under_another_fingerprint_key_can_not_be_compared(harness: Harness) {
    let with_secret = |fingerprint: &str, key_id: &str| {
        let mut opening = with_key(opening("vpnx-1", at(0)), "a", 1);
        if let Some(idempotency) = &mut opening.idempotency {
            let (fingerprint, key_id) = (fingerprint.into(), key_id.into());
            idempotency.request.secret = Some(SecretIdentity { fingerprint, key_id });
        }
        opening
    };
    let first = harness.opened(with_secret("one", "k1")).await;
    assert_eq!(write(&harness, with_secret("one", "k1")).await, Written::Repeated(Box::new(first.clone())));
    assert_eq!(write(&harness, with_secret("two", "k1")).await, Written::KeyReused);
    assert_eq!(write(&harness, with_secret("two", "k2")).await, Written::KeyUnverifiable(first.id));
    let known = harness.ledger.first_request("key:1", "a", at(1)).await.expect("read").expect("the first");
    assert_eq!(known.operation, first);
    assert_eq!(harness.ledger.first_request("key:2", "a", at(1)).await.expect("read"), None);
    let after = at(0).plus(IDEMPOTENCY_WINDOW);
    assert_eq!(harness.ledger.first_request("key:1", "a", after).await.expect("read"), None);
}

async fn many_copies_at_once_are_one_operation(harness: Harness) {
    let other =
        if harness.store.is_postgres() { open_replica(&harness.store).await } else { harness.ledger.clone() };
    let copies = (0..50).map(|number| {
        let ledger = if number % 2 == 0 { harness.ledger.clone() } else { other.clone() };
        let opening = with_key(opening("vpnx-1", at(0)), "a", 1);
        tokio::spawn(async move { ledger.write(Step::Open(Box::new(opening))).await.expect("written") })
    });
    let copies: Vec<_> = copies.collect();
    let mut opened = 0;
    for copy in copies {
        match copy.await.expect("an answer") {
            Written::Opened => opened += 1,
            Written::Repeated(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(opened, 1);
    assert_eq!(harness.kinds().await, ["requested"]);
}

on_each_ledger!(
    the_same_request_gives_the_first_operation_as_it_is_now,
    another_request_under_the_key_is_refused,
    a_key_is_forgotten_after_a_day,
    old_keys_are_removed_and_no_others,
    a_refused_opening_does_not_use_the_key_up,
    a_refusal_that_passes_does_not_use_the_key_up,
    a_secret_under_another_fingerprint_key_can_not_be_compared,
    many_copies_at_once_are_one_operation,
);
