//! The process dies at each named step. After the restart the operation has exactly the events that the step implies, and
//! the cloud has received the change once or never, as the step implies.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::deployment::{Deployment, blocking, try_patch};
use crate::support::Store;
use crate::support::consumer::{Answer, Consumer, plain_client};

const SIGABRT: i32 = 6;
const KEY: &str = "office-2";

const SUBMITTED: &[&str] = &["requested", "submitted", "succeeded"];
const FOUND_OUT: &[&str] = &["requested", "outcome_unknown", "succeeded"];
const NOT_APPLIED: &[&str] = &["requested", "outcome_unknown", "failed"];

struct Story<'a> {
    /// The failpoints of the first processes, one each; the last process has none.
    deaths: &'a [&'a str],
    tunnel: &'a str,
    patch: Value,
    /// Whether the intent is in the ledger after the first crash.
    is_durable: bool,
    /// The number of changes that the cloud has received at the end.
    received: usize,
    events: &'a [&'a str],
}

fn ranges() -> Value {
    json!({"peer_cidrs": ["10.100.2.0/24"], "pre_shared_key": "tencenttest"})
}

/// Retries a request with its idempotency key until the final response. Until then the only valid response says that
/// the first request is in flight.
async fn insist(base: &str, token: &str, story: &Story<'_>) -> Answer {
    let client = plain_client();
    loop {
        let answer = try_patch(&client, base, token, story.tunnel, &story.patch, Some(KEY)).await;
        let answer = answer.expect("without a failpoint");
        if answer.status != 409 {
            return answer;
        }
        assert_eq!(answer.problem(), (409, "idempotency_key_in_flight".into()));
        assert!(answer.header("retry-after").is_some());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn play(store: Store, story: Story<'_>) {
    let deployment = Deployment::new(store);
    let token = deployment.token("netops-ci");
    let mut told = None;
    for (life, death) in story.deaths.iter().enumerate() {
        let name = format!("gateway-{life}");
        let (mut gateway, base) = deployment.serve(&name, &[("TUNNELGATE_FAILPOINTS", death)]);
        if life == 0 {
            let client = plain_client();
            told = try_patch(&client, &base, &token, story.tunnel, &story.patch, Some(KEY)).await;
        }
        let status = blocking(|| gateway.wait());
        assert_eq!(status.signal(), Some(SIGABRT), "dies of {death}: {}", gateway.stderr());
        if life == 0 {
            let count = deployment.view.one("SELECT CAST(count(*) AS TEXT) FROM operations").await;
            assert_eq!(count, if story.is_durable { "1" } else { "0" }, "after {death}");
        }
    }

    let (gateway, base) = deployment.serve("gateway", &[]);
    let answer = insist(&base, &token, &story).await;
    assert!(matches!(answer.status, 200 | 202), "{}", answer.body);
    let replayed = answer.header("idempotent-replayed");
    assert_eq!(replayed, story.is_durable.then_some("true"), "{}", answer.body);
    let id = answer.json()["id"].as_str().expect("an id").to_owned();
    if let Some(told) = told {
        assert_eq!(
            (told.status, told.json()["id"].as_str()),
            (202, Some(id.as_str())),
            "the accepted operation"
        );
    }
    let ended = Consumer::new(base.clone(), token.clone()).ended(&id).await;
    let once_more = insist(&base, &token, &story).await;
    assert_eq!((once_more.status, once_more.json()), (200, ended.clone()), "the operation has ended");
    assert_eq!(once_more.header("idempotent-replayed"), Some("true"));
    assert!(blocking(|| gateway.terminate()).success());

    let events = deployment.events();
    let kinds: Vec<&str> = events.iter().filter_map(|event| event["event"].as_str()).collect();
    assert_eq!(kinds, story.events, "{ended}");
    assert!(events.iter().all(|event| event["operation_id"] == id.as_str()), "one operation");
    let expected = if story.events.contains(&"succeeded") { "succeeded" } else { "failed" };
    assert_eq!(ended["status"], expected);
    let journal = deployment.journal().await;
    assert_eq!(journal.len(), story.received, "{journal:#?}");
    for witness in deployment.front.witnesses() {
        assert_eq!(witness.intent.as_deref(), Some(id.as_str()), "committed before the call");
    }
    deployment.assert_whole();
}

/// One test for each failpoint, and for each pass through it that matters.
macro_rules! deaths {
    ($($test:ident: $deaths:expr, $tunnel:expr, $patch:expr, $durable:expr, $received:expr, $events:expr;)+) => {
        $(async fn $test(store: Store) {
            let (deaths, tunnel, patch, events) = (&$deaths, $tunnel, $patch, $events);
            play(store, Story { deaths, tunnel, patch, is_durable: $durable, received: $received, events }).await;
        })+
        on_each_ledger!($($test),+);
        const DEATHS: &[&[&str]] = &[$(&$deaths),+];
    };
}

const PLAIN: &str = "vpnx-branch01";

deaths! {
    before_the_intent_is_written: ["open.before-write=abort"], PLAIN, ranges(), false, 1, SUBMITTED;
    before_the_intent_is_committed: ["batch.before-commit=abort"], PLAIN, ranges(), false, 1, SUBMITTED;
    once_the_intent_is_committed: ["batch.committed=abort"], PLAIN, ranges(), true, 0, NOT_APPLIED;
    once_the_opener_knows: ["open.committed=abort"], PLAIN, ranges(), true, 0, NOT_APPLIED;
    before_the_answer_to_the_first_read_is_read: ["exchange.answer-unread=abort"], PLAIN, ranges(), false, 1,
        SUBMITTED;
    once_the_tunnel_is_read: ["prepare.read=abort"], PLAIN, ranges(), false, 1, SUBMITTED;
    before_the_call: ["change.before-call=abort"], PLAIN, ranges(), true, 0, NOT_APPLIED;
    before_the_answer_is_read: ["exchange.answer-unread=abort@2"], PLAIN, ranges(), true, 1, FOUND_OUT;
    once_the_cloud_has_answered: ["change.answered=abort"], PLAIN, ranges(), true, 1, FOUND_OUT;
    before_the_answer_is_committed: ["batch.before-commit=abort@2"], PLAIN, ranges(), true, 1, FOUND_OUT;
    before_a_refusal_is_committed: ["batch.before-commit=abort@2"], "vpnx-credentials", ranges(), true, 1,
        NOT_APPLIED;
    once_the_answer_is_committed: ["batch.committed=abort@2"], PLAIN, ranges(), true, 1, SUBMITTED;
    before_the_consumer_is_told: ["conclude.committed=abort"], PLAIN, ranges(), true, 1, SUBMITTED;

    once_the_tracker_holds_it: ["track.claimed=abort"], PLAIN, ranges(), true, 1, SUBMITTED;
    before_the_answer_to_a_poll_is_read: ["exchange.answer-unread=abort@3"], PLAIN, ranges(), true, 1, SUBMITTED;
    once_a_poll_is_answered: ["poll.answered=abort"], PLAIN, ranges(), true, 1, SUBMITTED;
    before_a_snooze: ["snooze.before-write=abort"], PLAIN, ranges(), true, 1, SUBMITTED;
    after_a_snooze: ["snooze.written=abort"], PLAIN, ranges(), true, 1, SUBMITTED;
    between_the_tasks_success_and_the_read_back: ["read-back.before=abort"], PLAIN, ranges(), true, 1, SUBMITTED;
    once_the_tunnel_is_read_back: ["read-back.answered=abort"], PLAIN, ranges(), true, 1, SUBMITTED;
    before_the_end_is_written: ["track.before-write=abort"], PLAIN, ranges(), true, 1, SUBMITTED;
    before_the_end_is_committed: ["batch.before-commit=abort@3"], PLAIN, ranges(), true, 1, SUBMITTED;
    once_the_end_is_committed: ["batch.committed=abort@3"], PLAIN, ranges(), true, 1, SUBMITTED;
    once_the_tracker_knows: ["track.written=abort"], PLAIN, ranges(), true, 1, SUBMITTED;
    while_it_finds_out: ["settle.answered=abort"], "vpnx-reset-after", ranges(), true, 1, FOUND_OUT;

    twice_before_the_takeover_is_written: ["change.before-call=abort", "track.before-write=abort"], PLAIN,
        ranges(), true, 0, NOT_APPLIED;
    twice_once_the_takeover_is_committed: ["change.answered=abort", "batch.committed=abort"], PLAIN, ranges(),
        true, 1, FOUND_OUT;
    thrice_while_it_finds_out: ["change.answered=abort", "track.claimed=abort", "settle.answered=abort"], PLAIN,
        ranges(), true, 1, FOUND_OUT;
}

/// The names in a text that follow `before`.
fn named<'a>(text: &'a str, before: &str) -> Vec<&'a str> {
    text.split(before).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

#[test]
fn every_point_in_the_source_has_its_test_and_stands_in_the_document() {
    let mut folders = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
    let mut points = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
                continue;
            }
            let text = std::fs::read_to_string(entry.path()).expect("a source file");
            points.extend(named(&text, "failpoint::at!(\"").into_iter().map(str::to_owned));
        }
    }
    points.sort_unstable();
    points.dedup();
    assert!(points.len() > 10, "the sources are found");
    let mut tested: Vec<String> = DEATHS
        .iter()
        .flat_map(|deaths| deaths.iter())
        .filter_map(|death| Some(death.split_once('=')?.0.to_owned()))
        .chain(crate::drift::POINTS.iter().map(|point| (*point).to_owned()))
        .chain(crate::loops::points().map(str::to_owned))
        .chain([crate::webhooks::POINT.to_owned()])
        .chain(crate::support::ARCHIVE_POINTS.iter().map(|point| (*point).to_owned()))
        .chain(crate::support::ROLLOUT_POINTS.iter().map(|point| (*point).to_owned()))
        .collect();
    tested.sort_unstable();
    tested.dedup();
    assert_eq!(points, tested);
    let document = include_str!("../../docs/decisions/012-crash-tests-and-failpoints.md");
    for point in &points {
        assert!(document.contains(&format!("`{point}`")), "{point} is not in the document");
    }
}

/// A panic affects only its own change: the process continues, and the tracker finishes the operation.
async fn a_panic_is_one_changes_trouble(store: Store) {
    let deployment = Deployment::new(store);
    let token = deployment.token("netops-ci");
    let armed = "change.before-call=panic(one);batch.before-commit=panic(two)@3;track.claimed=panic(three)";
    let (gateway, base) = deployment.serve("gateway", &[("TUNNELGATE_FAILPOINTS", armed)]);
    let consumer = Consumer::new(base, token);
    let (mut failed, mut ids) = (0, Vec::new());
    for tunnel in ["vpnx-branch01", "vpnx-branch02", "vpnx-load-1", "vpnx-load-2", "vpnx-load-3"] {
        let answer = consumer.patch(&crate::deployment::path(tunnel), &ranges(), &[]).await;
        match answer.status {
            202 => ids.push(answer.json()["id"].as_str().expect("an id").to_owned()),
            500 | 503 => failed += 1,
            other => panic!("{other}: {}", answer.body),
        }
    }
    assert!(failed >= 1 && ids.len() >= 3, "{failed} failed, {ids:?}");
    for id in &ids {
        assert_eq!(consumer.ended(id).await["status"], "succeeded");
    }
    deployment.at_peace().await;
    assert_eq!(gateway.stderr().matches("panic: this is a bug").count(), 3, "{}", gateway.stderr());
    assert!(blocking(|| gateway.terminate()).success());
    deployment.assert_whole();
}

mod panics {
    on_each_ledger!(a_panic_is_one_changes_trouble);
    use super::a_panic_is_one_changes_trouble;
}
