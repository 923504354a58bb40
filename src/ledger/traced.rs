//! A ledger whose calls are spans. It wraps the store only where traces are on.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::broadcast;
use uuid::Uuid;

use crate::domain::bucket::Bucket;
use crate::domain::day::Day;
use crate::domain::event::{Event, NewEvent};
use crate::domain::operation::{Operation, OperationId};
use crate::domain::principal::VpcScope;
use crate::domain::timestamp::Timestamp;
use crate::service::ledger::{
    AcceptedLoss, ApiKey, Archive, ArchivedSegment, Backlog, Calls, Checkpoint, Claim, DriftFilter, Drifts,
    EndedOperation, EventCount, EventFilter, Failing, Finding, FirstRequest, Forgotten, Growth, Keys, Leases,
    Ledger, LedgerError, Lists, LogSize, NotReady, OpenDrift, OperationFilter, Order, Places, Progress,
    Range, Read, Recorded, Removal, Replayed, Reserved, Rotation, Skipped, Snapshot, Snapshots, Step, Steps,
    Sweep, Sweeps, SweptSince, WatchedGateway, WatchedTunnel, WebhookClaim, WebhookPlace, WebhookPlaces,
    Written,
};
use crate::trace::Span;

/// The store, and its name in spans (`db.system.name`).
pub(super) struct Traced {
    pub(super) store: Arc<dyn Ledger>,
    pub(super) system: &'static str,
}

/// Runs a call of the store in a span with the call's name.
macro_rules! traced {
    ($self:ident.$call:ident($($argument:expr),*)) => {
        $self
            .within(Span::call(concat!("ledger ", stringify!($call))), stringify!($call), $self.store.$call($($argument),*))
            .await
    };
}

impl Traced {
    async fn within<T, E: AsRef<LedgerError>>(
        &self,
        span: Span,
        call: &'static str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        span.set("db.system.name", self.system);
        span.set("db.operation.name", call);
        let result = span.around(work).await;
        if let Err(error) = &result {
            span.fail(match error.as_ref() {
                LedgerError::Unavailable(_) => "unavailable",
                LedgerError::Corrupt(_) | LedgerError::UnreadableEvent(_) => "corrupt",
                LedgerError::Rewound(_) => "log_rewound",
            });
        }
        result
    }
}

#[async_trait]
impl Steps for Traced {
    async fn write(&self, step: Step) -> Result<Written, LedgerError> {
        const NAME: &str = "ledger write";
        let (span, kind, operation) = match &step {
            Step::Open(opening) => {
                let id = opening.operation.id;
                (Span::opening(NAME, id), "open", Some(id))
            }
            Step::Advance(advance) => (Span::call(NAME), "advance", Some(advance.operation.id)),
            Step::Record(event) => (Span::call(NAME), "record", event.operation_id),
        };
        span.set("tunnelgate.step", kind);
        if let Some(id) = operation {
            span.set("tunnelgate.operation_id", id.to_string());
        }
        self.within(span, "write", self.store.write(step)).await
    }

    fn steps(&self) -> broadcast::Receiver<OperationId> {
        self.store.steps()
    }

    async fn newest_seq(&self) -> Result<i64, LedgerError> {
        traced!(self.newest_seq())
    }

    async fn first_request(
        &self,
        principal_id: &str,
        key: &str,
        now: Timestamp,
    ) -> Result<Option<FirstRequest>, LedgerError> {
        traced!(self.first_request(principal_id, key, now))
    }

    async fn forget_idempotency_keys(&self, before: Timestamp, limit: u32) -> Result<u64, LedgerError> {
        traced!(self.forget_idempotency_keys(before, limit))
    }

    async fn accept_loss(&self, after: i64, event: NewEvent) -> Result<AcceptedLoss, LedgerError> {
        traced!(self.accept_loss(after, event))
    }

    async fn time(&self) -> Result<Option<Timestamp>, LedgerError> {
        traced!(self.time())
    }

    async fn close(&self) {
        self.store.close().await;
    }

    async fn ready(&self) -> Result<(), NotReady> {
        traced!(self.ready())
    }
}

#[async_trait]
impl Leases for Traced {
    async fn claim(
        &self,
        holder: &str,
        now: Timestamp,
        lease_until: Timestamp,
        places: Places,
    ) -> Result<Vec<Claim>, LedgerError> {
        traced!(self.claim(holder, now, lease_until, places))
    }

    async fn snooze(
        &self,
        claim: &Claim,
        read: Option<Read>,
        due_at: Timestamp,
    ) -> Result<bool, LedgerError> {
        traced!(self.snooze(claim, read, due_at))
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, LedgerError> {
        traced!(self.next_due())
    }

    async fn backlog(&self, now: Timestamp) -> Result<Backlog, LedgerError> {
        traced!(self.backlog(now))
    }
}

#[async_trait]
impl Calls for Traced {
    async fn reserve(&self, account: &str, count: u32, interval: Duration) -> Result<Reserved, LedgerError> {
        traced!(self.reserve(account, count, interval))
    }

    async fn slow_down(&self, account: &str, rate: u32, pause: Duration) -> Result<(), LedgerError> {
        traced!(self.slow_down(account, rate, pause))
    }
}

#[async_trait]
impl Lists for Traced {
    async fn operation(&self, id: OperationId, vpcs: &VpcScope) -> Result<Option<Operation>, LedgerError> {
        traced!(self.operation(id, vpcs))
    }

    async fn operations_by_id(&self, ids: &[OperationId]) -> Result<Vec<Operation>, LedgerError> {
        traced!(self.operations_by_id(ids))
    }

    async fn events_of(&self, ids: &[OperationId]) -> Result<Vec<Event>, LedgerError> {
        traced!(self.events_of(ids))
    }

    async fn operations(
        &self,
        vpcs: &VpcScope,
        filter: &OperationFilter,
        after: Option<OperationId>,
        limit: u32,
    ) -> Result<Vec<Operation>, LedgerError> {
        traced!(self.operations(vpcs, filter, after, limit))
    }

    async fn event(&self, seq: i64, vpcs: &VpcScope) -> Result<Option<Event>, LedgerError> {
        traced!(self.event(seq, vpcs))
    }

    async fn events(
        &self,
        vpcs: &VpcScope,
        filter: &EventFilter,
        order: Order,
        after: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Event>, LedgerError> {
        traced!(self.events(vpcs, filter, order, after, limit))
    }

    async fn event_counts(
        &self,
        vpcs: &VpcScope,
        filter: &EventFilter,
        bucket: Bucket,
    ) -> Result<Vec<EventCount>, LedgerError> {
        traced!(self.event_counts(vpcs, filter, bucket))
    }

    async fn checkpoint(&self) -> Result<Option<Checkpoint>, LedgerError> {
        traced!(self.checkpoint())
    }
}

#[async_trait]
impl Keys for Traced {
    async fn create_key(&self, key: &ApiKey, event: NewEvent) -> Result<bool, LedgerError> {
        traced!(self.create_key(key, event))
    }

    async fn key_by_token(&self, token_sha256: &[u8; 32]) -> Result<Option<ApiKey>, LedgerError> {
        traced!(self.key_by_token(token_sha256))
    }

    async fn keys(&self) -> Result<Vec<ApiKey>, LedgerError> {
        traced!(self.keys())
    }

    async fn rotate_key(&self, rotation: &Rotation, event: NewEvent) -> Result<bool, LedgerError> {
        traced!(self.rotate_key(rotation, event))
    }

    async fn mark_used(&self, tokens: &[[u8; 32]], day: &Day) -> Result<(), LedgerError> {
        traced!(self.mark_used(tokens, day))
    }

    async fn revoke_key(&self, id: Uuid, now: Timestamp, event: NewEvent) -> Result<bool, LedgerError> {
        traced!(self.revoke_key(id, now, event))
    }
}

#[async_trait]
impl Snapshots for Traced {
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, LedgerError> {
        traced!(self.snapshot())
    }
}

#[async_trait]
impl Growth for Traced {
    async fn extend_log(&self) -> Result<(), LedgerError> {
        traced!(self.extend_log())
    }

    async fn log_size(&self) -> Result<LogSize, LedgerError> {
        traced!(self.log_size())
    }
}

#[async_trait]
impl Archive for Traced {
    async fn archivable(&self, before: Timestamp) -> Result<Option<Vec<Range>>, LedgerError> {
        traced!(self.archivable(before))
    }

    async fn newest_archived(&self) -> Result<Option<ArchivedSegment>, LedgerError> {
        traced!(self.newest_archived())
    }

    async fn remove_events(
        &self,
        segment: &ArchivedSegment,
        event: NewEvent,
    ) -> Result<Removal, LedgerError> {
        traced!(self.remove_events(segment, event))
    }

    async fn remove_operations(&self, limit: u32) -> Result<u64, LedgerError> {
        traced!(self.remove_operations(limit))
    }
}

#[async_trait]
impl Drifts for Traced {
    async fn ended_operations(&self, after: i64, through: i64) -> Result<Vec<EndedOperation>, LedgerError> {
        traced!(self.ended_operations(after, through))
    }

    async fn watched(&self, lock_ids: &[String]) -> Result<Vec<WatchedTunnel>, LedgerError> {
        traced!(self.watched(lock_ids))
    }

    async fn watched_gateways(&self) -> Result<Vec<WatchedGateway>, LedgerError> {
        traced!(self.watched_gateways())
    }

    async fn open_drift(&self, lock_ids: &[String]) -> Result<Vec<OpenDrift>, LedgerError> {
        traced!(self.open_drift(lock_ids))
    }

    async fn drifts(
        &self,
        vpcs: &VpcScope,
        filter: &DriftFilter,
        after: Option<(i64, String)>,
        limit: u32,
    ) -> Result<Vec<OpenDrift>, LedgerError> {
        traced!(self.drifts(vpcs, filter, after, limit))
    }

    async fn swept_since(&self) -> Result<Option<SweptSince>, LedgerError> {
        traced!(self.swept_since())
    }

    async fn drift_counts(&self) -> Result<Vec<(String, u64)>, LedgerError> {
        traced!(self.drift_counts())
    }
}

#[async_trait]
impl Sweeps for Traced {
    async fn hold_sweep(
        &self,
        holder: &str,
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Result<Option<Sweep>, LedgerError> {
        traced!(self.hold_sweep(holder, now, lease_until))
    }

    async fn release_sweep(&self, fence: i64) -> Result<(), LedgerError> {
        traced!(self.release_sweep(fence))
    }

    async fn save_watched(
        &self,
        fence: i64,
        followed_seq: i64,
        tunnels: &[WatchedTunnel],
    ) -> Result<bool, LedgerError> {
        traced!(self.save_watched(fence, followed_seq, tunnels))
    }

    async fn save_progress(&self, fence: i64, progress: &Progress) -> Result<bool, LedgerError> {
        traced!(self.save_progress(fence, progress))
    }

    async fn record_findings(&self, fence: i64, findings: &[Finding]) -> Result<Recorded, LedgerError> {
        traced!(self.record_findings(fence, findings))
    }
}

#[async_trait]
impl WebhookPlaces for Traced {
    async fn begin_webhook(&self, name: &str) -> Result<(), LedgerError> {
        traced!(self.begin_webhook(name))
    }

    async fn webhooks(&self) -> Result<Vec<WebhookPlace>, LedgerError> {
        traced!(self.webhooks())
    }

    async fn claim_webhook(
        &self,
        name: &str,
        holder: &str,
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Result<Option<WebhookClaim>, LedgerError> {
        traced!(self.claim_webhook(name, holder, now, lease_until))
    }

    async fn move_webhook(
        &self,
        claim: &WebhookClaim,
        seq: i64,
        failing: Option<&Failing>,
        lease_until: Timestamp,
    ) -> Result<bool, LedgerError> {
        traced!(self.move_webhook(claim, seq, failing, lease_until))
    }

    async fn release_webhook(&self, claim: &WebhookClaim) -> Result<(), LedgerError> {
        traced!(self.release_webhook(claim))
    }

    async fn replay_webhook(
        &self,
        name: &str,
        from: i64,
        salt: Option<Uuid>,
    ) -> Result<Replayed, LedgerError> {
        traced!(self.replay_webhook(name, from, salt))
    }

    async fn skip_webhook(&self, name: &str, seq: i64, event: NewEvent) -> Result<Skipped, LedgerError> {
        traced!(self.skip_webhook(name, seq, event))
    }

    async fn forget_webhook(&self, name: &str, now: Timestamp) -> Result<Forgotten, LedgerError> {
        traced!(self.forget_webhook(name, now))
    }
}
