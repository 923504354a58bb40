//! Every error code of the cloud's documents, in every member that can contain it, and every HTTP status of the cloud's
//! front end. Each leads to the right response and events; only a refusal that proves that nothing happened is retried.

use tunnelgate::domain::api::Api;

use crate::each_api::OnApi;
use crate::harness::{Harness, ranges};
use crate::support::Store;

/// How many times a change is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    Once,
    /// Retried once with a new signature.
    Twice,
    /// Retried until the time limit.
    Repeatedly,
}
use Sent::{Once, Repeatedly, Twice};

/// The response that the tunnel's name asks for, the status, the problem's code (`unknown`: the operation is settled
/// later), and how many times the change is sent.
type Row = (&'static str, u16, &'static str, Sent);

const NUMBERS: &[Row] = &[
    ("code-4000", 422, "upstream_invalid_parameter", Once),
    ("code-4100", 502, "upstream_credentials", Once),
    ("code-4101", 502, "upstream_credentials", Once),
    ("code-4102", 502, "upstream_credentials", Once),
    ("code-4103", 502, "upstream_credentials", Once),
    ("code-4104", 502, "upstream_credentials", Once),
    ("code-4105", 502, "upstream_credentials", Once),
    ("code-4106", 502, "upstream_credentials", Once),
    ("code-4110", 502, "upstream_credentials", Once),
    ("code-4200", 502, "upstream_replay", Twice),
    ("code-4300", 502, "upstream_credentials", Once),
    ("code-4400", 429, "upstream_rate_limited", Repeatedly),
    ("code-4500", 202, "unknown", Once),
    ("code-4600", 502, "upstream_failed", Once),
    ("code-5000", 404, "tunnel_not_found", Once),
    ("code-5100", 202, "unknown", Once),
    ("code-5200", 502, "upstream_failed", Once),
    ("code-5300", 502, "upstream_failed", Once),
    ("code-5400", 202, "unknown", Once),
    ("code-5500", 502, "upstream_failed", Once),
    ("code-6000", 202, "unknown", Once),
    ("code-6100", 502, "upstream_failed", Once),
    ("code-6200", 503, "upstream_unavailable", Once),
    ("code--3047", 202, "unknown", Once),
    ("code-7777", 202, "unknown", Once),
];

const CODE_DESCS: &[Row] = &[
    ("desc-InvalidVpc_NotFound", 404, "tunnel_not_found", Once),
    ("desc-InvalidVpnGw_NotFound", 404, "tunnel_not_found", Once),
    ("desc-InvalidVpnConn_NotFound", 404, "tunnel_not_found", Once),
    ("desc-InvalidVpnConnState", 409, "tunnel_state_conflict", Once),
    ("desc-ActionLocked", 409, "tunnel_state_conflict", Once),
    ("desc-InvalidVpnConnName", 422, "upstream_invalid_parameter", Once),
    ("desc-InvalidVpnConnName_InUse", 422, "upstream_invalid_parameter", Once),
    ("desc-InvalidUserGw_NotFound", 422, "upstream_invalid_parameter", Once),
    ("desc-VpnConnLimitExceeded", 502, "upstream_failed", Once),
    ("desc-ServiceUnavailable", 202, "unknown", Once),
    ("desc-RequestLimitExceeded", 429, "upstream_rate_limited", Repeatedly),
    ("desc-FailedOperation_TaskFailed", 202, "unknown", Once),
    ("desc-UnsupportedOperation_DeliveryFailed", 202, "unknown", Once),
    // An unknown `codeDesc`: the number decides.
    ("desc-SomethingElse", 422, "upstream_invalid_parameter", Once),
];

const MESSAGES: &[Row] = &[
    ("message-InvalidVpc_NotFound", 404, "tunnel_not_found", Once),
    ("message-InvalidVpnGw_NotFound", 404, "tunnel_not_found", Once),
    ("message-InvalidVpnConn_NotFound", 404, "tunnel_not_found", Once),
    ("message-InvalidVpnConnState", 409, "tunnel_state_conflict", Once),
    ("message-ActionLocked", 409, "tunnel_state_conflict", Once),
    ("message-InvalidVpnConnName_InUse", 422, "upstream_invalid_parameter", Once),
    ("message-InvalidUserGw_NotFound", 422, "upstream_invalid_parameter", Once),
    ("message-VpnConnLimitExceeded", 502, "upstream_failed", Once),
    ("message-ServiceUnavailable", 202, "unknown", Once),
    ("message-FailedOperation", 202, "unknown", Once),
    // A message never leads to a retry.
    ("message-RequestLimitExceeded", 422, "upstream_invalid_parameter", Once),
];

const MODERN: &[Row] = &[
    ("modern-ResourceNotFound", 404, "tunnel_not_found", Once),
    ("modern-InvalidParameterValue_Malformed", 422, "upstream_invalid_parameter", Once),
    ("modern-MissingParameter", 422, "upstream_invalid_parameter", Once),
    ("modern-UnsupportedOperation_InvalidState", 409, "tunnel_state_conflict", Once),
    ("modern-AuthFailure_SignatureFailure", 502, "upstream_credentials", Once),
    ("modern-UnauthorizedOperation", 502, "upstream_credentials", Once),
    ("modern-AuthFailure_SignatureExpire", 502, "upstream_replay", Twice),
    ("modern-RequestLimitExceeded_UinLimitExceeded", 429, "upstream_rate_limited", Repeatedly),
    ("modern-LimitExceeded", 502, "upstream_failed", Once),
    ("modern-FailedOperation", 202, "unknown", Once),
    ("modern-InternalError", 202, "unknown", Once),
    ("modern-ServiceUnavailable", 202, "unknown", Once),
];

const HTTP: &[Row] = &[
    ("http-200", 202, "unknown", Once),
    ("http-201", 202, "unknown", Once),
    ("http-302", 202, "unknown", Once),
    ("http-400", 202, "unknown", Once),
    ("http-403", 202, "unknown", Once),
    ("http-404", 202, "unknown", Once),
    ("http-408", 202, "unknown", Once),
    ("http-429", 202, "unknown", Once),
    ("http-500", 202, "unknown", Once),
    ("http-502", 202, "unknown", Once),
    ("http-503", 202, "unknown", Once),
    ("http-504", 202, "unknown", Once),
];

async fn play(harness: &Harness, (name, status, code, sent): &Row) {
    let tunnel = format!("vpnx-{name}");
    let answer = harness.patch(&tunnel, &ranges()).await;
    assert_eq!(answer.status, *status, "{name}: {}", answer.body);
    let body = answer.json();
    let id = if *status == 202 {
        assert_eq!(body["status"], *code, "{name}: {body}");
        assert_eq!(body["error"]["code"], "answer_lost", "{name}: {body}");
        body["id"].as_str().expect("an id").to_owned()
    } else {
        assert_eq!(answer.problem().1, *code, "{name}");
        assert_eq!(answer.header("retry-after").is_some(), matches!(status, 429 | 503), "{name}");
        body["operation_id"].as_str().expect("the operation's id").to_owned()
    };
    let end = harness.consumer.ended(&id).await;
    let (status, kinds): (_, &[&str]) = match *code {
        "unknown" => ("failed", &["requested", "outcome_unknown", "failed"]),
        _ => ("rejected", &["requested", "rejected"]),
    };
    assert_eq!(end["status"], status, "{name}: {end}");
    assert_eq!(harness.events(&id).await, kinds, "{name}");

    let received = harness.received(&tunnel).len();
    match sent {
        Once => assert_eq!(received, 1, "{name}"),
        Twice => assert_eq!(received, 2, "{name}"),
        Repeatedly => assert!(received > 1, "{name}: {received}"),
    }
    let nonces: std::collections::HashSet<String> =
        harness.received(&tunnel).into_iter().map(|entry| entry.nonce).collect();
    // API 3.0 has no nonces.
    let expected = harness.by_api(received, 1);
    assert_eq!(nonces.len(), expected, "{name}: each attempt has its own nonce");
    let events =
        harness.consumer.get(&format!("/audit-events?operation_id={id}&event={}", kinds[1]), &[]).await;
    let upstream = &events.json()["items"][0]["upstream"];
    assert_eq!(upstream["attempts"], received, "{name}: {upstream}");
}

async fn each(harness: &Harness, rows: &[Row]) {
    // In parallel: each row has its own tunnel.
    futures_util::future::join_all(rows.iter().map(|row| play(harness, row))).await;
}

async fn every_number_has_its_answer(Patient(harness): Patient) {
    each(&harness, NUMBERS).await;
}

async fn every_string_code_has_its_answer_wherever_it_stands(Patient(harness): Patient) {
    each(&harness, CODE_DESCS).await;
    each(&harness, MESSAGES).await;
}

async fn every_error_in_the_newer_shape_has_its_answer(Patient(harness): Patient) {
    each(&harness, MODERN).await;
}

async fn every_http_status_has_its_answer(Patient(harness): Patient) {
    each(&harness, HTTP).await;
}

/// A gateway with a time limit that leaves room for a retry on a busy machine.
struct Patient(Harness);

impl OnApi for Patient {
    async fn on(store: Store, api: Api) -> Self {
        let limit = std::time::Duration::from_secs(4);
        let harness = Harness::on_api(store, api, |settings| {
            settings.accounts[0].timeout = limit;
        });
        Self(harness.await)
    }
}

on_each_api!(
    every_number_has_its_answer,
    every_string_code_has_its_answer_wherever_it_stands,
    every_error_in_the_newer_shape_has_its_answer,
    every_http_status_has_its_answer,
);
