//! `POST /operations/{id}/rollback`: puts back what a tunnel had before an operation.

use serde_json::{Value, json};
use tunnelgate::service::audit::{Verdict, verify};
use tunnelgate::simulator::FIRST_KEY;

use crate::harness::{Harness, every_field, path, ranges};
use crate::support::consumer::{Answer, Consumer};

const WAIT: (&str, &str) = ("prefer", "wait=30");

/// Rolls an operation back; `query` begins with `?`.
pub async fn roll_back(
    consumer: &Consumer,
    operation: &Value,
    query: &str,
    body: &Value,
    headers: &[(&str, &str)],
) -> Answer {
    let id = operation["id"].as_str().expect("an operation");
    let mut all = vec![("content-type", "application/json")];
    all.extend_from_slice(headers);
    consumer.raw("POST", &format!("/operations/{id}/rollback{query}"), &body.to_string(), &all).await
}

/// Changes a tunnel and waits for the end.
pub async fn changed(harness: &Harness, tunnel: &str, patch: &Value) -> Value {
    let answer = harness.consumer.patch(&path(tunnel), patch, &[WAIT]).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let operation = answer.json();
    assert!(operation["finished_at"].is_string(), "{operation}");
    operation
}

pub async fn shown(harness: &Harness, tunnel: &str) -> Value {
    let answer = harness.consumer.get(&path(tunnel), &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

pub async fn log_is_whole(harness: &Harness) {
    let verdict = verify(&*harness.ledger(), None).await.expect("verified");
    assert!(matches!(verdict, Verdict::Whole { .. }), "{verdict:?}");
}

/// A patch for each field that API 2.0 shows, each with the ranges that every change needs.
fn each_field() -> Vec<Value> {
    let mut patches = vec![ranges()];
    for (member, value) in every_field().as_object().expect("members") {
        match value {
            Value::Object(group) => {
                patches.extend(group.iter().map(|(name, value)| json!({member: {name: value}})))
            }
            Value::Array(_) => {}
            value => patches.push(json!({member: value})),
        }
    }
    for patch in &mut patches {
        patch["peer_cidrs"] = json!(["10.100.2.0/24"]);
    }
    patches
}

async fn every_field_is_put_back(harness: Harness) {
    let first = shown(&harness, "vpnx-branch01").await;
    let mut patches = each_field();
    assert_eq!(patches.len(), 15);
    patches.push(every_field());
    for patch in patches {
        let operation = changed(&harness, "vpnx-branch01", &patch).await;
        assert_ne!(shown(&harness, "vpnx-branch01").await, first, "{patch}");
        let key =
            if patch["pre_shared_key"].is_null() { json!({}) } else { json!({"pre_shared_key": FIRST_KEY}) };
        let answer = roll_back(&harness.consumer, &operation, "", &key, &[WAIT]).await;
        assert_eq!(answer.status, 200, "{patch}: {}", answer.body);
        let rollback = answer.json();
        assert_eq!(rollback["status"], "succeeded", "{patch}: {rollback}");
        assert_eq!(rollback["verification"], json!({"result": "confirmed"}), "{patch}");
        assert_eq!(rollback["changes"], operation["before"], "{patch}");
        assert_eq!(rollback["before"], operation["changes"], "{patch}");
        assert_eq!(rollback["rollback_of"], operation["id"]);
        assert_eq!(shown(&harness, "vpnx-branch01").await, first, "{patch}");
    }
    log_is_whole(&harness).await;
}

async fn the_answer_is_that_of_a_change(harness: Harness) {
    let operation = changed(&harness, "vpnx-branch01", &ranges()).await;
    let route = format!("/operations/{}/rollback?reason=CHG-1", operation["id"].as_str().expect("an id"));
    // A body is needed for a key only.
    let answer = harness.consumer.raw("POST", &route, "", &[("user-agent", "tests")]).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    let rollback = answer.json();
    let id = rollback["id"].as_str().expect("an id");
    assert_eq!(answer.header("location"), Some(&*format!("/operations/{id}")));
    assert!(answer.header("retry-after").is_some());
    assert_eq!((&rollback["status"], &rollback["reason"]), (&json!("running"), &json!("CHG-1")));
    let ended = harness.consumer.ended(id).await;
    assert_eq!((&ended["status"], &ended["rollback_of"]), (&json!("succeeded"), &operation["id"]));
    assert_eq!(harness.events(id).await, ["requested", "submitted", "succeeded"]);
    let events = harness.consumer.get(&format!("/audit-events?operation_id={id}"), &[]).await.json();
    for event in events["items"].as_array().expect("items") {
        assert_eq!(event["rollback_of"], operation["id"], "{event}");
    }
    assert_eq!(events["items"][2]["changes"], operation["before"]);
    let listed = harness.consumer.get("/operations?limit=1", &[]).await.json();
    assert_eq!(listed["items"][0]["rollback_of"], operation["id"]);
}

async fn a_rollback_can_be_rolled_back(harness: Harness) {
    let operation = changed(&harness, "vpnx-branch01", &every_field()).await;
    let after = shown(&harness, "vpnx-branch01").await;
    let key = json!({"pre_shared_key": FIRST_KEY});
    let rollback = roll_back(&harness.consumer, &operation, "", &key, &[WAIT]).await.json();
    let key = json!({"pre_shared_key": "tencenttest"});
    let again = roll_back(&harness.consumer, &rollback, "", &key, &[WAIT]).await.json();
    assert_eq!((&again["status"], &again["rollback_of"]), (&json!("succeeded"), &rollback["id"]));
    assert_eq!(shown(&harness, "vpnx-branch01").await, after);
}

async fn a_repeated_request_rolls_back_once(harness: Harness) {
    let operation = changed(&harness, "vpnx-branch01", &every_field()).await;
    let key = json!({"pre_shared_key": FIRST_KEY});
    let headers = [("idempotency-key", "one"), WAIT];
    let first = roll_back(&harness.consumer, &operation, "?reason=a", &key, &headers).await;
    assert_eq!((first.status, first.header("idempotent-replayed")), (200, None), "{}", first.body);
    // The tunnel has changed since the operation, and that is why.
    let again = roll_back(&harness.consumer, &operation, "?reason=a", &key, &headers).await;
    assert_eq!((again.status, again.header("idempotent-replayed")), (200, Some("true")), "{}", again.body);
    assert_eq!(again.json(), first.json());
    assert_eq!(harness.received("vpnx-branch01").len(), 2, "one change and one rollback");
    for (query, body) in [("?reason=b", &key), ("?reason=a&force=true", &key), ("?reason=a", &json!({}))] {
        let other = roll_back(&harness.consumer, &operation, query, body, &headers).await;
        assert_eq!(other.problem(), (422, "idempotency_key_reused".into()), "{query} {body}");
    }
    // A PATCH that sets the same values is another request.
    let same = first.json()["changes"]["peer_cidrs"].clone();
    let patch = json!({"peer_cidrs": same});
    let patched = harness.consumer.patch(&path("vpnx-branch01"), &patch, &headers).await;
    assert_eq!(patched.problem(), (422, "idempotency_key_reused".into()));
}

async fn a_later_change_is_shown_and_force_overrides_it(harness: Harness) {
    let first = shown(&harness, "vpnx-branch01").await;
    let patch =
        json!({"name": "hq", "pre_shared_key": "second-key", "peer_cidrs": ["10.100.2.0/24", "10.9.0.0/16"]});
    let operation = changed(&harness, "vpnx-branch01", &patch).await;
    let later = json!({"pre_shared_key": "third-key", "peer_cidrs": ["10.100.3.0/24"]});
    let other = changed(&harness, "vpnx-branch01", &later).await;
    let key = json!({"pre_shared_key": FIRST_KEY});
    for query in ["", "?dry_run=true"] {
        let answer = roll_back(&harness.consumer, &operation, query, &key, &[]).await;
        assert_eq!(answer.problem(), (409, "changed_since".into()), "{query}");
        let problem = answer.json();
        assert_eq!(problem["operation_id"], operation["id"]);
        let differences = json!([
            {"pointer": "/peer_cidrs", "expected": ["10.100.2.0/24", "10.9.0.0/16"], "observed": ["10.100.3.0/24"]},
            {"pointer": "/pre_shared_key", "expected": operation["changes"]["pre_shared_key"],
             "observed": other["changes"]["pre_shared_key"]},
        ]);
        assert_eq!(problem["differences"], differences, "{query}");
    }
    assert_eq!(harness.received("vpnx-branch01").len(), 2, "nothing was sent");
    let forced = roll_back(&harness.consumer, &operation, "?force=true", &key, &[WAIT]).await;
    assert_eq!(forced.json()["status"], "succeeded", "{}", forced.body);
    assert_eq!(forced.json()["before"]["peer_cidrs"], json!(["10.100.3.0/24"]), "what was there");
    assert_eq!(shown(&harness, "vpnx-branch01").await, first);
    log_is_whole(&harness).await;
}

async fn the_order_of_ranges_and_their_host_bits_are_no_change(harness: Harness) {
    let operation =
        changed(&harness, "vpnx-branch01", &json!({"peer_cidrs": ["10.1.2.0/24", "10.3.0.0/16"]})).await;
    changed(&harness, "vpnx-branch01", &json!({"peer_cidrs": ["10.3.9.1/16", "10.1.2.3/24"]})).await;
    let answer = roll_back(&harness.consumer, &operation, "", &json!({}), &[]).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
}

async fn a_diverged_operation_is_compared_with_what_it_left(harness: Harness) {
    let patch = json!({"name": "hq", "peer_cidrs": ["10.100.2.0/24"]});
    let operation = changed(&harness, "vpnx-diverged", &patch).await;
    assert_eq!(operation["status"], "diverged");
    let answer = roll_back(&harness.consumer, &operation, "", &json!({}), &[WAIT]).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(shown(&harness, "vpnx-diverged").await["name"], "diverged");
    // Now the name is no longer the one that the operation set.
    let again = roll_back(&harness.consumer, &operation, "", &json!({}), &[]).await;
    assert_eq!(again.problem(), (409, "changed_since".into()));
    let differences = json!([{"pointer": "/name", "expected": "hq", "observed": "diverged"}]);
    assert_eq!(again.json()["differences"], differences);
}

async fn an_operation_with_an_unknown_end_can_be_rolled_back(harness: Harness) {
    let operation = changed(&harness, "vpnx-task-never-ends", &ranges()).await;
    assert_eq!(operation["status"], "timed_out", "{operation}");
    let dry = roll_back(&harness.consumer, &operation, "?dry_run=true", &json!({}), &[]).await;
    assert_eq!(dry.status, 200, "{}", dry.body);
}

async fn values_beyond_the_limits_of_a_patch_are_sent_as_they_were(harness: Harness) {
    let patch = json!({"name": "hq", "peer_cidrs": ["10.100.2.0/24"],
                       "ike": {"sa_lifetime_seconds": 3600}, "ipsec": {"encryption_algorithm": "des-cbc"}});
    let operation = changed(&harness, "vpnx-branch01", &patch).await;
    let name = format!("a&b=c \u{202e}+%41\"{}", "隧".repeat(70));
    let before = json!({"name": name, "peer_cidrs": ["172.16.0.0/16"], "ike": {"sa_lifetime_seconds": 9_999_999},
                        "ipsec": {"encryption_algorithm": "future-cipher"}});
    let cast = if harness.store.is_postgres() { "::jsonb" } else { "" };
    let update = format!("UPDATE operations SET before = '{before}'{cast}");
    harness.store.execute(&update).await.expect("another state before");
    let answer = roll_back(&harness.consumer, &operation, "", &json!({}), &[]).await;
    let params = harness.received("vpnx-branch01").pop().expect("a call").params;
    let expected = harness.by_api(
        [
            ("vpnConnName", name.as_str()),
            ("IKESet.0.ikeSaLifetimeSeconds", "9999999"),
            ("encryptAlgorithm", "future-cipher"),
        ],
        [
            ("VpnConnectionName", name.as_str()),
            ("IKEOptionsSpecification.IKESaLifetimeSeconds", "9999999"),
            ("IPSECOptionsSpecification.EncryptAlgorithm", "future-cipher"),
        ],
    );
    for (parameter, value) in expected {
        assert_eq!(params[parameter], value, "{}", answer.body);
    }
    let rollback = harness.consumer.get("/operations?limit=1", &[]).await.json()["items"][0].clone();
    assert_eq!((&rollback["rollback_of"], &rollback["changes"]), (&operation["id"], &before));
}

on_each_api!(
    every_field_is_put_back,
    the_answer_is_that_of_a_change,
    a_rollback_can_be_rolled_back,
    a_repeated_request_rolls_back_once,
    a_later_change_is_shown_and_force_overrides_it,
    the_order_of_ranges_and_their_host_bits_are_no_change,
    a_diverged_operation_is_compared_with_what_it_left,
    an_operation_with_an_unknown_end_can_be_rolled_back,
    values_beyond_the_limits_of_a_patch_are_sent_as_they_were,
);
