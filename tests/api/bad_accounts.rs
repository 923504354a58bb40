//! An account whose cloud does not answer, refuses its credentials, or has no call left delays no other account.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;
use tokio::net::TcpListener;
use tunnelgate::cloud::{self, Endpoints};
use tunnelgate::config::Settings;
use tunnelgate::domain::principal::VpcScope;

use crate::harness::{Harness, path, ranges};
use crate::support::Store;
use crate::support::consumer::{Consumer, PATIENCE};

const PROD: &str = "/vpcs/vpc-prod-1/gateways/vpngw-prod1/tunnels/vpnx-prod1";
/// More than one account's places in the tracker.
const OPEN: usize = 130;
/// Calls to the cloud that does not answer last at least this long.
const TIMEOUT: Duration = Duration::from_secs(10);
/// A change of the healthy account takes well under a second, on a busy machine a few.
const PROMPT: Duration = Duration::from_secs(5);

/// A server that accepts connections and never answers; counts them.
async fn silent_cloud() -> (std::net::SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let accepted = Arc::new(AtomicUsize::new(0));
    let count = accepted.clone();
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            open.push(stream);
        }
    });
    (address, accepted)
}

fn account(settings: &Settings, name: &str, vpc: &str) -> cloud::Settings {
    let vpcs = VpcScope::Matching(vec![vpc.parse().expect("a pattern")]);
    cloud::Settings { account: name.into(), vpcs, ..settings.accounts[0].clone() }
}

async fn a_bad_account_delays_no_other(store: Store) {
    // Opens operations, and leaves them to the next replica.
    let harness = Harness::with(store, |settings| {
        settings.accounts[0].account = "down".into();
        settings.rules.poll_interval = Duration::from_secs(8);
        settings.rules.poll_max_interval = Duration::from_secs(8);
    })
    .await;
    let opened = (0..OPEN).map(|number| {
        let consumer = harness.consumer.clone();
        async move { consumer.patch(&path(&format!("vpnx-load-{number}")), &ranges(), &[]).await.status }
    });
    assert!(join_all(opened).await.iter().all(|status| *status == 202));
    let (silent, accepted) = silent_cloud().await;
    let (_gateway, consumer) = harness
        .replica_with(|settings| {
            let mut down = account(settings, "down", "vpc-03vihbk9");
            (down.endpoints, down.timeout) = (Endpoints::simulated(silent), TIMEOUT);
            let mut revoked = account(settings, "revoked", "vpc-revoked");
            revoked.credentials.secret_key = "revoked".into();
            let mut short = account(settings, "short", "vpc-short");
            (short.calls_per_second, short.timeout) = (1, TIMEOUT);
            settings.accounts = vec![down, revoked, short, account(settings, "prod", "vpc-prod-*")];
            settings.rules.task_timeout = PATIENCE;
        })
        .await;
    harness.stop();
    // The tracker asks the silent cloud for as many operations as it can.
    let until = Instant::now() + PATIENCE;
    while accepted.load(Ordering::Relaxed) < 100 {
        assert!(Instant::now() < until, "{accepted:?} connections");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let load: Vec<_> = ["vpc-03vihbk9", "vpc-revoked", "vpc-short"]
        .iter()
        .flat_map(|vpc| {
            (0..20).map(move |number| format!("/vpcs/{vpc}/gateways/vpngw-{number}/tunnels/vpnx-1"))
        })
        .map(|path| tokio::spawn(read(consumer.clone(), path)))
        .collect();
    for round in 0..3 {
        let started = Instant::now();
        assert_eq!(consumer.get(PROD, &[]).await.status, 200);
        let changed = consumer
            .patch(PROD, &json!({"peer_cidrs": [format!("10.{round}.0.0/16")]}), &[("prefer", "wait=30")])
            .await;
        assert_eq!(changed.json()["status"], "succeeded", "{}", changed.body);
        let took = started.elapsed();
        assert!(took < PROMPT, "round {round} took {took:?}");
    }
    for task in load {
        task.abort();
    }
}

async fn read(consumer: Consumer, path: String) {
    while consumer.get(&path, &[]).await.status != 200 {}
}

on_each_ledger!(a_bad_account_delays_no_other);
