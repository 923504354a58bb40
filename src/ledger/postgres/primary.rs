//! The server that new connections go to: with several hosts in DATABASE_URL the one that accepts writes.
//!
//! A task asks this server twice a second, and looks for the new primary when it is gone or accepts no writes. A pool
//! then opens new connections there, and drops those that are older than the change. The task leaves a server only for one
//! that accepts writes: a primary may answer late, and a standby may have old rows.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool};
use sqlx::{ConnectOptions, Postgres};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tracing::{error, info, warn};

use crate::ledger::OpenError;

use super::late::no_answer;
use super::session::is_read_only;

/// Pause between two questions to the server.
const PAUSE: Duration = Duration::from_millis(500);
/// Time limit of one host's answer, to go on to the next one.
const HOST_LIMIT: Duration = Duration::from_secs(2);

/// Where new connections go.
#[derive(Debug, Clone)]
struct Target {
    /// Its place in the list of hosts.
    place: usize,
    connect: Arc<PgConnectOptions>,
    since: Instant,
}

/// The server that new connections go to.
#[derive(Debug, Clone)]
pub(super) struct Primary(watch::Receiver<Target>);

impl Primary {
    /// The options of new connections.
    pub(super) fn connect(&self) -> PgConnectOptions {
        PgConnectOptions::clone(&self.0.borrow().connect)
    }

    /// True if a connection of this age was opened before the server changed.
    pub(super) fn is_later_than(&self, age: Duration) -> bool {
        let target = self.0.borrow();
        age > target.since.elapsed()
    }

    /// Waits until the server changes; for ever if it can't.
    pub(super) async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Takes a connection from a pool. A change of the server ends an attempt to reach the old one.
    pub(super) async fn acquire(&self, pool: &PgPool) -> Result<PoolConnection<Postgres>, sqlx::Error> {
        let mut primary = self.clone();
        primary.0.mark_unchanged();
        loop {
            tokio::select! {
                acquired = pool.acquire() => return acquired,
                () = primary.changed() => {}
            }
        }
    }
}

/// The hosts of DATABASE_URL.
pub(super) struct Hosts {
    pub(super) each: Vec<PgConnectOptions>,
    /// Use no host that refuses writes. Otherwise a process may begin with one.
    pub(super) only_primary: bool,
}

/// Follows the primary from host to host, until it is dropped.
pub(super) struct Follower(JoinHandle<()>);

impl Drop for Follower {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Knows the hosts and which one is in use.
pub(super) struct Search {
    hosts: Hosts,
    target: watch::Sender<Target>,
}

impl Search {
    /// Finds the server to begin with. Of one host nothing is asked.
    ///
    /// # Errors
    /// If no host can be used within `limit`.
    pub(super) async fn begin(hosts: Hosts, limit: Duration) -> Result<(Self, Primary), OpenError> {
        let deadline = Instant::now() + limit;
        let place = if hosts.each.len() == 1 {
            0
        } else {
            loop {
                let missing = match hosts.find().await {
                    Ok(found) => break found.place,
                    Err(missing) => missing,
                };
                let is_late = Instant::now() + PAUSE > deadline;
                match missing.read_only.filter(|_| !hosts.only_primary) {
                    // A host that did not answer may be the primary.
                    Some(place) if missing.all_answered || is_late => break place,
                    None if is_late => return Err(OpenError::NoPrimary(missing.refusals.join("; "))),
                    _ => sleep(PAUSE).await,
                }
            }
        };
        let connect = Arc::new(hosts.each[place].clone());
        let (target, primary) = watch::channel(Target { place, connect, since: Instant::now() });
        Ok((Self { hosts, target }, Primary(primary)))
    }

    /// Starts to follow the primary; the pools go where it goes. `None` with one host.
    pub(super) fn follow(self, pools: Vec<PgPool>) -> Option<Follower> {
        (self.hosts.each.len() > 1).then(|| Follower(tokio::spawn(self.run(pools))))
    }

    async fn run(self, pools: Vec<PgPool>) {
        let mut connection = None;
        let mut is_lost = false;
        loop {
            sleep(PAUSE).await;
            // The panic hook has logged the place.
            let step =
                AssertUnwindSafe(self.step(&mut connection, &mut is_lost, &pools)).catch_unwind().await;
            if step.is_err() {
                error!("the search for the primary crashed; continuing");
                connection = None;
            }
        }
    }

    /// Asks the server in use. If it accepts no writes, looks for one that does.
    async fn step(&self, connection: &mut Option<PgConnection>, is_lost: &mut bool, pools: &[PgPool]) {
        if let Some(asked) = connection
            && matches!(timeout(HOST_LIMIT, is_read_only(asked)).await, Ok(Ok(false)))
        {
            return;
        }
        *connection = None;
        match self.hosts.find().await {
            Ok(found) => {
                if found.place != self.target.borrow().place {
                    self.go_to(found.place, pools);
                }
                *is_lost = false;
                *connection = Some(found.connection);
            }
            Err(missing) if !*is_lost => {
                *is_lost = true;
                let hosts = missing.refusals.join("; ");
                warn!(hosts, "no host in DATABASE_URL accepts writes; trying again");
            }
            Err(_) => {}
        }
    }

    fn go_to(&self, place: usize, pools: &[PgPool]) {
        let connect = Arc::new(self.hosts.each[place].clone());
        info!(host = name(&connect), "the ledger's primary is on another host now");
        for pool in pools {
            let options = PgConnectOptions::clone(&connect);
            pool.set_connect_options(options);
        }
        self.target.send_replace(Target { place, connect, since: Instant::now() });
    }
}

/// A host that accepts writes.
struct Found {
    place: usize,
    connection: PgConnection,
}

/// No host accepts writes.
struct Missing {
    /// What each host said.
    refusals: Vec<String>,
    /// The first host that accepts reads.
    read_only: Option<usize>,
    all_answered: bool,
}

impl Hosts {
    /// The first host that accepts writes.
    async fn find(&self) -> Result<Found, Missing> {
        let mut missing = Missing { refusals: Vec::new(), read_only: None, all_answered: true };
        for (place, connect) in self.each.iter().enumerate() {
            let refusal = match ask(connect).await {
                Ok((connection, false)) => return Ok(Found { place, connection }),
                Ok((_, true)) => {
                    missing.read_only = missing.read_only.or(Some(place));
                    "accepts no writes".to_owned()
                }
                Err(error) => {
                    missing.all_answered = false;
                    crate::causes::chain(&error)
                }
            };
            missing.refusals.push(format!("{}: {refusal}", name(connect)));
        }
        Err(missing)
    }
}

async fn ask(connect: &PgConnectOptions) -> Result<(PgConnection, bool), sqlx::Error> {
    let asked = timeout(HOST_LIMIT, async {
        let mut connection = connect.connect().await?;
        let is_read_only = is_read_only(&mut connection).await?;
        Ok((connection, is_read_only))
    });
    asked.await.unwrap_or_else(|_| Err(no_answer(HOST_LIMIT)))
}

/// Host and port, or the socket.
fn name(connect: &PgConnectOptions) -> String {
    let port = connect.get_port();
    connect.get_socket().map_or_else(
        || format!("{}:{port}", connect.get_host()),
        |folder| format!("{}:{port}", folder.display()),
    )
}
