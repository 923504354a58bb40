//! A TCP proxy that fails on command: it can cut a connection at a commit, freeze, delay responses, or drop
//! notifications.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What happens at a commit: a `COMMIT`, or a statement alone that writes events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtCommit {
    Pass,
    /// The connection breaks before the server receives the commit.
    CutBefore,
    /// The connection breaks after the server's response, which is lost.
    CutAfter,
    /// The server commits, and its responses wait from then on, as with `hold_answers`.
    HoldAfter,
    /// The server never receives the commit, no connection is closed, and nothing passes from here on.
    Freeze,
}

/// The proxy; it runs as long as the test's runtime.
#[derive(Clone)]
pub struct Proxy {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    target: Mutex<SocketAddr>,
    commits: Mutex<VecDeque<AtCommit>>,
    frozen: watch::Sender<bool>,
    /// Responses wait while this is true.
    held: watch::Sender<bool>,
    latency: Mutex<Duration>,
    /// The protocol is PostgreSQL's, and the proxy looks for commits.
    is_postgres: bool,
    mute: bool,
}

impl Proxy {
    pub async fn to(target: SocketAddr) -> Self {
        Self::start(target, false, false).await
    }

    /// Recognizes PostgreSQL's commits.
    pub async fn to_postgres(target: SocketAddr) -> Self {
        Self::start(target, true, false).await
    }

    /// Drops every notification of PostgreSQL.
    pub async fn without_notifications(target: SocketAddr) -> Self {
        Self::start(target, true, true).await
    }

    async fn start(target: SocketAddr, is_postgres: bool, mute: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            target: Mutex::new(target),
            commits: Mutex::default(),
            frozen: watch::Sender::new(false),
            held: watch::Sender::new(false),
            latency: Mutex::default(),
            is_postgres,
            mute,
        });
        let accepting = shared.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, accepting.clone()));
            }
        });
        Self { address, shared }
    }

    /// Sets the fates of the next commits, in order; later commits pass.
    pub fn at_commits(&self, commits: impl IntoIterator<Item = AtCommit>) {
        *self.shared.commits.lock().expect("the list") = commits.into_iter().collect();
    }

    /// The number of planned commits that have not come yet.
    pub fn commits_left(&self) -> usize {
        self.shared.commits.lock().expect("the list").len()
    }

    pub fn is_frozen(&self) -> bool {
        *self.shared.frozen.borrow()
    }

    /// Passes nothing more, without closing any connection.
    pub fn freeze(&self) {
        self.shared.frozen.send_replace(true);
    }

    /// Passes new connections again, and closes the old ones.
    pub fn thaw(&self) {
        self.shared.frozen.send_replace(false);
    }

    /// Leads new connections to another server, as a virtual address or a DNS name that moves. Open ones stay.
    pub fn lead_to(&self, target: SocketAddr) {
        *self.shared.target.lock().expect("the target") = target;
    }

    /// Holds responses until `release`.
    pub fn hold_answers(&self) {
        self.shared.held.send_replace(true);
    }

    pub fn release_answers(&self) {
        self.shared.held.send_replace(false);
    }

    /// Delays responses.
    pub fn slow_down(&self, latency: Duration) {
        *self.shared.latency.lock().expect("the latency") = latency;
    }
}

async fn carry(client: TcpStream, shared: Arc<Shared>) -> Option<()> {
    pass(&shared).await?;
    let target = *shared.target.lock().expect("the target");
    let server = TcpStream::connect(target).await.ok()?;
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let lost = watch::Sender::new(false);
    let losing = lost.subscribe();
    // The first direction to end drops both halves and so closes both connections.
    tokio::select! {
        ended = requests(from_client, to_server, &shared, &lost) => ended,
        ended = answers(from_server, to_client, &shared, &losing) => ended,
    }
}

/// Waits while the network is frozen; `None` if it was.
async fn pass(shared: &Shared) -> Option<()> {
    let mut frozen = shared.frozen.subscribe();
    if !*frozen.borrow_and_update() {
        return Some(());
    }
    let _ = frozen.wait_for(|frozen| !frozen).await;
    None
}

async fn requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    shared: &Shared,
    lost: &watch::Sender<bool>,
) -> Option<()> {
    let mut block = vec![0; 64 * 1024];
    let mut client = Client::default();
    loop {
        let read = from.read(&mut block).await.ok().filter(|read| *read > 0)?;
        pass(shared).await?;
        if !shared.is_postgres {
            to.write_all(&block[..read]).await.ok()?;
            continue;
        }
        client.pending.extend_from_slice(&block[..read]);
        while let Some((message, is_commit)) = client.next() {
            let at_commit = is_commit.then(|| shared.commits.lock().expect("the list").pop_front()).flatten();
            match at_commit.unwrap_or(AtCommit::Pass) {
                AtCommit::Pass => {}
                AtCommit::CutBefore => return None,
                AtCommit::CutAfter => {
                    lost.send_replace(true);
                }
                AtCommit::HoldAfter => {
                    shared.held.send_replace(true);
                }
                AtCommit::Freeze => {
                    shared.frozen.send_replace(true);
                    pass(shared).await?;
                }
            }
            to.write_all(&message).await.ok()?;
        }
    }
}

/// The messages of a PostgreSQL client; those up to a `Sync` belong together.
#[derive(Default)]
struct Client {
    pending: Vec<u8>,
    has_begun: bool,
    is_in_transaction: bool,
}

impl Client {
    /// Whole messages, and whether the server commits when it has read them.
    fn next(&mut self) -> Option<(Vec<u8>, bool)> {
        if !self.has_begun {
            // The first message has no type.
            let length = u32::from_be_bytes(self.pending.get(..4)?.try_into().ok()?) as usize;
            self.pending.get(..length)?;
            self.has_begun = true;
            return Some((self.pending.drain(..length).collect(), false));
        }
        let (mut end, mut writes) = (0, false);
        loop {
            let kind = *self.pending.get(end)?;
            let length = u32::from_be_bytes(self.pending.get(end + 1..end + 5)?.try_into().ok()?) as usize;
            let message = self.pending.get(end..end + 1 + length)?;
            end += 1 + length;
            let says = |text: &[u8]| message.windows(text.len()).any(|window| window == text);
            match kind {
                b'B' => writes |= EVENTS.iter().any(|event| says(event)),
                b'Q' => {
                    let commits = says(b"COMMIT\0");
                    self.is_in_transaction = says(b"BEGIN\0");
                    return Some((self.pending.drain(..end).collect(), commits));
                }
                b'S' => {
                    let commits = writes && !self.is_in_transaction;
                    return Some((self.pending.drain(..end).collect(), commits));
                }
                // Terminate, passwords, and other single messages.
                b'X' | b'p' | b'd' | b'c' | b'f' => {
                    return Some((self.pending.drain(..end).collect(), false));
                }
                _ => {}
            }
        }
    }
}

/// A statement that writes one of these writes a batch.
const EVENTS: &[&[u8]] =
    &[b"requested", b"submitted", b"rejected", b"outcome_unknown", b"succeeded", b"failed", b"denied"];

async fn answers(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    shared: &Shared,
    lost: &watch::Receiver<bool>,
) -> Option<()> {
    let mut block = vec![0; 64 * 1024];
    let mut pending = Vec::new();
    loop {
        let read = from.read(&mut block).await.ok().filter(|read| *read > 0)?;
        pass(shared).await?;
        if *lost.borrow() {
            return None;
        }
        let _ = shared.held.subscribe().wait_for(|held| !held).await;
        let latency = *shared.latency.lock().expect("the latency");
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        if shared.mute {
            pending.extend_from_slice(&block[..read]);
            to.write_all(&without_notifications(&mut pending)).await.ok()?;
        } else {
            to.write_all(&block[..read]).await.ok()?;
        }
    }
}

/// Takes whole messages out of `pending`: a type, a length that counts itself, and the rest.
fn without_notifications(pending: &mut Vec<u8>) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut at = 0;
    while let Some(head) = pending.get(at..at + 5) {
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        let Some(message) = pending.get(at..at + 1 + length) else { break };
        if head[0] != b'A' {
            kept.extend_from_slice(message);
        }
        at += 1 + length;
    }
    pending.drain(..at);
    kept
}
