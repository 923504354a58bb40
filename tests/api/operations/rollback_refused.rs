//! Rollbacks that are refused, and dry runs of rollbacks: nothing is sent, nothing is written.

use serde_json::{Value, json};
use tunnelgate::domain::api::Api;
use tunnelgate::domain::fingerprint::FingerprintKey;
use tunnelgate::domain::principal::Scope;
use tunnelgate::service::ReadBefore;
use tunnelgate::simulator::FIRST_KEY;

use super::rollback::{changed, log_is_whole, roll_back, shown};
use crate::harness::{Harness, path, ranges};
use crate::support::Store;
use crate::support::consumer::Answer;

fn codes(answer: &Answer) -> Vec<(String, String)> {
    let problem = answer.json();
    let errors = problem["errors"].as_array().expect("errors");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let mut codes: Vec<_> =
        errors.iter().map(|error| (text(&error["pointer"]), text(&error["code"]))).collect();
    codes.sort();
    codes
}

fn each(pointers: &[&str], code: &str) -> Vec<(String, String)> {
    pointers.iter().map(|pointer| ((*pointer).to_owned(), code.to_owned())).collect()
}

/// Asserts that a rollback is refused for these reasons, also as a dry run.
async fn is_not_reversible(harness: &Harness, operation: &Value, reasons: &[(String, String)]) {
    let sent = harness.simulator.journal().len();
    let events = harness.log().await.len();
    for query in ["", "?force=true", "?dry_run=true"] {
        let answer = roll_back(&harness.consumer, operation, query, &json!({}), &[]).await;
        assert_eq!(answer.problem(), (409, "not_reversible".into()), "{query}");
        assert_eq!(codes(&answer), reasons, "{query}");
        assert_eq!(answer.json()["operation_id"], operation["id"]);
    }
    assert_eq!((harness.simulator.journal().len(), harness.log().await.len()), (sent, events));
}

async fn what_changed_nothing_is_not_put_back(harness: Harness) {
    let patch = json!({"name": "hq", "peer_cidrs": ["10.100.2.0/24"], "ike": {"dh_group": "group5"}});
    let all = ["/ike/dh_group", "/name", "/peer_cidrs"];
    let failed = changed(&harness, "vpnx-task-fails", &patch).await;
    assert_eq!(failed["status"], "failed");
    is_not_reversible(&harness, &failed, &each(&all, "nothing_changed")).await;
    let refused = harness.consumer.patch(&path("vpnx-credentials"), &patch, &[]).await;
    let rejected = json!({"id": refused.json()["operation_id"]});
    is_not_reversible(&harness, &rejected, &each(&all, "nothing_changed")).await;
    let running = harness.consumer.patch(&path("vpnx-task-never-ends"), &patch, &[]).await.json();
    is_not_reversible(&harness, &running, &each(&all, "not_final")).await;
}

async fn what_the_cloud_does_not_show_is_not_put_back(harness: Harness) {
    let patch = json!({"name": "hq", "security_policies": [{"local_cidr": "10.0.0.0/24", "peer_cidrs": ["172.16.0.0/16"]}]});
    let operation = changed(&harness, "vpnx-branch02", &patch).await;
    match harness.api {
        Api::V2 => {
            is_not_reversible(&harness, &operation, &each(&["/security_policies"], "not_shown")).await;
        }
        Api::V3 => {
            let answer = roll_back(&harness.consumer, &operation, "", &json!({}), &[]).await;
            assert_eq!(answer.status, 202, "{}", answer.body);
        }
    }
    // A state before in which fields had no value, or were not shown.
    let patch = json!({"name": "hq", "peer_cidrs": ["10.100.2.0/24"], "ipsec": {"pfs_dh_group": "none"},
                       "ike": {"remote_identity": {"type": "fqdn", "fqdn": "idc.example.com"}}});
    let operation = changed(&harness, "vpnx-branch01", &patch).await;
    let before = json!({"name": "", "peer_cidrs": [], "ike": {"remote_identity": {"type": "address"}}});
    let cast = if harness.store.is_postgres() { "::jsonb" } else { "" };
    let update = format!("UPDATE operations SET before = '{before}'{cast}");
    harness.store.execute(&update).await.expect("another state before");
    let mut reasons = each(&["/ike/remote_identity", "/name", "/peer_cidrs"], "no_value");
    reasons.insert(1, ("/ipsec/pfs_dh_group".into(), "not_shown".into()));
    is_not_reversible(&harness, &operation, &reasons).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_read_is_not_put_back() {
    let harness =
        Harness::with(Store::sqlite(), |settings| settings.rules.read_before = ReadBefore::WhenNeeded).await;
    let operation = changed(&harness, "vpnx-branch01", &ranges()).await;
    assert_eq!(operation["before"], Value::Null);
    is_not_reversible(&harness, &operation, &each(&["/peer_cidrs"], "not_read")).await;
}

/// Also where the operators want no reads: the tunnel may have changed since.
#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_always_reads_the_tunnel() {
    let harness =
        Harness::with(Store::sqlite(), |settings| settings.rules.read_before = ReadBefore::WhenNeeded).await;
    let headers = [("if-match", "*"), ("prefer", "wait=30")];
    let operation = harness.consumer.patch(&path("vpnx-branch01"), &ranges(), &headers).await.json();
    changed(&harness, "vpnx-branch01", &json!({"peer_cidrs": ["10.9.9.0/24"]})).await;
    let answer = roll_back(&harness.consumer, &operation, "", &json!({}), &[]).await;
    assert_eq!(answer.problem(), (409, "changed_since".into()));
    let forced = roll_back(&harness.consumer, &operation, "?force=true", &json!({}), &[]).await.json();
    assert_eq!(forced["before"], json!({"peer_cidrs": ["10.9.9.0/24"]}));
}

async fn the_old_key_is_needed_and_checked(harness: Harness) {
    let patch = json!({"pre_shared_key": "second-key", "peer_cidrs": ["10.100.2.0/24"]});
    let operation = changed(&harness, "vpnx-branch01", &patch).await;
    for (body, code) in [
        (json!({}), "required"),
        (json!({"pre_shared_key": "wrong-canary"}), "other_key"),
        (json!({"pre_shared_key": "second-key"}), "other_key"),
        (json!({"pre_shared_key": "ü"}), "invalid"),
        (json!({"pre_shared_key": null}), "wrong_type"),
    ] {
        let answer = roll_back(&harness.consumer, &operation, "", &body, &[]).await;
        assert_eq!(answer.problem(), (422, "invalid_patch".into()), "{body}");
        assert_eq!(codes(&answer), each(&["/pre_shared_key"], code), "{body}");
        assert!(!answer.body.contains("canary"));
    }
    let other = changed(&harness, "vpnx-branch02", &ranges()).await;
    for (body, expected) in [
        (json!({"pre_shared_key": FIRST_KEY}), each(&["/pre_shared_key"], "not_allowed")),
        (json!({"peer_cidrs": [], "a/~b": 1}), each(&["/a~1~0b", "/peer_cidrs"], "unknown_field")),
        (json!([]), each(&[""], "wrong_type")),
    ] {
        let answer = roll_back(&harness.consumer, &other, "", &body, &[]).await;
        assert_eq!(answer.problem(), (422, "invalid_patch".into()), "{body}");
        assert_eq!(codes(&answer), expected, "{body}");
    }
    assert_eq!(harness.simulator.journal().len(), 2, "nothing more was sent");
    let right =
        roll_back(&harness.consumer, &operation, "", &json!({"pre_shared_key": FIRST_KEY}), &[]).await;
    assert_eq!(right.status, 202, "{}", right.body);
}

/// Fingerprints that were made with two keys can't be compared.
async fn a_key_can_not_be_checked_after_the_fingerprint_key_was_replaced(harness: Harness) {
    let patch = json!({"pre_shared_key": "second-key", "peer_cidrs": ["10.100.2.0/24"]});
    let operation = changed(&harness, "vpnx-branch01", &patch).await;
    let headers = [("idempotency-key", "one"), ("prefer", "wait=30")];
    let key = json!({"pre_shared_key": FIRST_KEY});
    let first = roll_back(&harness.consumer, &operation, "", &key, &headers).await.json();
    let other = FingerprintKey::from_setting(b"another fingerprint key");
    let (_replica, consumer) = harness.replica_with(|settings| settings.fingerprint_key = other).await;
    let again = roll_back(&consumer, &operation, "", &key, &headers).await;
    assert_eq!(again.problem(), (409, "idempotency_key_unverifiable".into()));
    assert_eq!(again.json()["operation_id"], first["id"]);
    for query in ["", "?dry_run=true", "?force=true"] {
        let answer = roll_back(&consumer, &first, query, &json!({"pre_shared_key": "second-key"}), &[]).await;
        assert_eq!(answer.problem(), (409, "not_reversible".into()), "{query}");
        assert_eq!(codes(&answer), each(&["/pre_shared_key"], "unverifiable"), "{query}");
    }
}

async fn a_dry_run_shows_what_would_be_put_back(harness: Harness) {
    let patch = json!({"pre_shared_key": "second-key", "peer_cidrs": ["10.100.2.0/24"], "ike": {"dh_group": "group5"}});
    let operation = changed(&harness, "vpnx-branch01", &patch).await;
    let tunnel = shown(&harness, "vpnx-branch01").await;
    let events = harness.log().await.len();
    let mut answers = Vec::new();
    // A dry run must not tell whether a guess is right.
    for body in [json!({}), json!({"pre_shared_key": FIRST_KEY}), json!({"pre_shared_key": "a guess"})] {
        let headers = [("idempotency-key", "one")];
        let answer = roll_back(&harness.consumer, &operation, "?dry_run=true", &body, &headers).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answers.push(answer.json());
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    let field = |pointer: &str| {
        let fields = answers[0]["fields"].as_array().expect("fields");
        fields.iter().find(|field| field["pointer"] == pointer).expect("the field").clone()
    };
    assert_eq!(
        field("/peer_cidrs"),
        json!({"pointer": "/peer_cidrs", "current": ["10.100.2.0/24"], "wanted": ["172.16.0.0/16"], "differs": true})
    );
    assert_eq!(
        field("/ike/dh_group"),
        json!({"pointer": "/ike/dh_group", "current": "group5", "wanted": "group14", "differs": true})
    );
    assert_eq!(
        field("/pre_shared_key"),
        json!({"pointer": "/pre_shared_key", "current": tunnel["pre_shared_key"], "wanted": "***", "differs": null})
    );
    assert_eq!(answers[0]["fields"].as_array().map(Vec::len), Some(3));
    assert_eq!((harness.simulator.journal().len(), harness.log().await.len()), (1, events));
    // The tag of the answer limits the rollback to this state.
    let tag = answers[0]["etag"].as_str().expect("a tag");
    let body = json!({"pre_shared_key": FIRST_KEY});
    let stale = roll_back(&harness.consumer, &operation, "", &body, &[("if-match", "\"other\"")]).await;
    assert_eq!(stale.problem(), (412, "precondition_failed".into()));
    let real = roll_back(&harness.consumer, &operation, "", &body, &[("if-match", tag)]).await;
    assert_eq!(real.status, 202, "{}", real.body);
}

async fn another_change_in_progress_comes_first(harness: Harness) {
    let operation = changed(&harness, "vpnx-slow-task", &ranges()).await;
    let other = json!({"peer_cidrs": ["10.100.3.0/24"]});
    let running = harness.consumer.patch(&path("vpnx-slow-task"), &other, &[]).await.json();
    let answer = roll_back(&harness.consumer, &operation, "?force=true", &json!({}), &[]).await;
    assert_eq!(answer.problem(), (409, "operation_in_progress".into()));
    assert_eq!(answer.json()["operation_id"], running["id"]);
}

async fn rights_are_those_of_a_change(harness: Harness) {
    let operation = changed(&harness, "vpnx-branch01", &ranges()).await;
    let events = harness.log().await.len();
    let elsewhere = harness
        .consumer_with(
            "elsewhere",
            &[(Scope::TunnelsRead, &["vpc-prod-*"]), (Scope::TunnelsWrite, &["vpc-prod-*"])],
        )
        .await;
    let answer = roll_back(&elsewhere, &operation, "", &json!({}), &[]).await;
    assert_eq!(answer.problem(), (404, "not_found".into()));
    let missing = json!({"id": "0199b3a1-7c1e-7d2f-9c1a-0123456789ab"});
    let nowhere = roll_back(&harness.consumer, &missing, "", &json!({}), &[]).await;
    assert_eq!(nowhere.json()["detail"], answer.json()["detail"], "both look the same");
    assert_eq!(roll_back(&harness.consumer, &json!({"id": "x"}), "", &json!({}), &[]).await.status, 404);

    let reader = harness
        .consumer_with("reader", &[(Scope::TunnelsRead, &[]), (Scope::TunnelsWrite, &["vpc-prod-*"])])
        .await;
    let dry = roll_back(&reader, &operation, "?dry_run=true", &json!({}), &[]).await;
    assert_eq!(dry.problem(), (403, "forbidden".into()));
    assert_eq!(harness.log().await.len(), events, "neither a 404 nor a dry run is an event");
    let refused = roll_back(&reader, &operation, "", &json!({}), &[]).await;
    assert_eq!(refused.problem(), (403, "forbidden".into()));
    let denied = harness.log().await.remove(0);
    assert_eq!((&denied["event"], &denied["actor"]), (&json!("denied"), &json!("reader")));
    assert_eq!((&denied["vpc_id"], &denied["tunnel_id"]), (&json!("vpc-03vihbk9"), &json!("vpnx-branch01")));

    let writer = harness.consumer_with("writer", &[(Scope::TunnelsWrite, &["vpc-03*"])]).await;
    // A dry run shows what is there.
    let dry = roll_back(&writer, &operation, "?dry_run=true", &json!({}), &[]).await;
    assert_eq!(dry.problem(), (403, "forbidden".into()));
    assert_eq!(roll_back(&writer, &operation, "", &json!({}), &[]).await.status, 202);
    log_is_whole(&harness).await;
}

async fn options_and_bodies_are_read_strictly(harness: Harness) {
    let operation = changed(&harness, "vpnx-branch01", &ranges()).await;
    for query in ["?force=1", "?dry_run=yes", "?forced=true", "?reason="] {
        let answer = roll_back(&harness.consumer, &operation, query, &json!({}), &[]).await;
        assert_eq!(answer.problem(), (400, "invalid_query".into()), "{query}");
    }
    let answer = roll_back(&harness.consumer, &operation, "", &json!({}), &[("if-match", "bad")]).await;
    assert_eq!(answer.problem(), (400, "invalid_header".into()));
    let route = format!("/operations/{}/rollback", operation["id"].as_str().expect("an id"));
    let plain = harness.consumer.raw("POST", &route, "{}", &[("content-type", "text/plain")]).await;
    assert_eq!(plain.problem(), (415, "unsupported_media_type".into()));
    let broken = harness.consumer.raw("POST", &route, "{", &[("content-type", "application/json")]).await;
    assert_eq!(broken.problem(), (400, "invalid_json".into()));
    let get = harness.consumer.get(&route, &[]).await;
    assert_eq!((get.problem(), get.header("allow")), ((405, "method_not_allowed".into()), Some("POST")));
    assert_eq!(harness.simulator.journal().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reason_is_required_where_the_operators_want_one() {
    let harness = Harness::with(Store::sqlite(), |settings| {
        settings.rules.require_reason = Some("^CHG-[0-9]+".parse().expect("a pattern"));
    })
    .await;
    let route = format!("{}?reason=CHG-1", path("vpnx-branch01"));
    let operation = harness.consumer.patch(&route, &ranges(), &[("prefer", "wait=30")]).await.json();
    for query in ["", "?dry_run=true", "?reason=because"] {
        let answer = roll_back(&harness.consumer, &operation, query, &json!({}), &[]).await;
        assert_eq!(answer.problem(), (422, "reason_required".into()), "{query}");
        let detail = answer.json()["detail"].to_string();
        assert!(detail.contains("must match ^CHG-[0-9]+"), "{detail}");
    }
    assert_eq!(roll_back(&harness.consumer, &operation, "?reason=CHG-2", &json!({}), &[]).await.status, 202);
}

on_each_api!(
    what_changed_nothing_is_not_put_back,
    what_the_cloud_does_not_show_is_not_put_back,
    the_old_key_is_needed_and_checked,
    a_key_can_not_be_checked_after_the_fingerprint_key_was_replaced,
    a_dry_run_shows_what_would_be_put_back,
    another_change_in_progress_comes_first,
    rights_are_those_of_a_change,
    options_and_bodies_are_read_strictly,
);
