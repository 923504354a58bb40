//! API keys.

use std::time::Duration;

use tunnelgate::chance::SystemChance;
use tunnelgate::domain::principal::{Grant, Scope, VpcScope};
use tunnelgate::service::keys::{NewKey, draw};

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

async fn a_key_is_found_by_its_token_and_revoked_by_its_name(harness: Harness) {
    let ledger = &harness.ledger;
    let first = key("netops", 0).key;
    assert!(ledger.create_key(&first).await.expect("stored"));
    assert_eq!(ledger.key_by_token(&first.token_sha256).await.expect("read"), Some(first.clone()));
    assert_eq!(ledger.key_by_token(&[7; 32]).await.expect("read"), None);

    let second = key("netops", 1).key;
    assert!(!ledger.create_key(&second).await.expect("checked"), "the name is taken");
    assert!(ledger.revoke_key("netops", at(2)).await.expect("stored"));
    assert!(!ledger.revoke_key("netops", at(3)).await.expect("checked"), "only once");
    let revoked = ledger.key_by_token(&first.token_sha256).await.expect("read").expect("still listed");
    assert_eq!(revoked.revoked_at, Some(at(2)));

    assert!(ledger.create_key(&second).await.expect("stored"), "the name is free again");
    let names: Vec<_> = ledger.keys().await.expect("read").into_iter().map(|key| key.id).collect();
    assert_eq!(names, [first.id, second.id], "oldest first");
}

on_each_ledger!(a_key_is_found_by_its_token_and_revoked_by_its_name);
