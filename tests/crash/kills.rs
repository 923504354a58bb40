//! Kills the gateway at random instants under load, many times: no change is sent without its committed intent or
//! twice, every operation ends, and every accepted operation exists.
//!
//! `TUNNELGATE_CRASH_KILLS` is the number of kills, `TUNNELGATE_CRASH_SEED` the random seed, which is printed.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tunnelgate::chance::{Chance, SystemChance};

use crate::accounts;
use crate::deployment::{Deployment, blocking};
use crate::load::{Dice, Load};
use crate::support::Store;
use crate::support::consumer::plain_client;

const CONSUMERS: u64 = 24;
const LONGEST_LIFE: Duration = Duration::from_secs(3);

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number")))
}

/// Waits until the cloud has received `more` changes, with a time limit, so that changes are in flight at the kill on
/// a slow machine too.
async fn under_way(deployment: &Deployment, changes: usize) {
    let (enough, until) = (deployment.front.received() + changes, Instant::now() + LONGEST_LIFE);
    while deployment.front.received() < enough && Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn crash_anywhere(store: Store) {
    let kills = setting("TUNNELGATE_CRASH_KILLS").unwrap_or(30);
    let seed = setting("TUNNELGATE_CRASH_SEED").unwrap_or_else(|| SystemChance.word() >> 32);
    let kind = if store.is_postgres() { "PostgreSQL" } else { "SQLite" };
    println!("{kind}: {kills} kills, TUNNELGATE_CRASH_SEED={seed}");
    let started = Instant::now();
    let deployment = Deployment::new(store);
    let load = Load::new(deployment.token("load"), 4000);
    let mut dice = Dice(seed);
    let (client, mut consumers) = (plain_client(), Vec::new());
    for kill in 0..kills {
        let (mut gateway, address) =
            deployment.serve("gateway", &[("TUNNELGATE_LOG", "warn,tunnelgate::app=info")]);
        *load.base.write().expect("no panic") = address;
        if consumers.is_empty() {
            consumers.extend(
                (0..CONSUMERS).map(|_| tokio::spawn(load.clone().consume(client.clone(), dice.word()))),
            );
        }
        let (changes, more) = (dice.below(15) as usize, Duration::from_millis(dice.below(200)));
        under_way(&deployment, changes).await;
        tokio::time::sleep(more).await;
        blocking(|| gateway.kill());
        if kill % 100 == 99 {
            println!("{kind}: {} kills, {} s", kill + 1, started.elapsed().as_secs());
        }
    }
    let (gateway, address) = deployment.serve("gateway", &[("TUNNELGATE_LOG", "warn,tunnelgate::app=info")]);
    *load.base.write().expect("no panic") = address;
    load.stop.store(true, Ordering::Relaxed);
    for consumer in consumers {
        consumer.await.expect("a consumer that received its last response");
    }
    deployment.at_peace().await;
    assert!(blocking(|| gateway.terminate()).success());
    deployment.assert_whole();
    let asked = load.asked.lock().expect("no panic").clone();
    let summary = accounts::settle(&deployment, &asked).await;
    println!("{kind}: {kills} kills in {} s: {summary}", started.elapsed().as_secs());
}

on_each_ledger!(crash_anywhere);
