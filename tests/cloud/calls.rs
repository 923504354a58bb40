//! The part of an answer that the audit log keeps, the call budget, and time limits.

use std::time::{Duration, Instant};

use serde_json::json;
use tunnelgate::service::cloud::{NoSlot, Sent};

use crate::doubt::modify;
use crate::stub::{Act, Stub, send};
use crate::version::{BOTH, REQUEST_ID, V2, V3, error};

#[tokio::test]
async fn the_log_keeps_the_cloud_s_words_without_the_secret() {
    let (reply, _) = modify(V2, [Act::Json(V2.taken())]).await;
    let upstream = reply.upstream;
    assert_eq!(upstream.action.as_deref(), Some("ModifyVpnConnEx"));
    assert_eq!((upstream.code.as_deref(), upstream.task_id.as_deref()), (Some("0"), Some("12614")));
    assert!(upstream.latency_ms.is_some());
    let (reply, _) = modify(V3, [Act::Json(V3.taken())]).await;
    let upstream = reply.upstream;
    assert_eq!(upstream.action.as_deref(), Some("ModifyVpnConnectionAttribute"));
    assert_eq!((upstream.code, upstream.task_id.as_deref()), (None, Some(REQUEST_ID)));

    let message = "preSharedKey tencenttest is weak; tencenttest!";
    for version in BOTH {
        for echo in [
            json!({"code": 4000, "codeDesc": "InvalidParameter", "message": message}),
            error("InvalidParameterValue", message),
        ] {
            let (reply, _) = modify(version, [Act::Json(echo)]).await;
            let kept = format!("{reply:?}");
            assert!(kept.contains("is weak") && !kept.contains("tencenttest"), "{kept}");
        }
    }
}

#[tokio::test]
async fn a_change_that_finds_no_slot_is_refused_with_the_true_wait() {
    for version in BOTH {
        let stub = Stub::playing([Act::Json(version.taken())]).await;
        let client = stub.client_with(version, |settings| {
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
}

#[tokio::test]
async fn waiting_for_a_slot_takes_nothing_from_the_time_of_the_call() {
    for version in BOTH {
        let answer = || Act::Late(Duration::from_millis(500), version.taken());
        let stub = Stub::playing([answer()]).await;
        let client = stub.client_with(version, |settings| {
            settings.calls_per_second = 1;
            settings.timeout = Duration::from_millis(1500);
        });
        let change = version.example();
        let replies = futures_util::future::join_all((0..2).map(|_| send(&client, &change))).await;
        for reply in replies {
            assert!(matches!(reply.sent, Sent::Accepted { .. }), "{:?}", reply.sent);
        }
    }
}

#[tokio::test]
async fn a_call_ends_by_its_time_limit() {
    for version in BOTH {
        let stub = Stub::playing([Act::Silence]).await;
        let client = stub.client_with(version, |settings| settings.timeout = Duration::from_millis(400));
        let started = Instant::now();
        let reply = send(&client, &version.example()).await;
        assert!(matches!(reply.sent, Sent::Unknown), "{:?}", reply.sent);
        assert!(started.elapsed() >= Duration::from_millis(400), "not before it either");
    }
}
