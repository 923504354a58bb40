//! The sweep: follows the log to know what changes have set, reads tunnels page by page, and records what differs.
//!
//! A read that shows a change of the gateway's own is no drift. So the sweep notes the newest event, follows the log up to
//! it, and only then reads; the ledger refuses what it found if an operation on the tunnel is unfinished or has an event since.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};

use crate::domain::ids::{GatewayId, VpcId};
use crate::domain::timestamp::Timestamp;
use crate::failpoint;

use super::find::Lost;
use super::plan::{self, Gateway};
use super::run::Run;
use crate::service::Service;
use crate::service::cloud::{Priority, ReadFailure, TunnelsOf, Turn};
use crate::service::ledger::{LedgerError, Progress, Sweep};

/// Events that one query follows.
const BLOCK: i64 = 1000;
/// Blocks that one step follows, so that the lease is extended in between.
const BLOCKS: usize = 20;
/// The longest wait between two steps: the log is followed, and the lease extended.
const TICK: Duration = Duration::from_secs(5);
/// Time that the lease lasts beyond the call of a step.
const LEASE_MARGIN: Duration = Duration::from_secs(10);

/// The outcome of one step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stepped {
    /// Time until the next step.
    pub wait: Duration,
    /// The call that the step made.
    pub call: Option<PageCall>,
    /// The sweep that the step ended.
    pub ended: Option<Ended>,
    /// This process holds the sweep.
    pub is_holder: bool,
}

/// A call that read a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageCall {
    pub account: String,
    /// False if the page could not be read.
    pub is_read: bool,
}

/// The end of a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Tunnels that are watched.
    pub watched: u64,
    /// Those that were compared. The others were on no page that could be read, or were not at rest.
    pub compared: u64,
    pub took: Duration,
}

/// Sweeps, step by step. Loses nothing but its place if it is dropped.
pub struct Sweeper {
    service: Service,
    holder: Arc<str>,
    /// The fencing token of the lease that `run` belongs to.
    fence: Option<i64>,
    run: Option<Run>,
    /// Accounts whose credentials were refused the list of all tunnels. Each refusal counts as one of the gateway's
    /// credentials and raises an alert, so it is asked for once in the life of the process.
    refused: BTreeSet<String>,
}

impl Sweeper {
    /// A sweeper; `holder` names the process in the lease.
    #[must_use]
    pub fn new(service: Service, holder: &str) -> Self {
        Self { service, holder: holder.into(), fence: None, run: None, refused: BTreeSet::new() }
    }

    /// Follows the log, and makes the next call if it is due. Ends at once when `stop` is ready: each write is one
    /// transaction, and a page whose call is cut off is read by the next holder.
    ///
    /// # Errors
    /// If the ledger fails. The step can be repeated.
    pub async fn step(
        &mut self,
        interval: Duration,
        stop: impl Future<Output = ()>,
    ) -> Result<Stepped, LedgerError> {
        let now = self.service.clock.now();
        let lease = self.service.accounts.longest_timeout() * 2 + LEASE_MARGIN;
        let held = self.service.ledger.hold_sweep(&self.holder, now, now.plus(lease)).await?;
        let Some(sweep) = held else {
            (self.fence, self.run) = (None, None);
            return Ok(Stepped { wait: TICK, ..Stepped::default() });
        };
        if self.fence.replace(sweep.fence) != Some(sweep.fence) {
            self.run = None;
            info!(holder = &*self.holder, "this process sweeps the tunnels for drift");
        }
        // Not before: the fencing token has to be known, so that the lease can be released.
        let stepped = tokio::select! {
            stepped = self.held_step(&sweep, interval) => stepped?,
            () = stop => return Ok(Stepped::default()),
        };
        match stepped {
            Ok(stepped) => Ok(Stepped { is_holder: true, ..stepped }),
            Err(Lost) => {
                (self.fence, self.run) = (None, None);
                warn!("another process took the sweep over; nothing was written");
                Ok(Stepped { wait: TICK, ..Stepped::default() })
            }
        }
    }

    /// Ends the lease, so that another process goes on at once.
    ///
    /// # Errors
    /// If the ledger fails: the lease ends by itself.
    pub async fn release(&mut self) -> Result<(), LedgerError> {
        self.run = None;
        match self.fence.take() {
            Some(fence) => self.service.ledger.release_sweep(fence).await,
            None => Ok(()),
        }
    }

    async fn held_step(
        &mut self,
        sweep: &Sweep,
        interval: Duration,
    ) -> Result<Result<Stepped, Lost>, LedgerError> {
        // Before the read: an event that is written after this makes what the read shows stale.
        let read_seq = self.service.ledger.newest_seq().await?;
        match self.follow(sweep, read_seq).await? {
            Ok(followed) if followed >= read_seq => {}
            Ok(_) => return Ok(Ok(Stepped::default())),
            Err(lost) => return Ok(Err(lost)),
        }
        let now = self.service.clock.now();
        if self.run.is_none() {
            let due = sweep.progress.began_at.map(|began_at| began_at.plus(interval));
            let is_under_way = sweep.progress.place.is_some();
            if let Some(due) = due.filter(|due| *due > now && !is_under_way) {
                return Ok(Ok(Stepped { wait: due.since(now).min(TICK), ..Stepped::default() }));
            }
            let run = self.begin(&sweep.progress, now).await?;
            if !save(&self.service, sweep, &run, None).await? {
                return Ok(Err(Lost));
            }
            self.run = Some(run);
        }
        // The run stays here if the ledger fails: the next step goes on with it.
        let Some(run) = &mut self.run else { return Ok(Ok(Stepped::default())) };
        if run.next_at > now && !run.has_ended() {
            return Ok(Ok(Stepped { wait: run.next_at.since(now).min(TICK), ..Stepped::default() }));
        }
        let call = match call(&self.service, &mut self.refused, run, sweep.fence, read_seq).await? {
            Ok(call) => call,
            Err(lost) => return Ok(Err(lost)),
        };
        let now = self.service.clock.now();
        run.next_at = plan::next_at(run.began_at, now, interval, (run.calls, run.calls_left()), run.watched);
        let mut wait = run.next_at.since(now).min(TICK);
        let ended = run.has_ended().then(|| Ended {
            watched: run.watched,
            compared: run.compared(),
            took: now.since(run.began_at),
        });
        if !save(&self.service, sweep, run, ended.map(|_| now)).await? {
            return Ok(Err(Lost));
        }
        if ended.is_some() {
            wait = wait.max(run.began_at.plus(interval).since(now).min(TICK));
            self.run = None;
        }
        Ok(Ok(Stepped { wait, call, ended, is_holder: true }))
    }

    /// Follows the log up to `through`, in bounded time; returns how far it came.
    async fn follow(&self, sweep: &Sweep, through: i64) -> Result<Result<i64, Lost>, LedgerError> {
        let mut followed = sweep.progress.followed_seq;
        for _ in 0..BLOCKS {
            if followed >= through {
                break;
            }
            let end = through.min(followed + BLOCK);
            match self.service.follow_changes(sweep.fence, followed, end).await? {
                Ok(()) => followed = end,
                Err(lost) => return Ok(Err(lost)),
            }
        }
        Ok(Ok(followed))
    }

    /// A new sweep, or the one that another process, or this one, has not ended.
    async fn begin(&self, progress: &Progress, now: Timestamp) -> Result<Run, LedgerError> {
        let gateways = self.service.ledger.watched_gateways().await?;
        let watched = gateways.iter().map(|gateway| gateway.tunnels).sum();
        let gateways: Vec<Gateway> = gateways
            .into_iter()
            .filter_map(|gateway| {
                let vpc: VpcId = gateway.vpc_id.parse().ok()?;
                // No account may answer for the VPC any more.
                let cloud = self.service.accounts.of_vpc(&vpc)?;
                Some(Gateway {
                    account: cloud.route().account,
                    page_size: cloud.page_size(),
                    vpc,
                    gateway: gateway.gateway_id.parse::<GatewayId>().ok()?,
                    tunnels: usize::try_from(gateway.tunnels).unwrap_or(usize::MAX),
                })
            })
            .collect();
        let run = || Run::new(plan::parts(gateways.clone(), &self.refused), watched, now);
        let under_way = progress.place.as_deref().zip(progress.began_at);
        let resumed = under_way.and_then(|(stored, began_at)| run().resumed(stored, began_at));
        Ok(resumed.unwrap_or_else(run))
    }
}

/// Stores how far the sweep is; false if the lease was lost.
async fn save(
    service: &Service,
    sweep: &Sweep,
    run: &Run,
    ended_at: Option<Timestamp>,
) -> Result<bool, LedgerError> {
    let progress = Progress {
        followed_seq: sweep.progress.followed_seq,
        began_at: Some(run.began_at),
        place: run.stored(),
        swept_at: ended_at.filter(|_| run.is_whole).or(sweep.progress.swept_at),
    };
    service.ledger.save_progress(sweep.fence, &progress).await
}

/// Makes the next call of a sweep; none if no account answers for the list any more. `refused` receives the account if
/// its credentials may not list all tunnels.
async fn call(
    service: &Service,
    refused: &mut BTreeSet<String>,
    run: &mut Run,
    fence: i64,
    read_seq: i64,
) -> Result<Result<Option<PageCall>, Lost>, LedgerError> {
    let Some((part, offset)) = run.next() else { return Ok(Ok(None)) };
    let cloud = service.accounts.of_vpc(&part.vpc);
    let Some(cloud) = cloud.filter(|cloud| cloud.route().account == part.account) else {
        run.skip();
        return Ok(Ok(None));
    };
    let of = match &part.gateway {
        Some(gateway) => TunnelsOf { vpc: Some(&part.vpc), gateway: Some(gateway) },
        None => TunnelsOf::default(),
    };
    let page = cloud.page(of, offset, Turn { priority: Priority::Sweep, end: None }).await;
    failpoint::at!("sweep.read");
    run.calls += 1;
    let account = part.account;
    let page = match page {
        Ok(page) => page,
        Err(error) => {
            let is_answer = matches!(error.failure, ReadFailure::NotFound);
            if run.failed(error.failure, cloud.page_size()) {
                refused.insert(account.clone());
            }
            return Ok(Ok(Some(PageCall { account, is_read: is_answer })));
        }
    };
    let compared = match service.consider(&*cloud, &page, fence, read_seq).await? {
        Ok(compared) => compared,
        Err(lost) => return Ok(Err(lost)),
    };
    run.add(compared);
    run.advance(&page, cloud.page_size());
    Ok(Ok(Some(PageCall { account, is_read: true })))
}
