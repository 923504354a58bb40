//! The database refuses changes to the audit log, and verification detects changes made without the triggers.

use tunnelgate::domain::chain;
use tunnelgate::service::audit::{Break, Row, Verdict, verify};
use tunnelgate::service::ledger::Step;

use crate::harness::{Harness, advance, at, denied, opening, submit, succeed};

/// Two finished operations and a refused call: seven events.
pub async fn fill(harness: &Harness) {
    for (tunnel, seconds) in [("vpnx-1", 0), ("vpnx-2", 10)] {
        let opened = harness.opened(opening(tunnel, at(seconds))).await;
        let running = harness.advanced(advance(opened, submit(), 0, at(seconds + 1))).await;
        harness.advanced(advance(running, succeed(), 0, at(seconds + 2))).await;
    }
    harness.ledger.write(Step::Record(Box::new(denied(at(20), "intruder")))).await.expect("written");
}

async fn every_hash_can_be_computed_from_what_is_stored(harness: Harness) {
    fill(&harness).await;
    let events = harness.events().await;
    assert_eq!(events.len(), 7);
    let mut before = chain::BEFORE_FIRST;
    for (event, seq) in events.iter().zip(1..) {
        assert_eq!((event.row.seq, event.prev_hash), (seq, before));
        assert_eq!(chain::hash(&before, &event.row), Some(event.hash));
        before = event.hash;
    }
    let checkpoint = harness.ledger.checkpoint().await.expect("read").expect("events");
    assert_eq!((checkpoint.seq, checkpoint.hash, checkpoint.at), (7, before, at(20)));
    let verdict = verify(&*harness.ledger, Some(checkpoint)).await.expect("verified");
    assert_eq!(verdict, Verdict::Whole { events: 7, newest: Some(checkpoint) });
}

async fn an_empty_log_is_whole(harness: Harness) {
    assert_eq!(harness.ledger.checkpoint().await.expect("read"), None);
    let verdict = verify(&*harness.ledger, None).await.expect("verified");
    assert_eq!(verdict, Verdict::Whole { events: 0, newest: None });
}

async fn the_database_itself_refuses_changes(harness: Harness) {
    fill(&harness).await;
    let mut statements = vec![
        "UPDATE audit_events SET actor = 'nobody' WHERE seq = 2",
        "UPDATE audit_events SET actor = actor",
        "DELETE FROM audit_events WHERE seq = 7",
        "DELETE FROM audit_events",
    ];
    if harness.store.is_postgres() {
        statements.extend(["TRUNCATE audit_events", "TRUNCATE audit_events CASCADE"]);
        // Each partition refuses changes too.
        statements.extend([
            "UPDATE audit_events_1 SET actor = 'nobody' WHERE seq = 2",
            "DELETE FROM audit_events_1 WHERE seq = 7",
            "TRUNCATE audit_events_1",
            "TRUNCATE audit_events_5000001",
        ]);
    } else {
        statements.push("INSERT OR REPLACE INTO audit_events SELECT * FROM audit_events WHERE seq = 3");
    }
    let before = harness.events().await;
    for statement in statements {
        let refused = harness.store.execute(statement).await.expect_err(statement);
        assert!(refused.to_string().contains("append-only"), "{statement}: {refused}");
    }
    assert_eq!(harness.events().await, before);
}

/// Removes the triggers, as an administrator can.
pub async fn disarm(harness: &Harness) {
    let statements: &[&str] = if harness.store.is_postgres() {
        &["ALTER TABLE audit_events DISABLE TRIGGER USER"]
    } else {
        &[
            "DROP TRIGGER audit_events_no_update",
            "DROP TRIGGER audit_events_no_delete",
            "DROP TRIGGER IF EXISTS audit_events_no_replace",
        ]
    };
    for statement in statements {
        harness.store.execute(statement).await.expect(statement);
    }
}

async fn broken_at(harness: &Harness) -> (i64, Break) {
    match verify(&*harness.ledger, None).await.expect("verified") {
        Verdict::Broken { row: Row::Event(seq), why } => (seq, why),
        other => panic!("no changed event was detected: {other:?}"),
    }
}

async fn a_changed_row_is_named(harness: Harness) {
    fill(&harness).await;
    disarm(&harness).await;
    harness
        .store
        .execute("UPDATE audit_events SET actor = 'somebody-else' WHERE seq = 3")
        .await
        .expect("changed");
    assert_eq!(broken_at(&harness).await, (3, Break::Hash));
    // Verification reports the first changed row.
    harness.store.execute("UPDATE audit_events SET source_ip = NULL WHERE seq = 2").await.expect("changed");
    assert_eq!(broken_at(&harness).await, (2, Break::Hash));
}

async fn every_column_counts(harness: Harness) {
    fill(&harness).await;
    disarm(&harness).await;
    let text = |column: &str| format!("{column} = 'x' || coalesce({column}, '')");
    let json = if harness.store.is_postgres() { "'{\"a\": 1}'::jsonb" } else { "'{\"a\": 1}'" };
    let uuid = "'018f0000-0000-7000-8000-000000000000'";
    let mut sets: Vec<String> = [
        "event",
        "actor",
        "actor_id",
        "actor_kind",
        "user_agent",
        "request_id",
        "trace_id",
        "vpc_id",
        "gateway_id",
        "tunnel_id",
        "account",
        "region",
        "api",
        "reason",
    ]
    .into_iter()
    .map(text)
    .collect();
    sets.extend([
        format!("id = {uuid}"),
        format!("operation_id = {uuid}"),
        "occurred_at = '2026-03-01T12:00:00.123457Z'".to_owned(),
        "source_ip = '10.0.0.1'".to_owned(),
        "format = 2".to_owned(),
        format!("rollback_of = {uuid}"),
        format!("changes = {json}"),
        format!("before = {json}"),
        format!("sent = {json}"),
        format!("outcome = {json}"),
        format!("upstream = {json}"),
    ]);
    for set in sets {
        let keep = "CREATE TABLE kept AS SELECT * FROM audit_events WHERE seq = 5";
        harness.store.execute(keep).await.expect("kept");
        harness.store.execute(&format!("UPDATE audit_events SET {set} WHERE seq = 5")).await.expect(&set);
        assert_eq!(broken_at(&harness).await, (5, Break::Hash), "{set}");
        for statement in [
            "DELETE FROM audit_events WHERE seq = 5",
            "INSERT INTO audit_events SELECT * FROM kept",
            "DROP TABLE kept",
        ] {
            harness.store.execute(statement).await.expect(statement);
        }
        assert!(matches!(verify(&*harness.ledger, None).await.expect("verified"), Verdict::Whole { .. }));
    }
}

async fn a_removed_row_is_named(harness: Harness) {
    fill(&harness).await;
    disarm(&harness).await;
    harness.store.execute("DELETE FROM audit_events WHERE seq = 4").await.expect("removed");
    assert_eq!(broken_at(&harness).await, (5, Break::Gap { expected: 4 }));
    // Closing the gap breaks the hashes.
    for seq in 5..=7 {
        let statement = format!("UPDATE audit_events SET seq = {} WHERE seq = {seq}", seq - 1);
        harness.store.execute(&statement).await.expect("moved");
    }
    assert_eq!(broken_at(&harness).await, (4, Break::PrevHash));
}

async fn an_inserted_row_is_named(harness: Harness) {
    fill(&harness).await;
    disarm(&harness).await;
    let columns = "id, format, occurred_at, event, operation_id, actor, actor_id, actor_kind, source_ip, user_agent, \
                   request_id, trace_id, vpc_id, gateway_id, tunnel_id, account, region, api, changes, before, sent, \
                   outcome, reason, rollback_of, upstream, prev_hash, hash";
    let other = columns.replacen("id", "'018f0000-0000-7000-8000-000000000000'", 1);
    let other = if harness.store.is_postgres() { other.replacen("000'", "000'::uuid", 1) } else { other };
    let statement = format!(
        "INSERT INTO audit_events (seq, {columns}) SELECT 8, {other} FROM audit_events WHERE seq = 7"
    );
    harness.store.execute(&statement).await.expect("inserted");
    assert_eq!(broken_at(&harness).await, (8, Break::PrevHash));
}

async fn reordered_rows_are_named(harness: Harness) {
    fill(&harness).await;
    disarm(&harness).await;
    for statement in [
        "UPDATE audit_events SET seq = 100 WHERE seq = 6",
        "UPDATE audit_events SET seq = 6 WHERE seq = 7",
        "UPDATE audit_events SET seq = 7 WHERE seq = 100",
    ] {
        harness.store.execute(statement).await.expect(statement);
    }
    assert_eq!(broken_at(&harness).await, (6, Break::PrevHash));
}

async fn a_cut_off_tail_is_noticed_with_a_checkpoint(harness: Harness) {
    fill(&harness).await;
    let kept = harness.ledger.checkpoint().await.expect("read");
    disarm(&harness).await;
    harness.store.execute("DELETE FROM audit_events WHERE seq > 5").await.expect("cut off");
    let verdict = verify(&*harness.ledger, kept).await.expect("verified");
    assert_eq!(verdict, Verdict::Broken { row: Row::Event(6), why: Break::CutOff });
}

async fn a_log_written_anew_is_noticed_with_a_checkpoint(harness: Harness) {
    fill(&harness).await;
    let mut kept = harness.ledger.checkpoint().await.expect("read");
    if let Some(kept) = &mut kept {
        kept.hash[0] ^= 1;
    }
    let verdict = verify(&*harness.ledger, kept).await.expect("verified");
    assert_eq!(verdict, Verdict::Broken { row: Row::Event(7), why: Break::Checkpoint });
}

async fn a_row_that_can_not_be_read_is_a_broken_one(harness: Harness) {
    if harness.store.is_postgres() {
        // The column types of PostgreSQL reject such values.
        return;
    }
    fill(&harness).await;
    disarm(&harness).await;
    harness
        .store
        .execute("UPDATE audit_events SET changes = '{not json' WHERE seq = 5")
        .await
        .expect("changed");
    assert_eq!(broken_at(&harness).await, (5, Break::Unreadable));
    harness.store.execute("UPDATE audit_events SET actor = 'x' WHERE seq = 2").await.expect("changed");
    assert_eq!(broken_at(&harness).await, (2, Break::Hash), "the first changed row is reported");
}

on_each_ledger!(
    every_hash_can_be_computed_from_what_is_stored,
    an_empty_log_is_whole,
    the_database_itself_refuses_changes,
    a_changed_row_is_named,
    every_column_counts,
    a_removed_row_is_named,
    an_inserted_row_is_named,
    reordered_rows_are_named,
    a_cut_off_tail_is_noticed_with_a_checkpoint,
    a_log_written_anew_is_noticed_with_a_checkpoint,
    a_row_that_can_not_be_read_is_a_broken_one,
);
