//! API keys.

use std::time::Duration;

use tunnelgate::chance::{Chance, SystemChance};
use tunnelgate::domain::day::Day;
use tunnelgate::domain::event::{EventKind, NewEvent};
use tunnelgate::domain::principal::{Grant, Scope, VpcScope};
use tunnelgate::domain::timestamp::Timestamp;
use tunnelgate::service::keys::{self, NewKey, NewToken, draw};
use tunnelgate::service::ledger::{ApiKey, EventFilter, Order};

use crate::harness::{Harness, at};

fn key(name: &str, seconds: u64) -> NewKey {
    let grants = vec![
        Grant { scope: Scope::TunnelsRead, vpcs: VpcScope::All },
        Grant {
            scope: Scope::TunnelsWrite,
            vpcs: VpcScope::Matching(vec!["vpc-prod-*".parse().expect("a pattern")]),
        },
    ];
    draw(&SystemChance, name, grants, Some(Duration::from_secs(60)), at(seconds))
}

fn event(kind: EventKind, key: &ApiKey, seconds: u64) -> NewEvent {
    keys::event(kind, key, SystemChance.id(at(seconds)), at(seconds))
}

async fn create(harness: &Harness, key: &ApiKey, seconds: u64) -> bool {
    let event = event(EventKind::KeyCreated, key, seconds);
    harness.ledger.create_key(key, event).await.expect("written")
}

async fn revoke(harness: &Harness, key: &ApiKey, seconds: u64) -> bool {
    let event = event(EventKind::KeyRevoked, key, seconds);
    harness.ledger.revoke_key(key.id, at(seconds), event).await.expect("written")
}

async fn a_key_is_found_by_its_token_and_revoked_once(harness: Harness) {
    let ledger = &harness.ledger;
    let first = key("netops", 0).key;
    assert!(create(&harness, &first, 0).await);
    assert_eq!(ledger.key_by_token(&first.tokens[0].sha256).await.expect("read"), Some(first.clone()));
    assert_eq!(ledger.key_by_token(&[7; 32]).await.expect("read"), None);

    let second = key("netops", 1).key;
    assert!(!create(&harness, &second, 1).await, "the name is taken");
    assert!(revoke(&harness, &first, 2).await);
    assert!(!revoke(&harness, &first, 3).await, "only once");
    let revoked = ledger.key_by_token(&first.tokens[0].sha256).await.expect("read").expect("still listed");
    assert_eq!(revoked.revoked_at, Some(at(2)));

    assert!(create(&harness, &second, 4).await, "the name is free again");
    let ids: Vec<_> = ledger.keys().await.expect("read").into_iter().map(|key| key.id).collect();
    assert_eq!(ids, [first.id, second.id], "oldest first");
}

async fn a_key_s_life_is_in_the_log_without_its_token(harness: Harness) {
    let key = key("netops", 0);
    create(&harness, &key.key, 0).await;
    harness.running("vpnx-1", at(1)).await;
    create(&harness, &self::key("netops", 2).key, 2).await;
    revoke(&harness, &key.key, 3).await;
    let events = harness.events().await;
    let kinds: Vec<&str> = events.iter().map(|event| event.row.event.as_str()).collect();
    assert_eq!(kinds, ["key_created", "requested", "submitted", "key_revoked"]);
    for event in [&events[0], &events[3]] {
        let row = &event.row;
        assert_eq!((row.actor.as_str(), row.actor_kind.as_str()), ("command line", "system"));
        assert_eq!((&row.vpc_id, &row.operation_id), (&None, &None));
        let changes = row.changes.as_ref().expect("the key");
        assert_eq!(changes["key"]["name"], "netops");
        assert_eq!(changes["key"]["id"], key.key.id.to_string());
        assert_eq!(changes["key"]["grants"][1]["vpcs"][0], "vpc-prod-*");
        let token = secrecy::ExposeSecret::expose_secret(&key.token);
        assert!(!format!("{row:?}").contains(token), "no token in the log");
    }
    let verdict = tunnelgate::service::audit::verify(&*harness.ledger, None).await.expect("verified");
    assert!(matches!(verdict, tunnelgate::service::audit::Verdict::Whole { events: 4, .. }), "{verdict:?}");
    let limited = VpcScope::Matching(vec!["vpc-*".parse().expect("a pattern")]);
    let filter = EventFilter::default();
    let seen = harness.ledger.events(&limited, &filter, Order::OldestFirst, None, 10).await.expect("events");
    assert_eq!(seen.len(), 2, "a caller limited to VPCs sees no events of keys");
}

/// Rotates a key at a moment; its new state.
async fn rotate(
    harness: &Harness,
    key: &ApiKey,
    overlap: u64,
    expires_in: Option<u64>,
    seconds: u64,
) -> ApiKey {
    let (overlap, expires_in) = (Duration::from_secs(overlap), expires_in.map(Duration::from_secs));
    let NewToken { rotation, .. } = keys::rotate(&SystemChance, key, overlap, expires_in, at(seconds));
    let event = keys::rotation_event(key, &rotation, SystemChance.id(at(seconds)));
    assert!(harness.ledger.rotate_key(&rotation, event).await.expect("written"));
    let found = harness.ledger.key_by_token(&rotation.token_sha256).await.expect("read").expect("the key");
    assert_eq!(found.tokens.last().map(|token| token.sha256), Some(rotation.token_sha256), "oldest first");
    found
}

fn ends(key: &ApiKey) -> Vec<Option<Timestamp>> {
    key.tokens.iter().map(|token| token.valid_until).collect()
}

async fn a_rotated_key_has_both_tokens_and_the_older_one_ends(harness: Harness) {
    let ledger = &harness.ledger;
    let (first, other) = (key("netops", 0).key, key("other", 0).key);
    assert!(create(&harness, &first, 0).await && create(&harness, &other, 0).await);
    let rotated = rotate(&harness, &first, 30, None, 10).await;
    assert_eq!((rotated.id, &rotated.name, rotated.expires_at), (first.id, &first.name, first.expires_at));
    assert_eq!(ends(&rotated), [Some(at(40)), None]);
    let by_old = ledger.key_by_token(&first.tokens[0].sha256).await.expect("read");
    assert_eq!(by_old.as_ref(), Some(&rotated), "either token leads to the key");

    // An older token keeps its end, unless the newer ones end earlier.
    let twice = rotate(&harness, &rotated, 35, None, 20).await;
    assert_eq!(ends(&twice), [Some(at(40)), Some(at(55)), None]);
    let at_once = rotate(&harness, &twice, 0, Some(600), 25).await;
    assert_eq!(ends(&at_once), [Some(at(25)), Some(at(25)), Some(at(25)), None]);
    assert_eq!(at_once.expires_at, Some(at(625)));

    assert!(revoke(&harness, &at_once, 30).await);
    let NewToken { rotation, .. } = keys::rotate(&SystemChance, &at_once, Duration::ZERO, None, at(31));
    let event = keys::rotation_event(&at_once, &rotation, SystemChance.id(at(31)));
    assert!(!ledger.rotate_key(&rotation, event).await.expect("read"), "a revoked key gets no token");
    let left = ledger.keys().await.expect("read").into_iter().find(|key| key.id == other.id);
    assert_eq!(left, Some(other), "other keys are as they were");

    let events = harness.events().await;
    let kinds: Vec<&str> = events.iter().map(|event| event.row.event.as_str()).collect();
    let rotations = ["key_rotated"; 3];
    assert_eq!(kinds, [&["key_created"; 2][..], &rotations[..], &["key_revoked"][..]].concat());
    let described = &events[2].row.changes.as_ref().expect("the key")["key"];
    let mut names: Vec<&String> = described.as_object().expect("an object").keys().collect();
    names.sort();
    assert_eq!(names, ["expires_at", "grants", "id", "name", "overlap_until"]);
    assert_eq!(described["overlap_until"], at(40).to_string());
    let verdict = tunnelgate::service::audit::verify(&*harness.ledger, None).await.expect("verified");
    assert!(matches!(verdict, tunnelgate::service::audit::Verdict::Whole { events: 6, .. }), "{verdict:?}");
}

async fn a_rotation_revives_no_expired_token(harness: Harness) {
    // Expires at 60.
    let first = key("netops", 0).key;
    assert!(create(&harness, &first, 0).await);
    let rotated = rotate(&harness, &first, 3600, Some(7200), 100).await;
    assert_eq!(rotated.expires_at, Some(at(7300)));
    assert_eq!(ends(&rotated), [Some(at(60)), None]);
}

async fn a_rotation_does_not_undo_the_new_lifetime_of_another_one(harness: Harness) {
    let first = key("netops", 0).key;
    assert!(create(&harness, &first, 0).await);
    let longer = rotate(&harness, &first, 30, Some(7200), 10).await;
    // Read before the other rotation, and written after it.
    let NewToken { rotation, .. } = keys::rotate(&SystemChance, &first, Duration::ZERO, None, at(11));
    let event = keys::rotation_event(&first, &rotation, SystemChance.id(at(11)));
    assert!(!harness.ledger.rotate_key(&rotation, event).await.expect("read"), "the key changed meanwhile");
    let left = harness.ledger.keys().await.expect("read");
    assert_eq!(left, [longer], "nothing of it is written");
}

async fn the_last_use_is_a_day_of_each_token(harness: Harness) {
    let ledger = &harness.ledger;
    let first = key("netops", 0).key;
    assert!(create(&harness, &first, 0).await);
    let key = rotate(&harness, &first, 30, None, 1).await;
    let [old, new] = [0, 1].map(|index: usize| key.tokens[index].sha256);
    let day = |text: &str| Day::parse(text).expect("a day");
    ledger.mark_used(&[old, [7; 32]], &day("2026-03-02")).await.expect("written");
    // An earlier day changes nothing.
    ledger.mark_used(&[old, new], &day("2026-03-01")).await.expect("written");
    let key = ledger.key_by_token(&old).await.expect("read").expect("the key");
    let used: Vec<_> = key.tokens.iter().map(|token| token.last_used_on.clone()).collect();
    assert_eq!(used, [Some(day("2026-03-02")), Some(day("2026-03-01"))]);
}

on_each_ledger!(
    a_key_is_found_by_its_token_and_revoked_once,
    a_key_s_life_is_in_the_log_without_its_token,
    a_rotated_key_has_both_tokens_and_the_older_one_ends,
    a_rotation_revives_no_expired_token,
    a_rotation_does_not_undo_the_new_lifetime_of_another_one,
    the_last_use_is_a_day_of_each_token,
);
