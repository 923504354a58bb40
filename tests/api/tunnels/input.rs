//! Invalid input: one response with every error, and no call to the cloud.

use serde_json::{Value, json};

use tunnelgate::domain::api::Api;

use crate::harness::{Harness, path, ranges};

const MERGE_PATCH: (&str, &str) = ("content-type", "application/merge-patch+json");

pub fn pointers(problem: &Value) -> Vec<(String, String)> {
    let errors = problem["errors"].as_array().expect("errors");
    let text = |error: &Value, member: &str| error[member].as_str().expect("a text").to_owned();
    errors
        .iter()
        .map(|error| {
            assert!(!text(error, "detail").is_empty());
            (text(error, "pointer"), text(error, "code"))
        })
        .collect()
}

async fn both_media_types_are_taken_and_no_other(harness: Harness) {
    let tunnel = path("vpnx-branch01");
    for refused in ["text/plain", "application/json-patch+json", "application/json; charset=latin1", ""] {
        let answer = harness.consumer.raw("PATCH", &tunnel, "{}", &[("content-type", refused)]).await;
        assert_eq!(answer.problem(), (415, "unsupported_media_type".into()), "{refused}");
        assert_eq!(answer.header("accept-patch"), Some("application/merge-patch+json, application/json"));
    }
    let zipped =
        harness.consumer.raw("PATCH", &tunnel, "{}", &[MERGE_PATCH, ("content-encoding", "gzip")]).await;
    assert_eq!(zipped.problem(), (415, "unsupported_media_type".into()), "{}", zipped.body);
    assert!(zipped.body.contains("Content-Encoding"), "{}", zipped.body);
    for (number, taken) in
        ["application/json; charset=utf8", "Application/Merge-Patch+JSON; charset=UTF-8"].iter().enumerate()
    {
        let tunnel = path(&format!("vpnx-load-{number}"));
        let body = ranges().to_string();
        let answer = harness.consumer.raw("PATCH", &tunnel, &body, &[("content-type", taken)]).await;
        assert_eq!(answer.status, 202, "{taken}: {}", answer.body);
    }
}

async fn a_body_that_is_no_json_is_a_400(harness: Harness) {
    let duplicate = r#"{"name": "a", "peer_cidrs": ["10.0.0.0/8"], "name": "b"}"#;
    for body in ["", "{", "{\"name\": }", "\u{feff}{}", "{} {}", duplicate] {
        let answer = harness.consumer.raw("PATCH", &path("vpnx-branch01"), body, &[MERGE_PATCH]).await;
        assert_eq!(answer.problem(), (400, "invalid_json".into()), "{body}");
    }
    let deep = "[".repeat(5000);
    let answer = harness.consumer.raw("PATCH", &path("vpnx-branch01"), &deep, &[MERGE_PATCH]).await;
    assert_eq!(answer.problem(), (400, "invalid_json".into()));
}

async fn a_body_beyond_the_limit_is_a_413(harness: Harness) {
    let body = format!("{{\"name\": \"{}\"}}", "x".repeat(70_000));
    let answer = harness.consumer.raw("PATCH", &path("vpnx-branch01"), &body, &[MERGE_PATCH]).await;
    assert_eq!(answer.problem(), (413, "body_too_large".into()));
}

async fn every_fault_of_a_patch_is_told_at_once(harness: Harness) {
    let patch = json!({
        "name": "", "pre_shared_key": "päss", "peer_cidrs": ["10.0.0.0/33", "10.0.0.0/8", 7],
        "colour": "red", "ike": {"dh_group": "group3", "sa_lifetime_seconds": 59, "exchange_mode": null},
        "ipsec": {"sa_lifetime_kilobytes": harness.by_api(604_801_u64, 4_294_967_296)},
    });
    let answer = harness.patch("vpnx-branch01", &patch).await;
    assert_eq!(answer.problem(), (422, "invalid_patch".into()));
    let mut faults: Vec<String> = pointers(&answer.json()).into_iter().map(|(pointer, _)| pointer).collect();
    faults.sort();
    let expected = [
        "/colour",
        "/ike/dh_group",
        "/ike/exchange_mode",
        "/ike/sa_lifetime_seconds",
        "/ipsec/sa_lifetime_kilobytes",
        "/name",
        "/peer_cidrs/0",
        "/peer_cidrs/2",
        "/pre_shared_key",
    ];
    assert_eq!(faults, expected);
    assert!(!answer.body.contains("päss"), "a fault does not repeat a secret");
}

async fn a_patch_that_can_not_be_sent_is_a_422_that_says_why(harness: Harness) {
    let both = json!({"peer_cidrs": ["10.0.0.0/8"], "security_policies": [{"local_cidr": "10.0.0.0/8", "peer_cidrs": ["10.0.0.0/8"]}]});
    let mut patches = vec![json!({}), both, json!([]), json!("x"), json!({"peer_cidrs": []})];
    if harness.api == Api::V2 {
        // API 2.0 wants the ranges in every change.
        patches.push(json!({"name": "x"}));
    }
    for patch in patches {
        let answer = harness.patch("vpnx-branch01", &patch).await;
        assert_eq!(answer.problem(), (422, "invalid_patch".into()), "{patch}");
        assert!(!pointers(&answer.json()).is_empty(), "{patch}");
    }
    assert!(harness.simulator.journal().is_empty());
    let operations = harness.consumer.get("/operations", &[]).await.json();
    assert_eq!(operations["items"], json!([]), "no operation is stored");
}

/// The service checks query and headers before it parses the body, which is not JSON here.
async fn the_faults_of_the_query_and_of_headers_are_told_at_once(harness: Harness) {
    let odd = [MERGE_PATCH, ("if-match", "x"), ("idempotency-key", "a b")];
    for (query, code, told) in [
        ("?dry_run=1&colour=red", "invalid_query", 4),
        ("?dry_run=true", "invalid_header", 2),
        ("", "invalid_header", 2),
    ] {
        let route = format!("{}{query}", path("vpnx-branch01"));
        let answer = harness.consumer.raw("PATCH", &route, "{", &odd).await;
        assert_eq!(answer.problem(), (400, code.into()), "{query}");
        let faults = pointers(&answer.json());
        assert_eq!(faults.len(), told, "{faults:?}");
        for pointer in ["header:If-Match", "header:Idempotency-Key"] {
            assert!(faults.iter().any(|(found, _)| found == pointer), "{pointer} in {faults:?}");
        }
    }
    let route = format!("{}?colour=red", path("vpnx-branch01"));
    let answer = harness.consumer.get(&route, &[("if-none-match", "x")]).await;
    assert_eq!(answer.problem(), (400, "invalid_query".into()));
    assert_eq!(pointers(&answer.json()).len(), 2);
}

async fn an_id_that_is_none_is_told_with_the_rest(harness: Harness) {
    let route = format!("/vpcs/vpc%20x/gateways/{}/tunnels/a%3Ab", "g".repeat(65));
    let answer = harness.consumer.patch(&route, &json!({"name": ""}), &[]).await;
    assert_eq!(answer.problem(), (422, "invalid_patch".into()));
    let faults = pointers(&answer.json());
    for pointer in ["path:vpc_id", "path:gateway_id", "path:tunnel_id", "/name"] {
        assert!(faults.iter().any(|(found, _)| found == pointer), "{pointer} in {faults:?}");
    }
}

async fn what_only_api_3_has_is_refused_with_its_pointer(harness: Harness) {
    let patch = json!({
        "peer_cidrs": ["10.100.2.0/24"], "dpd": {"enabled": true}, "negotiation_type": "active",
        "health_check": {"enabled": true}, "customer_gateway_id": "cgw-1",
        "bgp": {"tunnel_cidr": "169.254.129.0/30", "local_ip": "169.254.129.1", "remote_ip": "169.254.129.2"},
        "ike": {"version": "ikev2", "dh_group": "group19"}, "ipsec": {"integrity_algorithm": "sha-256"},
    });
    let answer = harness.patch("vpnx-branch01", &patch).await;
    assert_eq!(answer.problem(), (422, "invalid_patch".into()));
    let mut faults = pointers(&answer.json());
    faults.sort();
    let expected = [
        "/bgp",
        "/customer_gateway_id",
        "/dpd",
        "/health_check",
        "/ike/dh_group",
        "/ike/version",
        "/ipsec/integrity_algorithm",
        "/negotiation_type",
    ];
    assert_eq!(faults, expected.map(|pointer| (pointer.to_owned(), "needs_api_3".to_owned())));
    let value = json!({"peer_cidrs": ["10.100.2.0/24"], "ipsec": {"pfs_dh_group": "dh-group20"}});
    let answer = harness.patch("vpnx-branch01", &value).await;
    assert_eq!(pointers(&answer.json()), [("/ipsec/pfs_dh_group".into(), "needs_api_3".into())]);
    assert!(harness.simulator.journal().is_empty(), "nothing is sent");
}

async fn what_a_tunnel_shows_can_be_sent_back(harness: Harness) {
    let with = |kilobytes: u32| json!({"peer_cidrs": ["10.100.2.0/24"], "ipsec": {"sa_lifetime_kilobytes": kilobytes}});
    let shown = harness.consumer.get(&path("vpnx-branch01"), &[]).await.json();
    assert_eq!(shown["ipsec"]["sa_lifetime_kilobytes"], 1_843_200, "beyond the documented maximum");
    let other = harness.patch("vpnx-branch01", &with(1_843_201)).await;
    assert_eq!(pointers(&other.json()), [("/ipsec/sa_lifetime_kilobytes".into(), "out_of_range".into())]);
    assert!(harness.simulator.journal().is_empty(), "nothing is sent");
    let headers = [("prefer", "wait=30")];
    let same = harness.consumer.patch(&path("vpnx-branch01"), &with(1_843_200), &headers).await;
    assert_eq!(same.json()["status"], "succeeded", "{}", same.body);
    assert_eq!(harness.received("vpnx-branch01")[0].params["IPsecSet.0.ipsecSaLifetimeTraffic"], "1843200");
    let dry = format!("{}?dry_run=true", path("vpnx-branch02"));
    assert_eq!(harness.consumer.patch(&dry, &with(1_843_200), &[]).await.status, 200);
    assert_eq!(harness.consumer.patch(&dry, &with(1_843_201), &[]).await.status, 422);
}

async fn words_are_taken_in_any_letter_case_and_answered_in_ours(harness: Harness) {
    let patch = r#"{"peer_cidrs": ["10.100.2.0/24"],
        "ike": {"encryption_algorithm": "AES-CBC-192", "authentication_algorithm": "SHA1", "exchange_mode": "Main",
                "remote_identity": {"type": "ADDRESS", "address": "203.0.113.20"}, "sa_lifetime_seconds": 86400.0},
        "ipsec": {"encryption_algorithm": "NULL", "pfs_dh_group": "DH-GROUP5"}}"#;
    let headers = [MERGE_PATCH, ("prefer", "wait=30")];
    let answer = harness.consumer.raw("PATCH", &path("vpnx-branch01"), patch, &headers).await;
    let operation = answer.json();
    assert_eq!(operation["status"], "succeeded", "{operation}");
    assert_eq!(
        operation["changes"],
        json!({"peer_cidrs": ["10.100.2.0/24"],
            "ike": {"encryption_algorithm": "aes-cbc-192", "authentication_algorithm": "sha", "exchange_mode": "main",
                    "remote_identity": {"type": "address", "address": "203.0.113.20"}, "sa_lifetime_seconds": 86400},
            "ipsec": {"encryption_algorithm": "none", "pfs_dh_group": "dh-group5"}})
    );
    assert_eq!(operation["verification"], json!({"result": "confirmed"}), "{operation}");
    let sent = &harness.received("vpnx-branch01")[0].params;
    let expected = harness.by_api(
        [("IKESet.0.propoAuthenAlgorithm", "sha"), ("encryptAlgorithm", "null")],
        [
            ("IKEOptionsSpecification.PropoAuthenAlgorithm", "SHA"),
            ("IPSECOptionsSpecification.EncryptAlgorithm", "NULL"),
        ],
    );
    for (name, value) in expected {
        assert_eq!(sent[name], value, "{name}");
    }
}

async fn a_text_that_turns_the_direction_of_others_is_refused(harness: Harness) {
    for name in ["hq\u{202e}gnp.exe", "a\u{2028}b", "a\u{2066}b"] {
        let patch = json!({"name": name, "peer_cidrs": ["10.100.2.0/24"]});
        let answer = harness.patch("vpnx-branch01", &patch).await;
        assert_eq!(answer.problem(), (422, "invalid_patch".into()), "{name:?}");
        assert_eq!(pointers(&answer.json()), [("/name".into(), "invalid".into())]);
    }
    let route = format!("{}?reason=CHG-1%E2%80%AE2", path("vpnx-branch01"));
    let answer = harness.consumer.patch(&route, &ranges(), &[]).await;
    assert_eq!(answer.problem(), (400, "invalid_query".into()));
    assert!(harness.simulator.journal().is_empty());
}

// What API 2.0 has no word for, and what is beyond its limits but not beyond those of API 3.0.
on_each_ledger!(what_only_api_3_has_is_refused_with_its_pointer, what_a_tunnel_shows_can_be_sent_back);
on_each_api!(
    both_media_types_are_taken_and_no_other,
    a_body_that_is_no_json_is_a_400,
    a_body_beyond_the_limit_is_a_413,
    every_fault_of_a_patch_is_told_at_once,
    a_patch_that_can_not_be_sent_is_a_422_that_says_why,
    the_faults_of_the_query_and_of_headers_are_told_at_once,
    an_id_that_is_none_is_told_with_the_rest,
    a_text_that_turns_the_direction_of_others_is_refused,
    words_are_taken_in_any_letter_case_and_answered_in_ours,
);
