//! Drift: the watched fields, the open differences, and the sweep that compares them with the tunnels.

use async_trait::async_trait;

use crate::domain::drift::{FieldDrift, WatchedFields};
use crate::domain::event::{NewEvent, Route};
use crate::domain::ids::TunnelPath;
use crate::domain::operation::Operation;
use crate::domain::principal::VpcScope;
use crate::domain::timestamp::Timestamp;

use super::error::LedgerError;

/// A tunnel that a succeeded change has set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchedTunnel {
    /// What a change of the tunnel locks.
    pub lock_id: String,
    /// The path of the tunnel's last change.
    pub tunnel: TunnelPath,
    pub fields: WatchedFields,
}

/// The watched tunnels of a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchedGateway {
    pub vpc_id: String,
    pub gateway_id: String,
    pub tunnels: u64,
}

/// The end of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedOperation {
    pub lock_id: String,
    pub operation: Operation,
}

/// A difference that was reported, and is not known to be gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenDrift {
    pub lock_id: String,
    pub tunnel: TunnelPath,
    pub route: Route,
    /// The event that reported it.
    pub seq: i64,
    pub drift: FieldDrift,
}

/// How far the sweep is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// The watched fields contain the changes that ended up to this event.
    pub followed_seq: i64,
    /// When the current sweep began, or the last one.
    pub began_at: Option<Timestamp>,
    /// What the current sweep reads next; `None` between two sweeps.
    pub place: Option<String>,
    /// When the last sweep ended that read every tunnel.
    pub swept_at: Option<Timestamp>,
}

/// Since when every tunnel was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SweptSince {
    /// No sweep has read every tunnel since drift was first turned on.
    Never(Timestamp),
    /// The end of the last sweep that did.
    Swept(Timestamp),
}

impl SweptSince {
    #[must_use]
    pub const fn at(self) -> Timestamp {
        match self {
            Self::Never(at) | Self::Swept(at) => at,
        }
    }
}

/// The lease on the sweep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sweep {
    /// The fencing token. It stays the same for as long as one process holds the lease without a break.
    pub fence: i64,
    pub progress: Progress,
}

/// An event about drift, with the rows of its fields.
#[derive(Debug, Clone)]
pub struct FindingEvent {
    /// `drift_detected`, whose fields become open differences; `drift_resolved`, whose fields are open differences no more.
    pub event: NewEvent,
    pub fields: Vec<FieldDrift>,
}

/// The news about one tunnel.
#[derive(Debug, Clone)]
pub struct Finding {
    pub lock_id: String,
    /// `seq` of the newest event when the tunnel was read. Guard: no operation on the tunnel is unfinished, or has a newer
    /// event.
    pub read_seq: i64,
    pub events: Vec<FindingEvent>,
}

/// The outcome of recording findings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// For each finding whether its guard held. The others were not written.
    Written(Vec<bool>),
    /// Another process holds the sweep. Nothing was written.
    LeaseLost,
}

/// Reads what is watched, and what differs.
#[async_trait]
pub trait Drifts: Send + Sync + 'static {
    /// The operations that ended after the event `after` and up to `through`, in the order of their ends.
    async fn ended_operations(&self, after: i64, through: i64) -> Result<Vec<EndedOperation>, LedgerError>;

    /// The watched tunnels with these locks. Unknown locks are left out.
    async fn watched(&self, lock_ids: &[String]) -> Result<Vec<WatchedTunnel>, LedgerError>;

    /// All gateways with watched tunnels.
    async fn watched_gateways(&self) -> Result<Vec<WatchedGateway>, LedgerError>;

    /// The open differences of the tunnels with these locks, by pointer.
    async fn open_drift(&self, lock_ids: &[String]) -> Result<Vec<OpenDrift>, LedgerError>;

    /// Open differences older than `after` (an event's `seq` and a pointer), newest first.
    async fn drifts(
        &self,
        vpcs: &VpcScope,
        filter: &DriftFilter,
        after: Option<(i64, String)>,
        limit: u32,
    ) -> Result<Vec<OpenDrift>, LedgerError>;

    /// When the last sweep ended that read every tunnel; before the first, when drift was first turned on. `None` before
    /// that.
    async fn swept_since(&self) -> Result<Option<SweptSince>, LedgerError>;

    /// The number of tunnels with open differences, by account.
    async fn drift_counts(&self) -> Result<Vec<(String, u64)>, LedgerError>;
}

/// A filter on open differences. `None` matches all.
#[derive(Debug, Clone, Default)]
pub struct DriftFilter {
    pub vpc_id: Option<String>,
    pub tunnel_id: Option<String>,
    pub account: Option<String>,
}

/// Shares the sweep between replicas. A write with an older fencing token changes nothing.
#[async_trait]
pub trait Sweeps: Send + Sync + 'static {
    /// Takes or extends the lease on the sweep; `None` if another process holds it. `now` and `lease_until` go by the
    /// ledger's clock.
    async fn hold_sweep(
        &self,
        holder: &str,
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Result<Option<Sweep>, LedgerError>;

    /// Ends the lease.
    async fn release_sweep(&self, fence: i64) -> Result<(), LedgerError>;

    /// Stores watched tunnels together with the event up to which the log was followed; false if the lease was lost.
    async fn save_watched(
        &self,
        fence: i64,
        followed_seq: i64,
        tunnels: &[WatchedTunnel],
    ) -> Result<bool, LedgerError>;

    /// Stores how far the sweep is, `followed_seq` apart; false if the lease was lost.
    async fn save_progress(&self, fence: i64, progress: &Progress) -> Result<bool, LedgerError>;

    /// Writes events about drift, and the open differences that they make or end, in one transaction.
    async fn record_findings(&self, fence: i64, findings: &[Finding]) -> Result<Recorded, LedgerError>;
}
