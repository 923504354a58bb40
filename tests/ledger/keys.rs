//! API keys.

use std::time::Duration;

use tunnelgate::chance::{Chance, SystemChance};
use tunnelgate::domain::event::{EventKind, NewEvent};
use tunnelgate::domain::principal::{Grant, Scope, VpcScope};
use tunnelgate::service::keys::{self, NewKey, draw};
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
    assert_eq!(ledger.key_by_token(&first.token_sha256).await.expect("read"), Some(first.clone()));
    assert_eq!(ledger.key_by_token(&[7; 32]).await.expect("read"), None);

    let second = key("netops", 1).key;
    assert!(!create(&harness, &second, 1).await, "the name is taken");
    assert!(revoke(&harness, &first, 2).await);
    assert!(!revoke(&harness, &first, 3).await, "only once");
    let revoked = ledger.key_by_token(&first.token_sha256).await.expect("read").expect("still listed");
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

on_each_ledger!(a_key_is_found_by_its_token_and_revoked_once, a_key_s_life_is_in_the_log_without_its_token);
