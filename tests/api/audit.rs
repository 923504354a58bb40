//! Counting the audit log's events by time, and checking its chain over HTTP.

use serde_json::{Value, json};
use tunnelgate::domain::principal::Scope;

use crate::field::{Field, path, ranges};
use crate::on_each_ledger;
use crate::support::consumer::Answer;

/// Three operations of one VPC, one of another.
async fn fill(field: &Field) {
    let prod = "/vpcs/vpc-prod-1/gateways/vpngw-prod1/tunnels/vpnx-prod1".to_owned();
    for tunnel in [path("vpnx-load-1"), path("vpnx-load-2"), path("vpnx-failed-5100"), prod] {
        field.consumer.patch(&tunnel, &ranges(), &[("prefer", "wait=30")]).await;
    }
}

/// How many events of a kind an answer counts.
fn count(answer: &Answer, event: &str) -> u64 {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let counts = answer.json();
    let items = counts["items"].as_array().expect("items");
    items.iter().filter(|item| item["event"] == event).filter_map(|item| item["count"].as_u64()).sum()
}

async fn events_are_counted_by_time_and_kind(field: Field) {
    fill(&field).await;
    let all = field.consumer.get("/audit-events/counts", &[]).await;
    assert_eq!((count(&all, "requested"), count(&all, "rejected"), count(&all, "succeeded")), (4, 1, 3));
    assert_eq!(all.json()["bucket"], "1h");

    // The same as counting the list by hand, in every bucket.
    let page = field.consumer.get("/audit-events?limit=200", &[]).await.json();
    for (bucket, digits) in
        [("1m", "2026-01-31T08:20".len()), ("1h", "2026-01-31T08".len()), ("1d", "2026-01-31".len())]
    {
        let answer = field.consumer.get(&format!("/audit-events/counts?bucket={bucket}"), &[]).await.json();
        for item in answer["items"].as_array().expect("items") {
            let from = item["from"].as_str().expect("a moment");
            let begins = |event: &&Value| {
                event["occurred_at"].as_str().is_some_and(|at| at[..digits] == from[..digits])
            };
            let by_hand = page["items"].as_array().expect("items").iter();
            let by_hand = by_hand.filter(begins).filter(|event| event["event"] == item["event"]).count();
            assert_eq!(item["count"], by_hand, "{bucket} {item}");
            assert!(from[digits..].bytes().all(|byte| !byte.is_ascii_digit() || byte == b'0'), "{from}");
        }
    }
}

async fn counts_are_narrowed_by_filters_time_and_rights(field: Field) {
    fill(&field).await;
    let get = async |query: &str| field.consumer.get(&format!("/audit-events/counts?{query}"), &[]).await;
    assert_eq!(count(&get("tunnel_id=vpnx-load-2").await, "requested"), 1);
    assert_eq!(count(&get("vpc_id=vpc-prod-1&event=requested").await, "requested"), 1);
    assert_eq!(count(&get("event=rejected").await, "requested"), 0);
    assert_eq!(count(&get("requested_by=nobody").await, "requested"), 0);
    assert_eq!(count(&get("created_before=2020-01-01T00:00:00Z").await, "requested"), 0);
    let events = field.consumer.get("/audit-events?limit=200&event=requested", &[]).await.json();
    let second = events["items"][2]["occurred_at"].as_str().expect("a moment");
    assert_eq!(
        count(&get(&format!("created_after={second}")).await, "requested"),
        3,
        "from a moment, inclusive"
    );

    let limited = field.somebody("limited", &[(Scope::AuditRead, &["vpc-prod-*"])]).await;
    assert_eq!(count(&limited.get("/audit-events/counts", &[]).await, "requested"), 1);
    let reader = field.somebody("reader", &[(Scope::TunnelsRead, &[])]).await;
    assert_eq!(reader.get("/audit-events/counts", &[]).await.problem(), (403, "forbidden".into()));
}

async fn counts_that_would_be_too_many_or_none_are_refused(field: Field) {
    for (query, pointer) in [
        ("bucket=1m&created_after=2026-01-01T00:00:00Z&created_before=2026-01-02T00:00:00Z", "query:bucket"),
        ("bucket=7m", "query:bucket"),
        ("created_after=2026-01-02T00:00:00Z&created_before=2026-01-01T00:00:00Z", "query:created_before"),
        ("limit=5", "query:limit"),
    ] {
        let answer = field.consumer.get(&format!("/audit-events/counts?{query}"), &[]).await;
        assert_eq!(answer.problem(), (400, "invalid_query".into()), "{query}");
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{query}");
    }
}

async fn the_chain_is_checked_stretch_by_stretch(field: Field) {
    let empty = field.consumer.get("/audit-events/verification", &[]).await.json();
    assert_eq!(empty, json!({"result": "whole", "events": 0, "last": null, "complete": true}));
    fill(&field).await;
    let newest = field.consumer.get("/audit-events/checkpoint", &[]).await.json();
    let whole = field.consumer.get("/audit-events/verification", &[]).await.json();
    assert_eq!(whole, json!({"result": "whole", "events": 14, "last": newest, "complete": true}));

    let (mut after, mut events, mut calls) = (String::new(), 0, 0);
    loop {
        let found =
            field.consumer.get(&format!("/audit-events/verification?max_events=5{after}"), &[]).await.json();
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
    assert_eq!((events, calls), (14, 3));
}

async fn a_broken_chain_names_its_first_bad_row(field: Field) {
    fill(&field).await;
    let third = field.consumer.get("/audit-events/3", &[]).await.json();
    let newest = field.consumer.get("/audit-events/checkpoint", &[]).await.json();
    let after = |seq: u64, hash: &Value| {
        format!("/audit-events/verification?after_seq={seq}&after_hash={}", hash.as_str().expect("a hash"))
    };
    let get = async |route: String| {
        let answer = field.consumer.get(&route, &[]).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    };
    let is_broken = |found: &Value, seq: u64, why: &str| {
        let told = found["why"].as_str().is_some_and(|text| text.contains(why));
        assert!(found["result"] == "broken" && found["seq"] == seq && told, "{found}");
    };
    // A kept checkpoint that the log does not hold: written anew, or cut off.
    is_broken(&get(after(3, &newest["hash"])).await, 3, "not the one in the checkpoint");
    is_broken(&get(after(99, &newest["hash"])).await, 15, "tail was cut off");

    let disarm = if field.store.is_postgres() {
        "ALTER TABLE audit_events DISABLE TRIGGER USER"
    } else {
        "DROP TRIGGER audit_events_no_update"
    };
    field.store.execute(disarm).await.expect(disarm);
    field
        .store
        .execute("UPDATE audit_events SET tunnel_id = 'vpnx-other' WHERE seq = 7")
        .await
        .expect("changed");
    is_broken(&get("/audit-events/verification".into()).await, 7, "does not fit its columns");
    is_broken(&get(after(3, &third["hash"])).await, 7, "does not fit its columns");
    let before = get(format!("{}&max_events=3", after(3, &third["hash"]))).await;
    assert_eq!((before["result"].as_str(), before["last"]["seq"].as_u64()), (Some("whole"), Some(6)));
}

async fn checking_needs_the_whole_log_and_a_sound_question(field: Field) {
    let limited = field.somebody("limited", &[(Scope::AuditRead, &["vpc-prod-*"])]).await;
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
        let answer = field.consumer.get(&format!("/audit-events/verification?{query}"), &[]).await;
        assert_eq!(answer.problem(), (400, "invalid_query".into()), "{query}");
        assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{query}");
    }
}

/// The reads of the check wait for a lock on the table, so that a second one surely comes meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn one_check_at_a_time() {
    use sqlx::{Connection, Executor, PgConnection};
    let field = Field::new(crate::support::Store::postgres().await).await;
    fill(&field).await;
    let mut other = PgConnection::connect(field.store.url()).await.expect("the database");
    other.execute("BEGIN; LOCK TABLE audit_events IN ACCESS EXCLUSIVE MODE").await.expect("a lock");
    let consumer = field.consumer.clone();
    let first = tokio::spawn(async move { consumer.get("/audit-events/verification", &[]).await });
    let refused = loop {
        // A call that comes before the first one ends in the lock itself.
        let second = field.consumer.get("/audit-events/verification", &[]);
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
        let answer = field.consumer.get("/audit-events/verification", &[]).await;
        if answer.status == 200 {
            break answer.json();
        }
    };
    assert_eq!(again["result"], "whole");
}

on_each_ledger!(
    events_are_counted_by_time_and_kind,
    counts_are_narrowed_by_filters_time_and_rights,
    counts_that_would_be_too_many_or_none_are_refused,
    the_chain_is_checked_stretch_by_stretch,
    a_broken_chain_names_its_first_bad_row,
    checking_needs_the_whole_log_and_a_sound_question,
);
