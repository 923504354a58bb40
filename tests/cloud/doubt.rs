//! The client retries a change only if an answer proves that nothing happened.

use serde_json::json;
use std::time::Duration;

use tokio::time::Instant;
use tunnelgate::clock::{Clock, SystemClock};
use tunnelgate::service::cloud::{Permit, Refusal, Reply, SendLease, Sent};

use crate::stub::{Act, Stub, nobody, send, send_opened_at};
use crate::version::{BOTH, REQUEST_ID, V2, V3, Version, error, response};

/// Sends a small change; returns the reply and the number of requests.
pub async fn modify(version: Version, script: impl IntoIterator<Item = Act>) -> (Reply, usize) {
    let stub = Stub::playing(script).await;
    let reply = send(&stub.client(version), &version.example()).await;
    (reply, stub.received().len())
}

#[tokio::test]
async fn what_may_have_happened_is_unknown_and_never_sent_again() {
    let of_both = |version: Version| {
        [
            Act::CloseBeforeReading,
            Act::CloseAfterReading,
            Act::Silence,
            Act::Http(500, "internal server error\n"),
            Act::Http(502, "<html>bad gateway</html>"),
            Act::Http(503, ""),
            Act::Http(504, "{}"),
            Act::Http(200, ""),
            Act::Http(200, "<html>Welcome</html>"),
            Act::Http(200, "[]\n"),
            Act::Http(404, "not here\n"),
            Act::Http(429, "slow down\n"),
            Act::Truncated(version.taken()),
            // A front end may answer in either envelope.
            Act::Json(json!({"code": 6000, "message": "internal error"})),
            Act::Json(json!({"code": 4000, "codeDesc": "InternalError.ModuleError"})),
            Act::Json(json!({"code": 4000, "codeDesc": "FailedOperation.TaskFailed"})),
            Act::Json(json!({"code": 4400, "codeDesc": "FailedOperation"})),
            Act::Json(json!({"code": 4400, "codeDesc": "SomethingNew"})),
            Act::Json(json!({"code": 4200, "codeDesc": "SomethingNew"})),
            Act::Json(json!({"Response": {"Error": {"Code": "InternalError", "Message": "x"}}})),
        ]
    };
    let of_v2 = [
        Act::Http(200, "{\"code\": 0, \"data\": {\"taskId\": 1"),
        Act::Json(json!({"data": {"taskId": 12614}})),
        Act::Json(json!({"code": null, "data": {"taskId": 12614}})),
        Act::Json(json!({"code": 5400, "message": "partly done"})),
        Act::Json(json!({"code": 4500, "message": "Nonce was used before"})),
        Act::Json(json!({"code": 5100, "message": "RequestLimitExceeded is no good name"})),
        Act::Json(json!({"code": -3047, "message": "failed"})),
        Act::Json(json!({"code": 7777})),
        // A success of the other API.
        Act::Json(V3.taken()),
    ];
    let of_v3 = [
        Act::Json(json!({"Response": {}})),
        Act::Json(json!({"RequestId": REQUEST_ID})),
        Act::Json(response(json!({"Error": {"Message": "no code"}}))),
        Act::Json(error("FailedOperation.TaskFailed", "failed")),
        Act::Json(error("ServiceUnavailable", "later")),
        Act::Json(error("ResponseSizeLimitExceeded", "too large")),
        Act::Json(error("UnsupportedOperation.SomethingNew", "no")),
        Act::Json(error("SomethingNew", "InvalidParameter: x")),
        Act::Json(V2.taken()),
    ];
    let cases = BOTH.into_iter().flat_map(|version| of_both(version).map(|act| (version, act)));
    let cases = cases.chain(of_v2.map(|act| (V2, act))).chain(of_v3.map(|act| (V3, act)));
    for (version, act) in cases {
        let shown = format!("{version:?} {act:?}");
        let (reply, sent) = modify(version, [act]).await;
        assert!(matches!(reply.sent, Sent::Unknown), "{shown}: {:?}", reply.sent);
        assert_eq!(sent, 1, "{shown}");
        assert_eq!(reply.upstream.attempts, Some(1), "{shown}");
    }
}

/// The key is a part of the word or of the message, so masking withholds it.
#[tokio::test]
async fn a_key_does_not_hide_that_the_outcome_is_open() {
    for version in BOTH {
        for (key, answer) in [
            ("1234", json!({"code": 4000, "message": "InternalError: 1234"})),
            ("Internal", json!({"code": 4400, "codeDesc": "InternalError"})),
        ] {
            let stub = Stub::playing([Act::Json(answer)]).await;
            let patch = json!({"peer_cidrs": ["10.100.2.0/24"], "pre_shared_key": key});
            let patch = if version == V2 { patch } else { json!({"pre_shared_key": key}) };
            let reply = send(&stub.client(version), &version.change(&patch)).await;
            assert!(matches!(reply.sent, Sent::Unknown), "{key}: {:?}", reply.sent);
            assert_eq!(stub.received().len(), 1, "{key}");
        }
    }
}

/// A code would count as the cloud's answer about the change, and a few reads would then be enough to settle it.
#[tokio::test]
async fn a_success_that_is_none_has_no_code() {
    for (version, body) in [
        (V2, r#"{"code": 0, "message": "ok", "data": {"taskId": 12614}}"#),
        (V2, r#"{"code": "0", "codeDesc": "InternalError", "message": ""}"#),
        (V3, r#"{"Response": {"RequestId": "481e9b6e-81d1-4859-b8cf-a673e010b388"}}"#),
    ] {
        for status in [302, 408, 502] {
            let (reply, sent) = modify(version, [Act::Http(status, body)]).await;
            assert!(matches!(reply.sent, Sent::Unknown), "{body}: {:?}", reply.sent);
            assert_eq!((sent, reply.upstream.code.as_deref()), (1, None), "{body}");
            let message = reply.upstream.message.unwrap_or_default();
            assert!(message.contains(&status.to_string()), "{message}");
        }
    }
}

#[tokio::test]
async fn the_only_record_of_a_list_names_the_task() {
    for (data, expected) in [
        (json!([{"taskId": 12614}]), Some("12614")),
        (json!({"taskId": 12614.0}), Some("12614")),
        (json!([{"taskId": 12614}, {"taskId": 12615}]), None),
        (json!({"taskId": "1".repeat(600)}), None),
    ] {
        let (reply, _) = modify(V2, [Act::Json(json!({"code": 0, "data": data}))]).await;
        let Sent::Accepted { task_id } = reply.sent else { panic!("{:?}", reply.sent) };
        assert_eq!(task_id.as_deref(), expected);
    }
}

#[tokio::test]
async fn a_success_without_a_task_names_none() {
    let of_v2 = [json!({}), json!([]), json!(null), json!({"taskId": ""}), json!({"taskId": "../1"})]
        .map(|data| (V2, json!({"code": "0", "message": "", "data": data})));
    let of_v3 = ["../1", "a b", "ä"].map(|id| (V3, json!({"Response": {"RequestId": id}})));
    for (version, answer) in of_v2.into_iter().chain(of_v3) {
        let (reply, sent) = modify(version, [Act::Json(answer)]).await;
        assert!(matches!(reply.sent, Sent::Accepted { task_id: None }), "{:?}", reply.sent);
        assert_eq!(sent, 1);
    }
}

#[tokio::test]
async fn an_accepted_change_names_its_task() {
    for version in BOTH {
        let (reply, sent) = modify(version, [Act::Json(version.taken())]).await;
        let Sent::Accepted { task_id: Some(task_id) } = &reply.sent else { panic!("{:?}", reply.sent) };
        assert_eq!((task_id.as_str(), sent), (version.task_id(), 1));
        assert_eq!(reply.upstream.task_id.as_deref(), Some(version.task_id()));
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    for version in BOTH {
        let elsewhere = Stub::playing([Act::Json(version.taken())]).await;
        let (reply, sent) = modify(version, [Act::Redirect(elsewhere.url())]).await;
        assert!(!matches!(reply.sent, Sent::Accepted { .. }), "{:?}", reply.sent);
        assert_eq!((sent, elsewhere.received().len()), (1, 0));
    }
}

#[tokio::test]
async fn no_connection_is_tried_again_and_proves_that_nothing_was_sent() {
    for version in BOTH {
        let reply = send(&nobody().await.client(version), &version.example()).await;
        assert!(matches!(reply.sent, Sent::Unreachable), "{:?}", reply.sent);
        assert!(reply.upstream.attempts > Some(1), "{:?}", reply.upstream);
    }
}

#[tokio::test]
async fn a_refusal_for_rate_is_tried_again_until_the_time_limit() {
    for version in BOTH {
        let (code, answer) = version.busy();
        let busy = || Act::Json(answer.clone());
        let (reply, sent) = modify(version, [busy(), busy(), Act::Json(version.taken())]).await;
        assert!(matches!(reply.sent, Sent::Accepted { task_id: Some(_) }), "{:?}", reply.sent);
        assert_eq!((sent, reply.upstream.attempts), (3, Some(3)));

        let (reply, sent) = modify(version, [busy()]).await;
        let refused = Sent::Refused(Refusal::RateLimited);
        assert_eq!(format!("{:?}", reply.sent), format!("{refused:?}"));
        assert!(sent > 1 && reply.upstream.code.as_deref() == Some(code));
    }
}

#[tokio::test]
async fn an_expired_call_is_signed_again_once_with_the_present_time() {
    for version in BOTH {
        let expired = || Act::Json(version.expired());
        let opened_at = SystemClock.now().minus(Duration::from_secs(600));
        let stub = Stub::playing([expired(), Act::Json(version.taken())]).await;
        let reply = send_opened_at(&stub.client(version), &version.example(), opened_at).await;
        assert!(matches!(reply.sent, Sent::Accepted { task_id: Some(_) }), "{:?}", reply.sent);
        let signed: Vec<i64> = stub.received().iter().map(|call| version.signed_at(call)).collect();
        assert_eq!(signed.len(), 2);
        assert_eq!(signed[0], opened_at.as_seconds(), "the first carries the time of the opening");
        assert!(signed[1] - signed[0] >= 600, "{signed:?}");

        let (reply, sent) = modify(version, [expired()]).await;
        let refused = Sent::Refused(Refusal::Expired);
        assert_eq!((format!("{:?}", reply.sent), sent), (format!("{refused:?}"), 2));
    }
}

#[tokio::test]
async fn a_change_whose_lease_is_over_by_either_clock_is_not_sent() {
    for version in BOTH {
        let stub = Stub::playing([Act::Json(version.taken())]).await;
        let client = stub.client(version);
        let (soon, now) = (Duration::from_secs(60), SystemClock.now());
        for (monotonic, wall) in [(Instant::now(), now.plus(soon)), (Instant::now() + soon, now)] {
            let slot = client.reserve("one", true).await.expect("a slot");
            let permit = Permit { slot, opened_at: now, lease: SendLease { monotonic, wall } };
            let reply = client.modify(&version.example(), permit).await;
            assert!(matches!(reply.sent, Sent::TooLate), "{:?}", reply.sent);
        }
        assert_eq!(stub.received().len(), 0);
    }
}

/// A slow commit keeps a change from its place in the call budget.
#[tokio::test]
async fn a_change_that_missed_its_slot_takes_another_one_within_its_lease_or_is_not_sent() {
    for version in BOTH {
        let stub = Stub::playing([Act::Json(version.taken())]).await;
        let client = stub.client_with(version, |settings| settings.calls_per_second = 2);
        let mut slots = Vec::new();
        for _ in 0..4 {
            slots.push(client.reserve("one", true).await.expect("a slot"));
        }
        // The last one is of now, the first ones of up to 1.5 s ago; the next is half a second away.
        let mut slots = slots.into_iter();
        let minute = Duration::from_secs(60);
        for (lease, is_sent) in [(Duration::ZERO, false), (minute, true)] {
            let lease = SendLease { monotonic: Instant::now() + lease, wall: SystemClock.now().plus(minute) };
            let slot = slots.next().expect("an old slot");
            let permit = Permit { slot, opened_at: SystemClock.now(), lease };
            let reply = client.modify(&version.example(), permit).await;
            match reply.sent {
                Sent::Accepted { .. } => assert!(is_sent),
                sent => assert!(!is_sent && matches!(sent, Sent::TooLate), "{sent:?}"),
            }
            assert_eq!(stub.received().len(), usize::from(is_sent));
        }
    }
}
