//! Keys with two tokens.

use std::time::Duration;

use tunnelgate::domain::principal::Scope;

use crate::edge::hourly;
use crate::harness::{Harness, path, ranges};
use crate::support::Store;

const DAY: Duration = Duration::from_secs(86_400);
const CHANGE: &[(Scope, &[&str])] = &[(Scope::TunnelsRead, &[]), (Scope::TunnelsWrite, &[])];

async fn an_idempotency_key_outlives_a_rotation(harness: Harness) {
    let old = harness.consumer_with("rotated", CHANGE).await;
    let (tunnel, key) = (path("vpnx-branch01"), [("idempotency-key", "one")]);
    let first = old.patch(&tunnel, &ranges(), &key).await;
    assert_eq!((first.status, first.header("idempotent-replayed")), (202, None));
    let id = first.json()["id"].as_str().expect("an id").to_owned();
    old.ended(&id).await;
    let new = harness.rotate("rotated", DAY).await;
    for consumer in [&new, &old] {
        let again = consumer.patch(&tunnel, &ranges(), &key).await;
        assert_eq!((again.status, again.header("idempotent-replayed")), (200, Some("true")));
        assert_eq!(again.json()["id"], id.as_str());
    }
    assert_eq!(harness.received("vpnx-branch01").len(), 1);

    // The log has one actor.
    let second = new.patch(&path("vpnx-branch02"), &ranges(), &[]).await.json();
    new.ended(second["id"].as_str().expect("an id")).await;
    let actors: Vec<_> = harness
        .log()
        .await
        .into_iter()
        .map(|event| (event["actor"].clone(), event["actor_id"].clone()))
        .collect();
    let id = harness.key("rotated").await.id.to_string();
    assert_eq!(actors.len(), 6, "{actors:?}");
    assert!(actors.iter().all(|actor| *actor == ("rotated".into(), id.as_str().into())), "{actors:?}");
}

async fn tokens_of_one_key_share_a_rate_limit(store: Store) {
    let harness = Harness::with(store, |settings| settings.edge.rate_limit = hourly(3)).await;
    let old = harness.consumer_with("rotated", CHANGE).await;
    let new = harness.rotate("rotated", DAY).await;
    for (consumer, status) in [(&old, 200), (&new, 200), (&old, 200), (&new, 429), (&old, 429)] {
        assert_eq!(consumer.get("/operations", &[]).await.status, status);
    }
}

async fn an_old_token_ends_with_the_overlap_and_with_its_key(harness: Harness) {
    // Never sent before, so no cache knows them.
    let unused = harness.consumer_with("at-once", CHANGE).await;
    let new = harness.rotate("at-once", Duration::ZERO).await;
    assert_eq!(unused.get("/operations", &[]).await.problem(), (401, "unauthorized".into()));
    assert_eq!(new.get("/operations", &[]).await.status, 200);

    // A cached token ends in time too.
    let old = harness.consumer_with("soon", CHANGE).await;
    let new = harness.rotate("soon", Duration::from_secs(3)).await;
    assert_eq!(old.get("/operations", &[]).await.status, 200);
    let ends = harness.key("soon").await.tokens[0].valid_until.expect("an end");
    while old.get("/operations", &[]).await.status == 200 {
        let now = harness.ledger().time().await.expect("read").unwrap_or(ends);
        assert!(now.since(ends) < Duration::from_secs(2), "it still works");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(new.get("/operations", &[]).await.status, 200);

    let old = harness.consumer_with("revoked", CHANGE).await;
    let new = harness.rotate("revoked", DAY).await;
    harness.revoke("revoked").await;
    for consumer in [old, new] {
        assert_eq!(consumer.get("/operations", &[]).await.problem(), (401, "unauthorized".into()));
    }
}

on_each_ledger!(
    an_idempotency_key_outlives_a_rotation,
    tokens_of_one_key_share_a_rate_limit,
    an_old_token_ends_with_the_overlap_and_with_its_key,
);
