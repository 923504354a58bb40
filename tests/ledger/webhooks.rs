//! The places of webhook entries, and the leases on them.

use std::time::Duration;

use tunnelgate::chance::{Chance, SystemChance};
use tunnelgate::domain::event::EventKind;
use tunnelgate::service::ledger::{
    Failing, Forgotten, NewIds, Replayed, Skipped, Step, WebhookClaim, WebhookPlace, Written,
};
use tunnelgate::service::webhooks::skipped;

use crate::harness::{Harness, LEASE, at, denied, open_replica};

const NAME: &str = "chatops";

/// Writes events of no operation.
async fn events(harness: &Harness, count: u64, second: u64) {
    for number in 0..count {
        let event = Step::Record(Box::new(denied(at(second + number), "somebody")));
        assert_eq!(harness.ledger.write(event).await.expect("written"), Written::Recorded);
    }
}

async fn begin(harness: &Harness) {
    harness.ledger.begin_webhook(NAME).await.expect("begun");
}

async fn claim(harness: &Harness, holder: &str, second: u64) -> Option<WebhookClaim> {
    let (now, until) = (at(second), at(second).plus(LEASE));
    harness.ledger.claim_webhook(NAME, holder, now, until).await.expect("claimed")
}

async fn moved(harness: &Harness, claim: &WebhookClaim, seq: i64, second: u64) -> bool {
    harness.ledger.move_webhook(claim, seq, None, at(second).plus(LEASE)).await.expect("moved")
}

async fn place(harness: &Harness) -> WebhookPlace {
    harness
        .ledger
        .webhooks()
        .await
        .expect("places")
        .into_iter()
        .find(|place| place.name == NAME)
        .expect("one")
}

async fn a_new_entry_begins_after_the_newest_event_and_keeps_its_place(harness: Harness) {
    assert_eq!(claim(&harness, "a", 0).await, None, "no place is stored");
    assert_eq!(harness.ledger.webhooks().await.expect("places"), []);
    events(&harness, 3, 0).await;
    begin(&harness).await;
    events(&harness, 2, 10).await;
    begin(&harness).await;
    let claimed = claim(&harness, "a", 20).await.expect("a claim");
    assert_eq!((claimed.seq, claimed.new_ids, claimed.failures), (3, None, 0));
    let standing = place(&harness).await;
    assert_eq!((standing.seq, standing.newest, standing.waiting_since), (3, 5, Some(at(10))));
    assert_eq!(standing.lease, Some(("a".to_owned(), at(20).plus(LEASE))));
    assert!(moved(&harness, &claimed, 5, 21).await);
    let standing = place(&harness).await;
    assert_eq!((standing.seq, standing.waiting_since), (5, None));
}

async fn one_process_holds_an_entry_until_its_lease_ends(harness: Harness) {
    begin(&harness).await;
    events(&harness, 4, 0).await;
    let first = claim(&harness, "a", 0).await.expect("a claim");
    assert_eq!(claim(&harness, "b", 29).await, None, "leased");
    // Extended by a move.
    assert!(moved(&harness, &first, 1, 20).await);
    assert_eq!(claim(&harness, "b", 49).await, None, "still leased");
    let first = WebhookClaim { seq: 1, ..first };
    let second = claim(&harness, "b", 50).await.expect("the lease has ended");
    assert!(second.fence > first.fence && second.seq == 1);
    assert!(!moved(&harness, &first, 2, 51).await, "the lease was lost");
    harness.ledger.release_webhook(&first).await.expect("nothing happens");
    assert_eq!(claim(&harness, "a", 52).await, None, "only the holder releases");
    assert!(moved(&harness, &second, 2, 53).await);
    harness.ledger.release_webhook(&second).await.expect("released");
    let third = claim(&harness, "a", 54).await.expect("released");
    assert_eq!(third.seq, 2);
    // A process that lost its claim takes it back at once.
    let again = claim(&harness, "a", 55).await.expect("its own lease");
    assert!(!moved(&harness, &third, 3, 56).await);
    assert!(moved(&harness, &again, 3, 56).await);
}

async fn a_place_that_is_not_the_claim_s_is_not_overwritten(harness: Harness) {
    begin(&harness).await;
    events(&harness, 4, 0).await;
    let claimed = claim(&harness, "a", 0).await.expect("a claim");
    assert!(moved(&harness, &claimed, 3, 1).await);
    assert!(!moved(&harness, &claimed, 4, 2).await, "the claim's place is 0");
    assert_eq!(place(&harness).await.seq, 3);
}

async fn a_place_in_a_log_that_went_back_is_not_stored(harness: Harness) {
    begin(&harness).await;
    events(&harness, 4, 0).await;
    let claimed = claim(&harness, "a", 0).await.expect("a claim");
    assert!(!moved(&harness, &claimed, 5, 1).await, "the log has no such event");
    assert!(!moved(&harness, &WebhookClaim { holder: "b".into(), ..claimed.clone() }, 1, 1).await);
    let hash = if harness.store.is_postgres() { "decode(repeat('ab', 32), 'hex')" } else { "zeroblob(32)" };
    harness
        .store
        .execute(&format!("INSERT INTO lost_heads (seq, hash) VALUES (9, {hash})"))
        .await
        .expect("noted");
    assert!(!moved(&harness, &claimed, 1, 2).await, "a loss that nobody has accepted");
    harness
        .store
        .execute("UPDATE lost_heads SET acceptance = 1, accepted_at = CURRENT_TIMESTAMP")
        .await
        .expect("accepted");
    assert!(!moved(&harness, &claimed, 1, 3).await, "events after the claim's place may be others");
    let claimed = claim(&harness, "a", 4).await.expect("a claim");
    assert!(moved(&harness, &claimed, 4, 5).await);
}

async fn of_many_processes_one_gets_the_entry(harness: Harness) {
    begin(&harness).await;
    let mut tasks = Vec::new();
    for number in 0..8 {
        let ledger = if harness.store.is_postgres() {
            open_replica(&harness.store).await
        } else {
            harness.ledger.clone()
        };
        let holder = format!("process-{number}");
        tasks.push(tokio::spawn(async move {
            ledger.claim_webhook(NAME, &holder, at(0), at(0).plus(LEASE)).await.expect("asked").is_some()
        }));
    }
    let mut winners = 0;
    for task in tasks {
        winners += usize::from(task.await.expect("an answer"));
    }
    assert_eq!(winners, 1);
}

async fn failures_are_shown_and_outlive_the_process(harness: Harness) {
    begin(&harness).await;
    events(&harness, 2, 0).await;
    let claimed = claim(&harness, "a", 0).await.expect("a claim");
    let failing = Failing { attempts: 3, problem: "HTTP status 500".into(), retry_at: at(9) };
    let until = at(1).plus(LEASE);
    assert!(harness.ledger.move_webhook(&claimed, 1, Some(&failing), until).await.expect("moved"));
    assert_eq!(place(&harness).await.failing, Some(failing));
    let claimed = claim(&harness, "b", 31).await.expect("a claim");
    assert_eq!((claimed.seq, claimed.failures), (1, 3));
    assert!(moved(&harness, &claimed, 2, 32).await);
    assert_eq!(place(&harness).await.failing, None);
}

async fn a_replay_moves_back_only_and_takes_the_lease_away(harness: Harness) {
    let ledger = &harness.ledger;
    assert_eq!(ledger.replay_webhook(NAME, 1, None).await.expect("asked"), Replayed::Unknown);
    begin(&harness).await;
    events(&harness, 9, 0).await;
    let claimed = claim(&harness, "a", 0).await.expect("a claim");
    assert!(moved(&harness, &claimed, 6, 1).await);
    assert_eq!(ledger.replay_webhook(NAME, 7, None).await.expect("asked"), Replayed::NotPassed(6));
    assert_eq!(ledger.replay_webhook(NAME, 4, None).await.expect("asked"), Replayed::Moved);
    let held = WebhookClaim { seq: 6, ..claimed };
    assert!(!moved(&harness, &held, 7, 2).await, "the holder notices");
    let claimed = claim(&harness, "b", 3).await.expect("no lease");
    assert_eq!((claimed.seq, claimed.new_ids), (3, None));

    let salt = SystemChance.id(at(3));
    assert_eq!(ledger.replay_webhook(NAME, 2, Some(salt)).await.expect("asked"), Replayed::Moved);
    let claimed = claim(&harness, "b", 4).await.expect("a claim");
    assert_eq!((claimed.seq, claimed.new_ids), (1, Some(NewIds { to: 3, salt })));
    // A second one keeps new ids for what the first one had not repeated yet.
    assert!(moved(&harness, &claimed, 2, 5).await);
    let salt = SystemChance.id(at(5));
    assert_eq!(ledger.replay_webhook(NAME, 1, Some(salt)).await.expect("asked"), Replayed::Moved);
    let claimed = claim(&harness, "b", 6).await.expect("a claim");
    assert_eq!((claimed.seq, claimed.new_ids), (0, Some(NewIds { to: 3, salt })));
    assert!(moved(&harness, &claimed, 3, 7).await);
    assert_eq!(ledger.replay_webhook(NAME, 1, None).await.expect("asked"), Replayed::Moved);
    assert_eq!(claim(&harness, "b", 8).await.expect("a claim").new_ids, None);
}

async fn only_the_next_event_is_skipped_and_the_log_says_so(harness: Harness) {
    let skip = async |seq: i64| {
        let event = skipped(SystemChance.id(at(9)), NAME, seq, "a reason", at(9));
        harness.ledger.skip_webhook(NAME, seq, event).await.expect("asked")
    };
    assert_eq!(skip(1).await, Skipped::Unknown);
    begin(&harness).await;
    assert_eq!(skip(1).await, Skipped::NoEvent);
    events(&harness, 3, 0).await;
    let claimed = claim(&harness, "a", 0).await.expect("a claim");
    assert_eq!(skip(2).await, Skipped::NotNext(0));
    assert_eq!(harness.kinds().await.len(), 3, "nothing was written");
    assert_eq!(skip(1).await, Skipped::Skipped);
    assert!(!moved(&harness, &claimed, 1, 1).await, "the holder notices");
    assert_eq!(claim(&harness, "b", 2).await.expect("a claim").seq, 1);
    let event = harness.events().await.pop().expect("an event").row;
    assert_eq!(event.event, EventKind::WebhookSkipped.as_str());
    assert_eq!(event.changes, Some(serde_json::json!({"webhook": {"name": NAME, "seq": 1}})));
    assert_eq!((event.reason.as_deref(), event.actor.as_str()), (Some("a reason"), "command line"));
    let verified = tunnelgate::service::audit::verify(&*harness.ledger, None).await.expect("verified");
    assert!(matches!(verified, tunnelgate::service::audit::Verdict::Whole { events: 4, .. }), "{verified:?}");
}

async fn a_place_is_deleted_only_if_no_process_holds_it(harness: Harness) {
    let forget = async |second: u64| harness.ledger.forget_webhook(NAME, at(second)).await.expect("asked");
    assert_eq!(forget(0).await, Forgotten::Unknown);
    begin(&harness).await;
    claim(&harness, "a", 0).await.expect("a claim");
    assert_eq!(forget(29).await, Forgotten::Held("a".into()));
    assert_eq!(forget(30).await, Forgotten::Forgotten);
    assert_eq!(forget(31).await, Forgotten::Unknown);
    assert_eq!(LEASE, Duration::from_secs(30));
}

on_each_ledger!(
    a_new_entry_begins_after_the_newest_event_and_keeps_its_place,
    one_process_holds_an_entry_until_its_lease_ends,
    a_place_that_is_not_the_claim_s_is_not_overwritten,
    a_place_in_a_log_that_went_back_is_not_stored,
    of_many_processes_one_gets_the_entry,
    failures_are_shown_and_outlive_the_process,
    a_replay_moves_back_only_and_takes_the_lease_away,
    only_the_next_event_is_skipped_and_the_log_says_so,
    a_place_is_deleted_only_if_no_process_holds_it,
);
