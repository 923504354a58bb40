//! The client retries a change only if an answer proves that nothing happened.

use serde_json::json;
use std::time::Duration;

use tokio::time::Instant;
use tunnelgate::clock::{Clock, SystemClock};
use tunnelgate::service::cloud::{Permit, Refusal, Reply, SendLease, Sent};

use crate::forms::example;
use crate::stub::{Act, Stub, nobody, send, send_opened_at, taken};

/// Sends the document's example; returns the reply and the number of requests.
pub async fn modify(script: impl IntoIterator<Item = Act>) -> (Reply, usize) {
    let stub = Stub::playing(script).await;
    let reply = send(&stub.client(), &example()).await;
    (reply, stub.received().len())
}

#[tokio::test]
async fn what_may_have_happened_is_unknown_and_never_sent_again() {
    let doubtful = [
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
        Act::Http(200, "{\"code\": 0, \"data\": {\"taskId\": 1"),
        Act::Truncated(taken()),
        Act::Json(json!({"data": {"taskId": 12614}})),
        Act::Json(json!({"code": null, "data": {"taskId": 12614}})),
        Act::Json(json!({"code": 6000, "message": "internal error"})),
        Act::Json(json!({"code": 5400, "message": "partly done"})),
        Act::Json(json!({"code": 4500, "message": "Nonce was used before"})),
        Act::Json(json!({"code": 5100, "message": "RequestLimitExceeded is no good name"})),
        Act::Json(json!({"code": -3047, "message": "failed"})),
        Act::Json(json!({"code": 7777})),
        Act::Json(json!({"code": 4000, "codeDesc": "InternalError.ModuleError"})),
        Act::Http(404, "not here\n"),
        Act::Http(429, "slow down\n"),
        Act::Json(json!({"Response": {"Error": {"Code": "InternalError", "Message": "x"}}})),
    ];
    for act in doubtful {
        let shown = format!("{act:?}");
        let (reply, sent) = modify([act]).await;
        assert!(matches!(reply.sent, Sent::Unknown), "{shown}: {:?}", reply.sent);
        assert_eq!(sent, 1, "{shown}");
        assert_eq!(reply.upstream.attempts, Some(1), "{shown}");
    }
}

#[tokio::test]
async fn a_success_without_a_task_names_none() {
    for data in [json!({}), json!([]), json!(null), json!({"taskId": ""}), json!({"taskId": "../1"})] {
        let (reply, sent) = modify([Act::Json(json!({"code": "0", "message": "", "data": data}))]).await;
        assert!(matches!(reply.sent, Sent::Accepted { task_id: None }), "{:?}", reply.sent);
        assert_eq!(sent, 1);
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Stub::playing([Act::Json(taken())]).await;
    let (reply, sent) = modify([Act::Redirect(elsewhere.url())]).await;
    assert!(!matches!(reply.sent, Sent::Accepted { .. }), "{:?}", reply.sent);
    assert_eq!((sent, elsewhere.received().len()), (1, 0));
}

#[tokio::test]
async fn no_connection_is_tried_again_and_proves_that_nothing_was_sent() {
    let reply = send(&nobody().await.client(), &example()).await;
    assert!(matches!(reply.sent, Sent::Unreachable), "{:?}", reply.sent);
    assert!(reply.upstream.attempts > Some(1), "{:?}", reply.upstream);
}

#[tokio::test]
async fn a_refusal_for_rate_is_tried_again_until_the_time_limit() {
    let busy = || Act::Json(json!({"code": 4400, "message": "more requests than the quota allows"}));
    let (reply, sent) = modify([busy(), busy(), Act::Json(taken())]).await;
    assert!(matches!(&reply.sent, Sent::Accepted { task_id: Some(id) } if id == "12614"), "{:?}", reply.sent);
    assert_eq!((sent, reply.upstream.attempts), (3, Some(3)));

    let (reply, sent) = modify([busy()]).await;
    let refused = Sent::Refused(tunnelgate::service::cloud::Refusal::RateLimited);
    assert_eq!(format!("{:?}", reply.sent), format!("{refused:?}"));
    assert!(sent > 1 && reply.upstream.code.as_deref() == Some("4400"));
}

#[tokio::test]
async fn an_expired_call_is_signed_again_once_with_the_present_time() {
    let expired = || Act::Json(json!({"code": 4200, "message": "request expired"}));
    let opened_at = SystemClock.now().minus(Duration::from_secs(600));
    let stub = Stub::playing([expired(), Act::Json(taken())]).await;
    let reply = send_opened_at(&stub.client(), &example(), opened_at).await;
    assert!(matches!(reply.sent, Sent::Accepted { task_id: Some(_) }), "{:?}", reply.sent);
    let signed: Vec<i64> =
        stub.received().iter().map(|call| call.params["Timestamp"].parse().expect("seconds")).collect();
    assert_eq!(signed.len(), 2);
    assert_eq!(signed[0], opened_at.as_seconds(), "the first carries the time of the opening");
    assert!(signed[1] - signed[0] >= 600, "{signed:?}");

    let (reply, sent) = modify([expired()]).await;
    let refused = Sent::Refused(Refusal::Expired);
    assert_eq!((format!("{:?}", reply.sent), sent), (format!("{refused:?}"), 2));
}

#[tokio::test]
async fn a_change_whose_lease_is_over_by_either_clock_is_not_sent() {
    let stub = Stub::playing([Act::Json(taken())]).await;
    let client = stub.client();
    let (soon, now) = (Duration::from_secs(60), SystemClock.now());
    for (monotonic, wall) in [(Instant::now(), now.plus(soon)), (Instant::now() + soon, now)] {
        let slot = client.reserve("one", true).await.expect("a slot");
        let permit = Permit { slot, opened_at: now, lease: SendLease { monotonic, wall } };
        let reply = client.modify(&example(), permit).await;
        assert!(matches!(reply.sent, Sent::TooLate), "{:?}", reply.sent);
    }
    assert_eq!(stub.received().len(), 0);
}
