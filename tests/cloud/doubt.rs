//! The client retries a change only if an answer proves that nothing happened.

use serde_json::json;
use tunnelgate::service::cloud::{Cloud, Reply, Sent};

use crate::forms::example;
use crate::stub::{Act, Stub, nobody, taken};

/// Sends the document's example; returns the reply and the number of requests.
pub async fn modify(script: impl IntoIterator<Item = Act>) -> (Reply, usize) {
    let stub = Stub::playing(script).await;
    let reply = stub.client().modify(&example()).await;
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
    let reply = nobody().await.client().modify(&example()).await;
    assert!(matches!(reply.sent, Sent::Unreachable), "{:?}", reply.sent);
    assert!(reply.upstream.attempts > Some(1), "{:?}", reply.upstream);
}

#[tokio::test]
async fn a_refusal_for_rate_is_tried_again_until_the_time_limit() {
    let busy = || Act::Json(json!({"code": 4400, "message": "more requests than the quota allows"}));
    let (reply, sent) = modify([busy(), Act::Http(429, "slow down\n"), Act::Json(taken())]).await;
    assert!(matches!(&reply.sent, Sent::Accepted { task_id: Some(id) } if id == "12614"), "{:?}", reply.sent);
    assert_eq!((sent, reply.upstream.attempts), (3, Some(3)));

    let (reply, sent) = modify([busy()]).await;
    let refused = Sent::Refused(tunnelgate::service::cloud::Refusal::RateLimited);
    assert_eq!(format!("{:?}", reply.sent), format!("{refused:?}"));
    assert!(sent > 1 && reply.upstream.code.as_deref() == Some("4400"));
}

#[tokio::test]
async fn a_replay_or_an_expired_call_is_signed_anew_once() {
    for code in [4500, 4200] {
        let replay = || Act::Json(json!({"code": code, "message": "Nonce was used before"}));
        let (reply, sent) = modify([replay(), Act::Json(taken())]).await;
        assert!(matches!(reply.sent, Sent::Accepted { task_id: Some(_) }), "{:?}", reply.sent);
        assert_eq!(sent, 2);
        let (reply, sent) = modify([replay()]).await;
        let refused = Sent::Refused(tunnelgate::service::cloud::Refusal::Replay);
        assert_eq!((format!("{:?}", reply.sent), sent), (format!("{refused:?}"), 2));
    }
}
