//! What the service needs from the ledger, the store of operations and audit events.

mod archive;
mod calls;
mod drift;
mod error;
mod growth;
mod keys;
mod leases;
mod lists;
mod ready;
mod snapshot;
mod steps;
mod webhooks;

pub use archive::{Archive, ArchivedSegment, Range, Removal};
pub use calls::{Calls, Reserved, Slowed};
pub use drift::{
    DriftFilter, Drifts, EndedOperation, Finding, FindingEvent, OpenDrift, Progress, Recorded, Sweep, Sweeps,
    SweptSince, WatchedGateway, WatchedTunnel,
};
pub use error::{LedgerError, Rewound};
pub use growth::{Growth, LogSize};
pub use keys::{ApiKey, ApiToken, Keys, Rotation};
pub use leases::{Backlog, Claim, Leases, Places, Read, Reads};
pub use lists::{Checkpoint, EventCount, EventFilter, Lists, OperationFilter, Order};
pub use ready::{NotReady, Unready};
pub use snapshot::{EventBlock, OperationBlock, Snapshot, Snapshots, StoredDrift, StoredHead, StoredHour};
pub use steps::{
    AcceptedLoss, Advance, FirstRequest, IDEMPOTENCY_WINDOW, Idempotency, Opening, RequestIdentity,
    SecretIdentity, Step, Steps, Written, event_of,
};
pub use webhooks::{
    Failing, Forgotten, NewIds, Replayed, Skipped, WebhookClaim, WebhookPlace, WebhookPlaces,
};

/// The store of operations and audit events. Every method has a time limit.
pub trait Ledger:
    Steps + Leases + Calls + Lists + Keys + Snapshots + Growth + Archive + WebhookPlaces + Drifts + Sweeps
{
}

impl<
    T: Steps + Leases + Calls + Lists + Keys + Snapshots + Growth + Archive + WebhookPlaces + Drifts + Sweeps,
> Ledger for T
{
}
