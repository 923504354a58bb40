//! A misbehaving cloud: the right response, the right final status, the right events, and no change sent twice.

use serde_json::json;

use tunnelgate::service::ReadBefore;

use crate::harness::{Harness, ranges};

/// The expected result of a change to one tunnel.
struct Story {
    tunnel: &'static str,
    /// The response's status, and the operation's status or the problem's code.
    answer: (u16, &'static str),
    /// The final status, if the response was not final.
    end: Option<&'static str>,
    events: &'static [&'static str],
    /// The numbers of changes that the cloud received and carried out.
    received: (usize, usize),
}

const RAN: &[&str] = &["requested", "submitted", "succeeded"];
const SETTLED: &[&str] = &["requested", "outcome_unknown", "succeeded"];
const NOT_APPLIED: &[&str] = &["requested", "outcome_unknown", "failed"];
const REJECTED: &[&str] = &["requested", "rejected"];

const STORIES: &[Story] = &[
    story("vpnx-branch01", (202, "running"), Some("succeeded"), RAN, (1, 1)),
    story("vpnx-slow-task", (202, "running"), Some("succeeded"), RAN, (1, 1)),
    story("vpnx-task-fails", (202, "running"), Some("failed"), &["requested", "submitted", "failed"], (1, 1)),
    story(
        "vpnx-task-echoes-key",
        (202, "running"),
        Some("failed"),
        &["requested", "submitted", "failed"],
        (1, 1),
    ),
    story(
        "vpnx-task-never-ends",
        (202, "running"),
        Some("timed_out"),
        &["requested", "submitted", "timed_out"],
        (1, 1),
    ),
    story(
        "vpnx-strange-task-status",
        (202, "running"),
        Some("timed_out"),
        &["requested", "submitted", "timed_out"],
        (1, 1),
    ),
    story("vpnx-task-forgotten", (202, "running"), Some("succeeded"), RAN, (1, 1)),
    story(
        "vpnx-diverged",
        (202, "running"),
        Some("diverged"),
        &["requested", "submitted", "diverged"],
        (1, 1),
    ),
    story("vpnx-http-500-before", (202, "unknown"), Some("failed"), NOT_APPLIED, (1, 0)),
    story("vpnx-http-500-after", (202, "unknown"), Some("succeeded"), SETTLED, (1, 1)),
    story("vpnx-reset-before", (202, "unknown"), Some("failed"), NOT_APPLIED, (1, 0)),
    story("vpnx-reset-after", (202, "unknown"), Some("succeeded"), SETTLED, (1, 1)),
    story("vpnx-no-answer", (202, "unknown"), Some("failed"), NOT_APPLIED, (1, 0)),
    story("vpnx-no-answer-after", (202, "unknown"), Some("succeeded"), SETTLED, (1, 1)),
    story("vpnx-foreign-body", (202, "unknown"), Some("failed"), NOT_APPLIED, (1, 0)),
    story("vpnx-truncated-body", (202, "unknown"), Some("succeeded"), SETTLED, (1, 1)),
    story("vpnx-missing-code", (202, "unknown"), Some("succeeded"), SETTLED, (1, 1)),
    story("vpnx-internal-6000-after", (202, "unknown"), Some("succeeded"), SETTLED, (1, 1)),
    // A status that no document names does not say that the tunnel is at rest, so what it shows proves nothing.
    story(
        "vpnx-strange-status-after",
        (202, "unknown"),
        Some("timed_out"),
        &["requested", "outcome_unknown", "timed_out"],
        (1, 1),
    ),
    story("vpnx-strange-status", (202, "running"), Some("succeeded"), RAN, (1, 1)),
    story("vpnx-rate-limited-twice", (202, "running"), Some("succeeded"), RAN, (3, 1)),
    story("vpnx-expired-once", (202, "running"), Some("succeeded"), RAN, (2, 1)),
    story("vpnx-task-unknown", (202, "running"), Some("succeeded"), RAN, (1, 1)),
    story("vpnx-failed-5100", (202, "unknown"), Some("failed"), NOT_APPLIED, (1, 0)),
    story("vpnx-credentials", (502, "upstream_credentials"), None, REJECTED, (1, 0)),
    story(
        "vpnx-unreadable-after",
        (202, "running"),
        Some("succeeded"),
        &["requested", "submitted", "succeeded"],
        (1, 1),
    ),
];

/// API 3.0 has no nonces.
const REPLAY: [Story; 2] = [
    story("vpnx-replay", (202, "unknown"), Some("failed"), NOT_APPLIED, (1, 0)),
    story("vpnx-replay", (202, "running"), Some("succeeded"), RAN, (1, 1)),
];

const fn story(
    tunnel: &'static str,
    answer: (u16, &'static str),
    end: Option<&'static str>,
    events: &'static [&'static str],
    received: (usize, usize),
) -> Story {
    Story { tunnel, answer, end, events, received }
}

async fn play(harness: &Harness, story: &Story) {
    let tunnel = story.tunnel;
    let answer = harness.patch(tunnel, &ranges()).await;
    let body = answer.json();
    assert_eq!(answer.status, story.answer.0, "{tunnel}: {body}");
    let id = if let Some(end) = story.end {
        assert_eq!(body["status"], story.answer.1, "{tunnel}: {body}");
        assert!(answer.header("retry-after").is_some());
        let id = body["id"].as_str().expect("an id").to_owned();
        let ended = harness.consumer.ended(&id).await;
        assert_eq!(ended["status"], end, "{tunnel}: {ended}");
        assert_eq!(ended["error"].is_null(), matches!(end, "succeeded" | "diverged"), "{ended}");
        id
    } else {
        assert_eq!(answer.problem().1, story.answer.1, "{tunnel}");
        body["operation_id"].as_str().expect("the operation's id").to_owned()
    };
    assert_eq!(harness.events(&id).await, story.events, "{tunnel}");
    let received = harness.received(tunnel);
    let applied = received.iter().filter(|entry| entry.applied).count();
    assert_eq!((received.len(), applied), story.received, "{tunnel}: {received:?}");
}

async fn every_misbehaviour_has_its_story(harness: Harness) {
    // In parallel: each story has its own tunnel.
    let replay = harness.by_api(&REPLAY[0], &REPLAY[1]);
    let stories = STORIES.iter().chain([replay]);
    futures_util::future::join_all(stories.map(|story| play(&harness, story))).await;
}

async fn a_rate_limit_that_does_not_end_is_told_with_retry_after(harness: Harness) {
    let answer = harness.patch("vpnx-always-rate-limited", &ranges()).await;
    assert_eq!(answer.problem(), (429, "upstream_rate_limited".into()));
    assert!(answer.header("retry-after").is_some());
    assert_eq!(answer.json()["upstream"]["code"], harness.by_api("4400", "RequestLimitExceeded"));
    assert!(harness.reads().await > 1, "retried");
    assert!(answer.json()["operation_id"].is_null(), "no operation exists");
}

async fn a_task_that_repeats_the_key_does_not_get_it_into_the_log(harness: Harness) {
    let secret = "canary/+\"key";
    let patch = serde_json::json!({"peer_cidrs": ["10.100.2.0/24"], "pre_shared_key": secret});
    let answer = harness.patch("vpnx-task-echoes-key", &patch).await.json();
    let id = answer["id"].as_str().expect("an id").to_owned();
    let ended = harness.consumer.ended(&id).await;
    assert_eq!(ended["error"]["upstream"]["message"], "(withheld: it repeats a secret)", "{ended}");
    let events = harness.consumer.get(&format!("/audit-events?operation_id={id}"), &[]).await.body;
    assert!(events.contains("withheld") && !events.contains("canary"), "{events}");
    // A message without the key is kept.
    let answer = harness.patch("vpnx-task-fails", &patch).await.json();
    let ended = harness.consumer.ended(answer["id"].as_str().expect("an id")).await;
    assert_eq!(ended["error"]["upstream"]["message"], "the peer gateway refused the proposal", "{ended}");
}

async fn a_divergence_names_what_was_asked_and_what_is_there(harness: Harness) {
    let answer = harness.patch("vpnx-diverged", &ranges()).await.json();
    let ended = harness.consumer.ended(answer["id"].as_str().expect("an id")).await;
    let verification = &ended["verification"];
    assert_eq!(verification["result"], "diverged");
    let expected =
        json!([{"pointer": "/peer_cidrs", "asked": ["10.100.2.0/24"], "observed": ["172.16.0.0/16"]}]);
    assert_eq!(verification["differences"], expected);
}

/// With API 3.0 the read before the change, which always happens, fails first.
#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_that_can_not_be_reached_is_a_503_and_nothing_was_sent() {
    let unreachable = Harness::with(crate::support::Store::sqlite(), |settings| {
        settings.accounts[0].endpoints.v2.url = "http://127.0.0.1:9/v2/index.php".into();
        settings.rules.read_before = ReadBefore::WhenNeeded;
    })
    .await;
    let answer = unreachable.patch("vpnx-branch01", &ranges()).await;
    assert_eq!(answer.problem(), (503, "upstream_unreachable".into()));
    assert!(answer.header("retry-after").is_some());
    let id = answer.json()["operation_id"].as_str().expect("an id").to_owned();
    let operation = unreachable.consumer.get(&format!("/operations/{id}"), &[]).await.json();
    assert_eq!(operation["status"], "rejected");
    assert_eq!(unreachable.events(&id).await, REJECTED);
    // The tunnel is unlocked again.
    let again = unreachable.patch("vpnx-branch01", &ranges()).await;
    assert_eq!(again.problem(), (503, "upstream_unreachable".into()));
}

async fn a_change_whose_tunnel_can_not_be_read_is_refused_before_anything_is_written(harness: Harness) {
    for (tunnel, refusal) in [
        ("vpnx-unreadable", (503, "tunnel_unreadable")),
        ("vpnx-nowhere", (404, "tunnel_not_found")),
        ("vpnx-always-rate-limited", (429, "upstream_rate_limited")),
    ] {
        let answer = harness.patch(tunnel, &ranges()).await;
        assert_eq!(answer.problem(), (refusal.0, refusal.1.into()));
        assert!(answer.json()["operation_id"].is_null(), "{}", answer.body);
        assert_eq!(harness.received(tunnel).len(), 0);
    }
    let events = harness.consumer.get("/audit-events?event=requested", &[]).await.json();
    assert_eq!(events["items"], json!([]));
}

on_each_api!(
    a_change_whose_tunnel_can_not_be_read_is_refused_before_anything_is_written,
    every_misbehaviour_has_its_story,
    a_rate_limit_that_does_not_end_is_told_with_retry_after,
    a_task_that_repeats_the_key_does_not_get_it_into_the_log,
    a_divergence_names_what_was_asked_and_what_is_there,
);
