//! The cloud's error codes, the part of an answer that the audit log keeps, and the call budget.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tunnelgate::service::cloud::{NoSlot, Refusal, Sent};

use crate::doubt::modify;
use crate::forms::example;
use crate::stub::{Act, Stub, send, taken};

#[tokio::test]
async fn every_code_of_the_documents_is_a_refusal_of_its_kind() {
    use Refusal::{Credentials, InvalidParameter, NotFound, Other, Unavailable, WrongState};
    let cases: &[(Value, Refusal)] = &[
        (json!({"code": 4000, "codeDesc": "InvalidVpc.NotFound"}), NotFound),
        (json!({"code": 4000, "codeDesc": "InvalidVpnGw.NotFound"}), NotFound),
        (json!({"code": 4000, "message": "(100004)InvalidVpnConn.NotFound: no"}), NotFound),
        (json!({"code": -3047, "codeDesc": "InvalidVpnConn.NotFound"}), NotFound),
        (json!({"code": 5000, "message": "no such resource"}), NotFound),
        (json!({"code": 4000, "message": "(100002)bad value"}), InvalidParameter),
        (json!({"code": "4000"}), InvalidParameter),
        (json!({"code": 4000, "codeDesc": "InvalidVpnConnState"}), WrongState),
        (json!({"code": 4100, "message": "authentication failed"}), Credentials),
        (json!({"code": 4101}), Credentials),
        (json!({"code": 4102}), Credentials),
        (json!({"code": 4103}), Credentials),
        (json!({"code": 4104}), Credentials),
        (json!({"code": 4110}), Credentials),
        (json!({"code": 4300}), Credentials),
        (json!({"code": 4600, "message": "protocol"}), Other),
        (json!({"code": 6100, "message": "Action is unknown"}), Other),
        (json!({"code": 6200, "message": "maintenance"}), Unavailable),
    ];
    for (answer, refusal) in cases {
        let (reply, sent) = modify([Act::Json(answer.clone())]).await;
        assert_eq!(format!("{:?}", reply.sent), format!("{:?}", Sent::Refused(*refusal)), "{answer}");
        assert_eq!(sent, 1, "{answer}");
    }
}

#[tokio::test]
async fn the_log_keeps_the_cloud_s_words_without_the_secret() {
    let (reply, _) = modify([Act::Json(taken())]).await;
    let upstream = reply.upstream;
    assert_eq!(upstream.action.as_deref(), Some("ModifyVpnConnEx"));
    assert_eq!((upstream.code.as_deref(), upstream.task_id.as_deref()), (Some("0"), Some("12614")));
    assert!(upstream.latency_ms.is_some());

    let echo = json!({"code": 4000, "codeDesc": "InvalidParameter",
                      "message": "preSharedKey tencenttest is weak; tencenttest!"});
    let (reply, _) = modify([Act::Json(echo)]).await;
    let kept = format!("{reply:?}");
    assert!(kept.contains("is weak") && !kept.contains("tencenttest"), "{kept}");
}

#[tokio::test]
async fn a_change_that_finds_no_slot_is_refused_with_the_true_wait() {
    let stub = Stub::playing([Act::Json(taken())]).await;
    let client = stub.client_with(|settings| {
        settings.calls_per_second = 1;
        settings.timeout = Duration::from_millis(300);
    });
    let slots = futures_util::future::join_all((0..4).map(|_| client.reserve("one", false))).await;
    let wait = |slot: &Result<_, NoSlot>| match slot {
        Err(NoSlot::Full { retry_after }) => Some(*retry_after),
        _ => None,
    };
    let refused: Vec<Duration> = slots.iter().filter_map(wait).collect();
    assert_eq!((refused.len(), stub.received().len()), (3, 0));
    assert!(refused.iter().all(|wait| *wait > Duration::ZERO));
}

#[tokio::test]
async fn waiting_for_a_slot_takes_nothing_from_the_time_of_the_call() {
    let answer = || Act::Late(Duration::from_millis(500), taken());
    let stub = Stub::playing([answer()]).await;
    let client = stub.client_with(|settings| {
        settings.calls_per_second = 1;
        settings.timeout = Duration::from_millis(1500);
    });
    let change = example();
    let replies = futures_util::future::join_all((0..2).map(|_| send(&client, &change))).await;
    for reply in replies {
        assert!(matches!(reply.sent, Sent::Accepted { .. }), "{:?}", reply.sent);
    }
}

#[tokio::test]
async fn a_call_ends_by_its_time_limit() {
    let stub = Stub::playing([Act::Silence]).await;
    let client = stub.client_with(|settings| settings.timeout = Duration::from_millis(400));
    let started = Instant::now();
    let reply = send(&client, &example()).await;
    assert!(matches!(reply.sent, Sent::Unknown), "{:?}", reply.sent);
    assert!(started.elapsed() >= Duration::from_millis(400), "not before it either");
}
