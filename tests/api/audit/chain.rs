//! Checking the audit log's chain over HTTP.

use serde_json::{Value, json};
use tunnelgate::domain::principal::Scope;

use super::fill;
use crate::harness::Harness;

async fn the_chain_is_checked_stretch_by_stretch(harness: Harness) {
    fill(&harness).await;
    let newest = harness.consumer.get("/audit-events/checkpoint", &[]).await.json();
    let whole = harness.consumer.get("/audit-events/verification", &[]).await.json();
    assert_eq!(whole, json!({"result": "whole", "events": 13, "last": newest, "complete": true}));

    let (mut after, mut events, mut calls) = (String::new(), 0, 0);
    loop {
        let found = harness
            .consumer
            .get(&format!("/audit-events/verification?max_events=5{after}"), &[])
            .await
            .json();
        assert_eq!(found["result"], "whole", "{found}");
        events += found["events"].as_u64().expect("a number");
        calls += 1;
        let text = |name: &str| found["last"][name].to_string().replace('"', "");
        after = format!("&after_seq={}&after_hash={}", text("seq"), text("hash"));
        if found["complete"] == true {
            assert_eq!(found["last"], newest);
            break;
        }
        assert_eq!(found["events"], 5);
    }
    assert_eq!((events, calls), (13, 3));
}

async fn a_broken_chain_names_its_first_bad_row(harness: Harness) {
    fill(&harness).await;
    let third = harness.consumer.get("/audit-events/3", &[]).await.json();
    let newest = harness.consumer.get("/audit-events/checkpoint", &[]).await.json();
    let after = |seq: u64, hash: &Value| {
        format!("/audit-events/verification?after_seq={seq}&after_hash={}", hash.as_str().expect("a hash"))
    };
    let get = async |route: String| {
        let answer = harness.consumer.get(&route, &[]).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    };
    let is_broken = |found: &Value, seq: u64, why: &str| {
        let told = found["why"].as_str().is_some_and(|text| text.contains(why));
        assert!(found["result"] == "broken" && found["seq"] == seq && told, "{found}");
    };
    // A checkpoint that the log does not contain: the log was rewritten or truncated.
    is_broken(&get(after(3, &newest["hash"])).await, 3, "not the one in the checkpoint");
    is_broken(&get(after(99, &newest["hash"])).await, 14, "tail was cut off");

    let disarm = if harness.store.is_postgres() {
        "ALTER TABLE audit_events DISABLE TRIGGER USER"
    } else {
        "DROP TRIGGER audit_events_no_update"
    };
    harness.store.execute(disarm).await.expect(disarm);
    harness
        .store
        .execute("UPDATE audit_events SET tunnel_id = 'vpnx-other' WHERE seq = 7")
        .await
        .expect("changed");
    is_broken(&get("/audit-events/verification".into()).await, 7, "does not fit its columns");
    is_broken(&get(after(3, &third["hash"])).await, 7, "does not fit its columns");
    let before = get(format!("{}&max_events=3", after(3, &third["hash"]))).await;
    assert_eq!((before["result"].as_str(), before["last"]["seq"].as_u64()), (Some("whole"), Some(6)));
}

async fn checking_needs_the_whole_log_and_a_sound_question(harness: Harness) {
    let limited = harness.consumer_with("limited", &[(Scope::AuditRead, &["vpc-prod-*"])]).await;
    let refused = limited.get("/audit-events/verification", &[]).await;
    assert_eq!(refused.problem(), (403, "forbidden".into()));
    assert_eq!(refused.json()["detail"], "the scope audit:read for all VPCs is missing");
    let hash = "0".repeat(64);
    for (query, pointer) in [
        (format!("after_hash={hash}"), "query:after_seq"),
        ("after_seq=1".into(), "query:after_hash"),
        (format!("after_seq=0&after_hash={hash}"), "query:after_seq"),
        (format!("after_seq=1&after_hash=+{}", &hash[1..]), "query:after_hash"),
        ("max_events=100001".into(), "query:max_events"),
    ] {
        let answer = harness.consumer.get(&format!("/audit-events/verification?{query}"), &[]).await;
        assert_eq!(answer.problem(), (400, "invalid_query".into()), "{query}");
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{query}");
    }
}

/// A lock on the table makes the first verification wait, so the second one always overlaps with it.
#[tokio::test(flavor = "multi_thread")]
async fn one_check_at_a_time() {
    use sqlx::{Connection, Executor, PgConnection};
    let harness = Harness::new(crate::support::Store::postgres().await).await;
    fill(&harness).await;
    let mut other = PgConnection::connect(harness.store.url()).await.expect("the database");
    other.execute("BEGIN; LOCK TABLE audit_events IN ACCESS EXCLUSIVE MODE").await.expect("a lock");
    let consumer = harness.consumer.clone();
    let first = tokio::spawn(async move { consumer.get("/audit-events/verification", &[]).await });
    let refused = loop {
        // A call that arrives before the first one waits for the lock itself.
        let second = harness.consumer.get("/audit-events/verification", &[]);
        tokio::select! {
            answer = second => break answer,
            () = tokio::time::sleep(std::time::Duration::from_millis(500)) => {}
        }
    };
    assert_eq!(refused.problem(), (429, "verification_in_progress".into()));
    assert_eq!(refused.header("retry-after"), Some("1"));
    other.execute("COMMIT").await.expect("the end of the lock");
    first.await.expect("no panic");
    let again = loop {
        let answer = harness.consumer.get("/audit-events/verification", &[]).await;
        if answer.status == 200 {
            break answer.json();
        }
    };
    assert_eq!(again["result"], "whole");
}

on_each_api!(
    the_chain_is_checked_stretch_by_stretch,
    a_broken_chain_names_its_first_bad_row,
    checking_needs_the_whole_log_and_a_sound_question,
);
