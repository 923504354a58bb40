//! Verification compares the other tables with the log: `chain_head`, `operations` and `audit_hours`.

use tunnelgate::domain::chain;
use tunnelgate::domain::changes::Changes;
use tunnelgate::domain::operation::{ErrorCode, Operation, Transition};
use tunnelgate::domain::verification::{Difference, Verification};
use tunnelgate::service::audit::{Break, Row, Verdict, verify};
use tunnelgate::service::ledger::Step;

use crate::chain::{disarm, fill};
use crate::harness::{Harness, advance, at, denied, error, opening, submit, succeed};

async fn verdict(harness: &Harness) -> Verdict {
    verify(&*harness.ledger, None).await.expect("verified")
}

async fn is_whole(harness: &Harness, what: &str) {
    let verdict = verdict(harness).await;
    assert!(matches!(verdict, Verdict::Whole { .. }), "{what}: {verdict:?}");
}

async fn is_broken(harness: &Harness, row: Row, why: Break, what: &str) {
    assert_eq!(verdict(harness).await, Verdict::Broken { row, why }, "{what}");
}

/// An operation in each status, with everything that an operation can have, and events of no operation.
async fn every_status(harness: &Harness) -> Vec<Operation> {
    let mut operations = vec![harness.opened(opening("vpnx-pending", at(0))).await];
    operations.push(harness.running("vpnx-running", at(1)).await);
    let lost = Transition::LoseTrack { reason: error(ErrorCode::AnswerLost) };
    for (tunnel, transition) in [
        ("vpnx-unknown", lost.clone()),
        ("vpnx-rejected", Transition::Reject { error: error(ErrorCode::UpstreamInvalidParameter) }),
    ] {
        let mut opening = opening(tunnel, at(2));
        opening.operation.before = None;
        opening.operation.reason = None;
        opening.operation.rollback_of = None;
        let opened = harness.opened(opening).await;
        operations.push(harness.advanced(advance(opened, transition, 0, at(3))).await);
    }
    let difference = Difference { pointer: "/name".into(), asked: "größe".into(), observed: "x".into() };
    let diverged = Verification::Diverged { differences: vec![difference] };
    for (tunnel, transition) in [
        ("vpnx-succeeded", succeed()),
        ("vpnx-diverged", Transition::Diverge { verification: diverged }),
        ("vpnx-failed", Transition::Fail { error: error(ErrorCode::TaskFailed) }),
    ] {
        let running = harness.running(tunnel, at(4)).await;
        operations.push(harness.advanced(advance(running, transition, 0, at(5))).await);
    }
    let opened = harness.opened(opening("vpnx-timed-out", at(6))).await;
    let unknown = harness.advanced(advance(opened, lost, 0, at(7))).await;
    let timed_out = Transition::TimeOut { error: error(ErrorCode::TaskTimeout) };
    operations.push(harness.advanced(advance(unknown, timed_out, 0, at(8))).await);
    harness.ledger.write(Step::Record(Box::new(denied(at(9), "intruder")))).await.expect("written");
    operations
}

async fn operations_in_every_status_fit_their_events(harness: Harness) {
    every_status(&harness).await;
    is_whole(&harness, "as written").await;
}

/// A statement that sets a column of an operation to a value that is not the one it has, and that its CHECK allows.
fn sets(operation: &Operation, is_postgres: bool) -> Vec<(&'static str, String)> {
    let text = |column: &'static str| (column, format!("{column} = coalesce({column}, '') || 'x'"));
    let (json, time) = if is_postgres { ("::jsonb", "+ interval '1 microsecond'") } else { ("", "") };
    let moment = |column: &'static str| {
        let value =
            if is_postgres { format!("{column} {time}") } else { "'2026-03-01T12:00:59.000001Z'".to_owned() };
        (column, format!("{column} = {value}"))
    };
    let mut sets = vec![
        text("vpc_id"),
        text("gateway_id"),
        text("tunnel_id"),
        text("account"),
        text("region"),
        text("api"),
        text("reason"),
        text("requested_by"),
        text("actor_id"),
        ("actor_kind", "actor_kind = 'system'".to_owned()),
        text("request_id"),
        text("trace_id"),
        ("reason", "reason = ''".to_owned()),
        ("rollback_of", format!("rollback_of = '{}'", operation.id)),
        ("changes", format!(r#"changes = '{{"name": "other"}}'{json}"#)),
        ("before", format!(r#"before = '{{"name": "other"}}'{json}"#)),
        moment("created_at"),
        moment("updated_at"),
        ("last_seq", "last_seq = last_seq + 1".to_owned()),
    ];
    if operation.before.is_some() {
        sets.push(("before", "before = NULL".to_owned()));
    }
    if operation.finished_at.is_some() {
        sets.push(moment("finished_at"));
    }
    if operation.state.task_id().is_some() {
        sets.push(text("task_id"));
    }
    if operation.state.error().is_some() {
        let other = r#"{"code": "task_failed", "detail": "another", "upstream": null}"#;
        sets.push(("error", format!("error = '{other}'{json}")));
    }
    if operation.state.verification().is_some() {
        sets.push(("verification", format!(r#"verification = '{{"result": "unavailable"}}'{json}"#)));
    }
    // The statuses that have the same columns.
    let other = match operation.status().as_str() {
        "succeeded" => Some("diverged"),
        "diverged" => Some("succeeded"),
        "failed" => Some("timed_out"),
        "timed_out" => Some("failed"),
        "rejected" => Some("failed"),
        _ => None,
    };
    if let Some(other) = other {
        sets.push(("status", format!("status = '{other}'")));
    }
    sets
}

async fn every_column_of_an_operation_counts(harness: Harness) {
    let operations = every_status(&harness).await;
    for operation in operations {
        let id = operation.id;
        for (column, set) in sets(&operation, harness.store.is_postgres()) {
            let what = format!("{} {set}", operation.status());
            let keep = format!("CREATE TABLE kept AS SELECT * FROM operations WHERE id = '{id}'");
            harness.store.execute(&keep).await.expect("kept");
            let update = format!("UPDATE operations SET {set} WHERE id = '{id}'");
            harness.store.execute(&update).await.expect(&what);
            let why = Break::Operation { column };
            is_broken(&harness, Row::Operation(id.to_string()), why, &what).await;
            let columns = "status, vpc_id, gateway_id, tunnel_id, account, region, api, task_id, changes, before, reason, \
                           rollback_of, requested_by, actor_id, actor_kind, request_id, trace_id, created_at, updated_at, \
                           finished_at, error, verification, last_seq";
            let restore =
                format!("UPDATE operations SET ({columns}) = (SELECT {columns} FROM kept) WHERE id = '{id}'");
            harness.store.execute(&restore).await.expect("restored");
            harness.store.execute("DROP TABLE kept").await.expect("dropped");
        }
    }
    is_whole(&harness, "restored").await;
}

async fn the_first_of_several_bad_operations_is_named(harness: Harness) {
    let operations = every_status(&harness).await;
    harness.store.execute("UPDATE operations SET reason = 'other'").await.expect("changed");
    let first = operations.iter().map(|operation| operation.id).min().expect("operations");
    let why = Break::Operation { column: "reason" };
    is_broken(&harness, Row::Operation(first.to_string()), why, "all changed").await;
}

async fn two_operations_that_changed_places_are_noticed(harness: Harness) {
    let first = harness.opened(opening("vpnx-1", at(0))).await;
    let second = harness.opened(opening("vpnx-2", at(0))).await;
    for (operation, tunnel) in [(&first, "vpnx-2"), (&second, "vpnx-1")] {
        let id = operation.id;
        let swap = format!("UPDATE operations SET tunnel_id = '{tunnel}' WHERE id = '{id}'");
        harness.store.execute(&swap).await.expect("changed");
    }
    let id = first.id.min(second.id).to_string();
    is_broken(&harness, Row::Operation(id), Break::Operation { column: "tunnel_id" }, "swapped").await;
}

async fn an_operation_without_events_is_named(harness: Harness) {
    fill(&harness).await;
    let id = "018f0000-0000-7000-8000-000000000000";
    let columns = "status, vpc_id, gateway_id, tunnel_id, account, region, api, task_id, changes, before, reason, \
                   fingerprint_key_id, requested_by, actor_id, actor_kind, request_id, trace_id, created_at, \
                   updated_at, finished_at, error, verification, last_seq";
    let insert = format!(
        "INSERT INTO operations (id, lock_id, {columns}) SELECT '{id}', 'other', {columns} FROM operations LIMIT 1"
    );
    harness.store.execute(&insert).await.expect("inserted");
    is_broken(&harness, Row::Operation(id.into()), Break::NoEvents, "inserted").await;
}

async fn an_event_of_a_missing_operation_is_named(harness: Harness) {
    fill(&harness).await;
    harness.store.execute("DELETE FROM tracking").await.expect("removed");
    harness.store.execute("DELETE FROM operations WHERE tunnel_id = 'vpnx-2'").await.expect("removed");
    is_broken(&harness, Row::Event(4), Break::OperationMissing, "the second was removed").await;
    harness.store.execute("DELETE FROM operations").await.expect("removed");
    is_broken(&harness, Row::Event(1), Break::OperationMissing, "all were removed").await;
}

/// Appends an event to the chain, as someone can who may write to the tables: with the right hashes and `chain_head`.
async fn forge(harness: &Harness, event: &str, operation: &Operation) {
    let head = harness.ledger.checkpoint().await.expect("read").expect("events");
    let mut row = harness.events().await.pop().expect("events").row;
    row.seq = head.seq + 1;
    row.id = uuid(row.seq);
    row.event = event.into();
    row.operation_id = Some(operation.id);
    let hash = chain::hash(&head.hash, &row).expect("a canonical form");
    let hex = |bytes: &[u8]| tunnelgate::domain::fingerprint::hex(bytes);
    let blob = |bytes: &[u8]| {
        if harness.store.is_postgres() {
            format!("'\\x{}'", hex(bytes))
        } else {
            format!("x'{}'", hex(bytes))
        }
    };
    let (id, operation_id) = (row.id, operation.id);
    let cast = if harness.store.is_postgres() { "::uuid" } else { "" };
    let insert = format!(
        "INSERT INTO audit_events SELECT seq + 1, format, '{id}'{cast}, occurred_at, '{event}', '{operation_id}'{cast},
                actor, actor_id, actor_kind, source_ip, user_agent, request_id, trace_id, vpc_id, gateway_id, tunnel_id,
                account, region, api, changes, before, sent, outcome, reason, rollback_of, upstream, {}, {}
         FROM audit_events WHERE seq = {}",
        blob(&head.hash), blob(&hash), head.seq,
    );
    harness.store.execute(&insert).await.expect("forged");
    let update = format!("UPDATE chain_head SET seq = seq + 1, hash = {}", blob(&hash));
    harness.store.execute(&update).await.expect("forged");
}

fn uuid(number: i64) -> tunnelgate::domain::operation::OperationId {
    format!("018f0000-0000-7000-8000-{number:012}").parse().expect("a UUID")
}

async fn a_forged_step_is_named(harness: Harness) {
    let running = harness.running("vpnx-1", at(0)).await;
    let ended = harness.advanced(advance(running.clone(), succeed(), 0, at(1))).await;
    forge(&harness, "denied", &ended).await;
    is_whole(&harness, "an event that is no step").await;
    forge(&harness, "failed", &ended).await;
    is_broken(&harness, Row::Event(5), Break::Step, "a step after the end").await;
}

async fn a_second_request_of_a_finished_operation_is_named(harness: Harness) {
    let running = harness.running("vpnx-1", at(0)).await;
    let ended = harness.advanced(advance(running, succeed(), 0, at(1))).await;
    forge(&harness, "requested", &ended).await;
    is_broken(&harness, Row::Event(4), Break::Step, "requested again").await;
}

async fn a_step_of_an_operation_that_never_began_is_named(harness: Harness) {
    let mut running = harness.running("vpnx-1", at(0)).await;
    running.id = uuid(99);
    forge(&harness, "succeeded", &running).await;
    is_broken(&harness, Row::Event(3), Break::Step, "no request").await;
}

async fn a_tail_that_the_head_still_names_is_noticed(harness: Harness) {
    fill(&harness).await;
    disarm(&harness).await;
    harness.store.execute("DELETE FROM audit_events WHERE seq > 5").await.expect("cut off");
    is_broken(&harness, Row::Event(6), Break::TailGone { head: 7 }, "cut off").await;
    harness.store.execute("DELETE FROM audit_events").await.expect("cut off");
    is_broken(&harness, Row::Event(1), Break::TailGone { head: 7 }, "all of it").await;
}

async fn a_head_that_does_not_name_the_newest_event_is_named(harness: Harness) {
    fill(&harness).await;
    let zeros = if harness.store.is_postgres() { "decode(repeat('00', 32), 'hex')" } else { "zeroblob(32)" };
    for change in [
        format!("UPDATE chain_head SET hash = {zeros}"),
        "UPDATE chain_head SET seq = 6".to_owned(),
        "DELETE FROM chain_head".to_owned(),
    ] {
        harness.store.execute(&change).await.expect(&change);
        is_broken(&harness, Row::Head, Break::Head, &change).await;
    }
}

async fn an_hour_that_hides_events_is_noticed(harness: Harness) {
    fill(&harness).await;
    for (change, seq) in [
        ("UPDATE audit_hours SET last_seq = 6", 7),
        ("UPDATE audit_hours SET first_seq = 3", 1),
        ("DELETE FROM audit_hours", 1),
    ] {
        harness.store.execute(change).await.expect(change);
        is_broken(&harness, Row::Event(seq), Break::Hours, change).await;
    }
}

async fn an_hour_that_covers_more_hides_nothing(harness: Harness) {
    fill(&harness).await;
    harness.store.execute("UPDATE audit_hours SET first_seq = 0, last_seq = 100").await.expect("changed");
    is_whole(&harness, "wider").await;
}

async fn the_log_stays_whole_while_it_grows(harness: Harness) {
    let ledger = harness.ledger.clone();
    let writing = tokio::spawn(async move {
        for number in 0..60 {
            let opening = opening(&format!("vpnx-{number}"), at(number));
            let operation = opening.operation.clone();
            ledger.write(Step::Open(Box::new(opening))).await.expect("written");
            let submit = advance(operation, submit(), 0, at(number));
            ledger.write(Step::Advance(Box::new(submit))).await.expect("written");
        }
    });
    while !writing.is_finished() {
        is_whole(&harness, "in between").await;
    }
    writing.await.expect("written");
    assert!(matches!(verdict(&harness).await, Verdict::Whole { events: 120, .. }));
}

async fn an_operation_that_can_not_be_read_is_named(harness: Harness) {
    if harness.store.is_postgres() {
        // The column types of PostgreSQL reject such values.
        return;
    }
    let operation = harness.opened(opening("vpnx-1", at(0))).await;
    for change in ["changes = '{not json'", "created_at = 'yesterday'", "reason = x'ff'"] {
        harness.store.execute(&format!("UPDATE operations SET {change}")).await.expect(change);
        is_broken(&harness, Row::Operation(operation.id.to_string()), Break::Unreadable, change).await;
    }
}

/// Blocks end in the middle of operations.
async fn a_long_log_is_verified_block_by_block(harness: Harness) {
    let no_changes = Changes::from(serde_json::Map::new());
    for start in (0..4500_u64).step_by(300) {
        let openings = (start..start + 300).map(|number| {
            let mut opening = opening(&format!("vpnx-{number}"), at(number));
            opening.operation.changes = no_changes.clone();
            harness.ledger.write(Step::Open(Box::new(opening)))
        });
        for written in futures_util::future::join_all(openings).await {
            written.expect("written");
        }
    }
    assert!(matches!(verdict(&harness).await, Verdict::Whole { events: 4500, .. }));
    harness
        .store
        .execute("UPDATE operations SET reason = 'x' WHERE tunnel_id = 'vpnx-4400'")
        .await
        .expect("changed");
    let verdict = verdict(&harness).await;
    let why = Break::Operation { column: "reason" };
    assert!(
        matches!(&verdict, Verdict::Broken { row: Row::Operation(_), why: found } if *found == why),
        "{verdict:?}"
    );
}

on_each_ledger!(
    operations_in_every_status_fit_their_events,
    every_column_of_an_operation_counts,
    the_first_of_several_bad_operations_is_named,
    two_operations_that_changed_places_are_noticed,
    an_operation_without_events_is_named,
    an_event_of_a_missing_operation_is_named,
    a_forged_step_is_named,
    a_second_request_of_a_finished_operation_is_named,
    a_step_of_an_operation_that_never_began_is_named,
    a_tail_that_the_head_still_names_is_noticed,
    a_head_that_does_not_name_the_newest_event_is_named,
    an_hour_that_hides_events_is_noticed,
    an_hour_that_covers_more_hides_nothing,
    the_log_stays_whole_while_it_grows,
    an_operation_that_can_not_be_read_is_named,
    a_long_log_is_verified_block_by_block,
);
