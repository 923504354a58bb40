//! The places of webhook entries in the log, and the leases on them.

use async_trait::async_trait;
use uuid::Uuid;

use crate::domain::event::NewEvent;
use crate::domain::timestamp::Timestamp;

use super::error::LedgerError;

/// A replay under new ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewIds {
    /// The last event that gets a new id.
    pub to: i64,
    /// From which the ids are derived, so that each attempt for an event has the same id.
    pub salt: Uuid,
}

/// The next event could not be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failing {
    /// Attempts that failed.
    pub attempts: u32,
    /// Why the last attempt failed.
    pub problem: String,
    /// When the next attempt is due.
    pub retry_at: Timestamp,
}

/// Where an entry is in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookPlace {
    pub name: String,
    /// Every event up to this one was delivered, filtered out or skipped.
    pub seq: i64,
    pub new_ids: Option<NewIds>,
    /// `None` unless the last attempt failed.
    pub failing: Option<Failing>,
    /// The process that delivers, and until when it holds the lease.
    pub lease: Option<(String, Timestamp)>,
    /// The newest event of the log.
    pub newest: i64,
    /// When the first event after the place occurred.
    pub waiting_since: Option<Timestamp>,
}

/// An entry, held under a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookClaim {
    pub name: String,
    /// The fencing token. A write with an older token changes nothing.
    pub fence: i64,
    pub seq: i64,
    pub new_ids: Option<NewIds>,
    /// Failed attempts to deliver the next event.
    pub failures: u32,
    /// The process that holds the lease.
    pub holder: String,
    /// The number of accepted losses of the log. Another loss ends the claim.
    pub acceptance: i64,
}

/// The outcome of a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replayed {
    Moved,
    /// No entry has this name.
    Unknown,
    /// Events up to this one are archived.
    Archived(i64),
    /// The entry is at this event, and has not passed the one to begin with.
    NotPassed(i64),
}

/// The outcome of skipping an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skipped {
    Skipped,
    /// No entry has this name.
    Unknown,
    /// The entry is at this event, so the next one is another.
    NotNext(i64),
    /// The log has no such event yet.
    NoEvent,
}

/// The outcome of deleting a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Forgotten {
    Forgotten,
    /// No entry has this name.
    Unknown,
    /// This process delivers for the entry.
    Held(String),
}

/// Keeps the places of webhook entries.
#[async_trait]
pub trait WebhookPlaces: Send + Sync + 'static {
    /// Gives a new entry the place after the newest event. Changes nothing about a known entry.
    async fn begin_webhook(&self, name: &str) -> Result<(), LedgerError>;

    /// The places of all entries, by name.
    async fn webhooks(&self) -> Result<Vec<WebhookPlace>, LedgerError>;

    /// Claims an entry that is not leased, or leased by the same holder, until `lease_until`. `None` if another process holds
    /// it, or no place is stored.
    async fn claim_webhook(
        &self,
        name: &str,
        holder: &str,
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Result<Option<WebhookClaim>, LedgerError>;

    /// Moves a claimed entry to `seq` and extends the lease; false if the lease was lost, the place is another one than
    /// the claim's, or the log went back. Does not wait for the disk: a place that is lost leads to a second delivery.
    async fn move_webhook(
        &self,
        claim: &WebhookClaim,
        seq: i64,
        failing: Option<&Failing>,
        lease_until: Timestamp,
    ) -> Result<bool, LedgerError>;

    /// Ends the lease of a claim.
    async fn release_webhook(&self, claim: &WebhookClaim) -> Result<(), LedgerError>;

    /// Moves an entry back, so that it delivers the event `from` next, and ends the lease on it. With a salt the replayed
    /// events get new ids.
    async fn replay_webhook(
        &self,
        name: &str,
        from: i64,
        salt: Option<Uuid>,
    ) -> Result<Replayed, LedgerError>;

    /// Moves an entry past its next event, with `event`, and ends the lease on it.
    async fn skip_webhook(&self, name: &str, seq: i64, event: NewEvent) -> Result<Skipped, LedgerError>;

    /// Deletes the place of an entry that no process holds.
    async fn forget_webhook(&self, name: &str, now: Timestamp) -> Result<Forgotten, LedgerError>;
}
