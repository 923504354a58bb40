//! A rolling restart of the replicas while callers continue.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::cluster::{Cluster, Gateway, path, ranges, tunnel, until};
use crate::support::consumer::plain_client;

/// A load balancer: it polls `/readyz` of each replica and sends requests to those that are ready.
#[derive(Clone)]
struct Balancer(Arc<Vec<Mutex<Replica>>>);

struct Replica {
    base: String,
    is_up: bool,
}

impl Balancer {
    fn of(gateways: &[&Gateway]) -> Self {
        let replica =
            |gateway: &&Gateway| Mutex::new(Replica { base: gateway.consumer.base.clone(), is_up: true });
        let balancer = Self(Arc::new(gateways.iter().map(replica).collect()));
        for place in 0..gateways.len() {
            tokio::spawn(balancer.clone().probe(place));
        }
        balancer
    }

    async fn probe(self, place: usize) {
        let client = plain_client();
        loop {
            let base = self.0[place].lock().expect("a replica").base.clone();
            let ready = client.get(format!("{base}/readyz")).send().await;
            let is_up = ready.is_ok_and(|answer| answer.status() == 200);
            {
                let mut replica = self.0[place].lock().expect("a replica");
                if replica.base == base {
                    replica.is_up = is_up;
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn replace(&self, place: usize, gateway: &Gateway) {
        let base = gateway.consumer.base.clone();
        *self.0[place].lock().expect("a replica") = Replica { base, is_up: true };
    }

    /// The replica for the next request.
    fn pick(&self, turn: usize) -> String {
        let count = self.0.len();
        let mut places = (0..count).map(|offset| &self.0[(turn + offset) % count]);
        let up = places.find_map(|replica| {
            let replica = replica.lock().expect("a replica");
            replica.is_up.then(|| replica.base.clone())
        });
        up.unwrap_or_else(|| self.0[turn % count].lock().expect("a replica").base.clone())
    }
}

/// A caller with keep-alive connections that retries only failed connection attempts. Returns the ids of its accepted
/// changes; every other response is a failure.
async fn caller(
    balancer: Balancer,
    token: String,
    next: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
) -> Result<Vec<String>, String> {
    let client = plain_client();
    let mut accepted = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let request = |base: &str| {
            if number.is_multiple_of(3) && !accepted.is_empty() {
                let id: &String = &accepted[accepted.len() - 1];
                client.get(format!("{base}/operations/{id}")).header("prefer", "wait=5")
            } else {
                let patch = ranges(number).to_string();
                let request = client.patch(format!("{base}{}", tunnel(number))).body(patch);
                request.header("content-type", "application/merge-patch+json")
            }
        };
        let mut turn = number;
        let answer = loop {
            match request(&balancer.pick(turn)).bearer_auth(&token).send().await {
                Ok(answer) => break answer,
                Err(error) if error.is_connect() => turn += 1,
                Err(error) => return Err(format!("{error:?}")),
            }
        };
        let status = answer.status().as_u16();
        let body = answer.text().await.map_err(|error| format!("{error:?}"))?;
        match status {
            202 => {
                let operation: Value = serde_json::from_str(&body).map_err(|error| error.to_string())?;
                accepted.push(operation["id"].as_str().ok_or("no id")?.to_owned());
            }
            200 => {}
            _ => return Err(format!("{status}: {body}")),
        }
    }
    Ok(accepted)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_under_load_fails_no_request() {
    let cluster = Cluster::on_postgres().await;
    let settings = [("TUNNELGATE_SHUTDOWN_DELAY", "2s".to_owned())];
    let mut gateways = [cluster.gateway("one-0", &settings), cluster.gateway("other-0", &settings)];
    let balancer = Balancer::of(&gateways.iter().collect::<Vec<_>>());
    let (next, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let token = gateways[0].consumer.token.clone();
            tokio::spawn(caller(balancer.clone(), token, next.clone(), stop.clone()))
        })
        .collect();
    let progress = async || {
        let now = next.load(Ordering::Relaxed);
        until("requests", async || (next.load(Ordering::Relaxed) > now + 100).then_some(())).await;
    };
    progress().await;
    for round in 1..=2 {
        for (place, name) in ["one", "other"].into_iter().enumerate() {
            let gateway = &mut gateways[place];
            gateway.process.signal("-TERM");
            let ended = until("its end", async || gateway.process.has_ended()).await;
            assert!(ended.success(), "{}", gateway.process.stderr());
            gateways[place] = cluster.gateway(&format!("{name}-{round}"), &settings);
            balancer.replace(place, &gateways[place]);
            progress().await;
        }
    }
    stop.store(true, Ordering::Relaxed);
    let mut accepted = Vec::new();
    for caller in callers {
        match caller.await.expect("a caller") {
            Ok(more) => accepted.extend(more),
            Err(failure) => panic!("a request failed: {failure}"),
        }
    }
    cluster.all_is_well(&gateways[0].consumer, &accepted).await;
}

/// Sends a request on a connection; returns the response's head, and whether the server closed the connection after it.
async fn exchange(connection: &mut TcpStream) -> (String, bool) {
    connection.write_all(b"GET /livez HTTP/1.1\r\nhost: gateway\r\n\r\n").await.expect("sent");
    let mut answer = Vec::new();
    let mut block = [0; 4096];
    loop {
        let read = connection.read(&mut block).await.expect("an answer");
        answer.extend_from_slice(&block[..read]);
        let text = String::from_utf8_lossy(&answer).to_lowercase();
        if text.ends_with('}') {
            let closes = text.contains("connection: close");
            if closes {
                assert_eq!(
                    connection.read(&mut block).await.expect("an end"),
                    0,
                    "closed after connection: close"
                );
            }
            return (text, closes);
        }
        assert!(read > 0, "cut off in the middle: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_tells_first_then_finishes_what_is_under_way() {
    let cluster = Cluster::on_sqlite().await;
    let mut gateway = cluster.gateway("gateway", &[("TUNNELGATE_SHUTDOWN_DELAY", "3s".into())]);
    let address = gateway.consumer.base.trim_start_matches("http://").to_owned();
    let connect = async || TcpStream::connect(&address).await.expect("a connection");
    let (mut busy, mut idle) = (connect().await, connect().await);
    assert!(!exchange(&mut busy).await.1, "connections are kept");
    assert!(!exchange(&mut idle).await.1);
    gateway.process.signal("-TERM");
    until("not ready", async || (gateway.ready().await == 503).then_some(())).await;
    assert_eq!(gateway.consumer.get("/readyz", &[]).await.problem(), (503, "shutting_down".into()));
    // The gateway still serves old and new connections, and answers with `connection: close`.
    assert!(exchange(&mut busy).await.1);
    assert!(exchange(&mut connect().await).await.1);
    let waited = gateway.consumer.clone();
    let taken = gateway.accepted(&tunnel(1), &ranges(1)).await;
    // A change in flight when the gateway stops accepting; the cloud does not answer it in time.
    let slow = tokio::spawn({
        let consumer = gateway.consumer.clone();
        async move { consumer.patch(&path("vpnx-no-answer"), &ranges(2), &[]).await }
    });
    let wait =
        tokio::spawn(
            async move { waited.get(&format!("/operations/{taken}"), &[("prefer", "wait=60")]).await },
        );
    // An idle connection is closed, not reset.
    assert_eq!(idle.read(&mut [0; 16]).await.expect("a clean end"), 0);
    assert_eq!(slow.await.expect("an answer").status, 202);
    assert_eq!(wait.await.expect("an answer").status, 200);
    assert!(gateway.process.wait().success());
    assert!(TcpStream::connect(&address).await.is_err(), "the port is closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_finishes_a_change_whose_caller_has_hung_up() {
    let cluster = Cluster::on_postgres().await;
    let mut gateway = cluster.gateway("gateway", &[]);
    let caller = tokio::spawn({
        let consumer = gateway.consumer.clone();
        async move { consumer.patch(&path("vpnx-no-answer"), &ranges(1), &[]).await }
    });
    until("the call", async || (cluster.received() == 1).then_some(())).await;
    caller.abort();
    gateway.process.signal("-TERM");
    assert!(gateway.process.wait().success());
    // The result was written, so no other replica has to wait for the lease.
    let other = cluster.gateway("other", &[]);
    let list = other.consumer.get("/operations", &[]).await.json();
    assert_ne!(list["items"][0]["status"], "pending", "{list}");
    cluster.all_is_well(&other.consumer, &[]).await;
}
