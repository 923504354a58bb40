//! The last use of API keys.

use std::time::{Duration, Instant};

use tunnelgate::clock::{Clock, SystemClock};
use tunnelgate::domain::day::Day;
use tunnelgate::domain::principal::Scope;

use crate::harness::Harness;
use crate::support::consumer::PATIENCE;

/// Returns when the key has a last use.
async fn until_used(harness: &Harness, name: &str) -> Day {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(day) = harness.key(name).await.tokens[0].last_used_on.clone() {
            return day;
        }
        assert!(Instant::now() < until, "no last use");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn a_request_leaves_the_day_of_its_key(harness: Harness) {
    let used = harness.consumer_with("used", &[(Scope::TunnelsRead, &[])]).await;
    harness.consumer_with("idle", &[(Scope::TunnelsRead, &[])]).await;
    let before = Day::of(SystemClock.now());
    assert_eq!(used.get("/operations", &[]).await.status, 200);
    let day = until_used(&harness, "used").await;
    assert!((before..=Day::of(SystemClock.now())).contains(&day), "{day}");
    assert_eq!(harness.key("idle").await.tokens[0].last_used_on, None);
}

/// As with a role that may not write the table, or a read-only database.
async fn a_last_use_that_can_not_be_stored_fails_no_request(harness: Harness) {
    let refuse = if harness.store.is_postgres() {
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'read-only'; END $$;
         CREATE TRIGGER refuse BEFORE UPDATE ON api_key_tokens EXECUTE FUNCTION refuse()"
    } else {
        "CREATE TRIGGER refuse BEFORE UPDATE ON api_key_tokens BEGIN SELECT raise(FAIL, 'read-only'); END"
    };
    harness.store.execute(refuse).await.expect("a trigger");
    let used = harness.consumer_with("used", &[(Scope::TunnelsRead, &[])]).await;
    // Longer than the cache keeps the token and than the loop waits: the write has failed at least once.
    let until = Instant::now() + Duration::from_secs(11);
    while Instant::now() < until {
        assert_eq!(used.get("/operations", &[]).await.status, 200);
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    assert_eq!(harness.key("used").await.tokens[0].last_used_on, None);
    let allow = if harness.store.is_postgres() {
        "DROP TRIGGER refuse ON api_key_tokens"
    } else {
        "DROP TRIGGER refuse"
    };
    harness.store.execute(allow).await.expect("no trigger");
    let until = Instant::now() + PATIENCE;
    while harness.key("used").await.tokens[0].last_used_on.is_none() {
        assert!(Instant::now() < until, "the next use counts");
        assert_eq!(used.get("/operations", &[]).await.status, 200);
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

on_each_ledger!(a_request_leaves_the_day_of_its_key, a_last_use_that_can_not_be_stored_fails_no_request);
