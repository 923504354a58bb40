//! What the service needs from the cloud. Answers are masked before they reach the service.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value};
use tokio::time::Instant;

use crate::clock::Clock;
use crate::domain::bgp::BgpSettings;
use crate::domain::dpd::DpdSettings;
use crate::domain::event::{Route, Upstream};
use crate::domain::fingerprint::FingerprintKey;
use crate::domain::health_check::HealthCheckSettings;
use crate::domain::ids::{CustomerGatewayId, GatewayId, TunnelPath, VpcId};
use crate::domain::ike::IkeSettings;
use crate::domain::ipsec::IpsecSettings;
use crate::domain::name::TunnelName;
use crate::domain::patch::{Ranges, Requirements};
use crate::domain::secret::PreSharedKey;
use crate::domain::timestamp::Timestamp;
use crate::domain::tunnel::Tunnel;

/// The change to send: a patch whose partial groups were merged into whole ones. Settings are in our words.
#[derive(Debug, Clone)]
pub struct TunnelChange {
    pub path: TunnelPath,
    pub name: Option<TunnelName>,
    pub pre_shared_key: Option<PreSharedKey>,
    /// API 3.0: never `PeerCidrs`, which it does not have; the gateway makes policies of them.
    pub ranges: Option<Ranges>,
    pub ike: Option<IkeSettings>,
    pub ipsec: Option<IpsecSettings>,
    /// API 3.0 only, like the settings after it.
    pub dpd: Option<DpdSettings>,
    pub negotiation_type: Option<String>,
    /// The settings of `HealthCheckConfig` are all there or all absent, unless the operator turned merging off.
    pub health_check: Option<HealthCheckSettings>,
    pub customer_gateway_id: Option<CustomerGatewayId>,
    /// With all three settings.
    pub bgp: Option<BgpSettings>,
}

/// Why the cloud refused a call. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// No such VPC, gateway or tunnel, or they do not belong together.
    NotFound,
    /// A parameter is invalid.
    InvalidParameter,
    /// The tunnel's state does not allow it now.
    WrongState,
    /// Quota or rate limit, also after the retries within the time limit.
    RateLimited,
    /// Signature, credentials or permissions of the gateway.
    Credentials,
    /// The signature was refused as expired, twice: the gateway's clock may be wrong.
    Expired,
    /// The cloud has closed the call for maintenance.
    Unavailable,
    /// Any other refusal, in the cloud's own words.
    Other,
}

/// Why a call has no slot: nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoSlot {
    /// The call budget has none within the time limit.
    #[error("the gateway's call budget is used up")]
    Full {
        /// Expected time until a slot is free.
        retry_after: Duration,
    },
    /// The ledger, in which the replicas share the budget, did not answer.
    #[error("no calls can be reserved in the ledger")]
    NoLedger,
}

/// The right to start one call at about the present time.
pub trait Slot: Send + Sync {
    /// The call starts now. False if the slot's time is over, for example after a slow commit: then the call needs
    /// another slot.
    #[must_use]
    fn start(self: Box<Self>) -> bool;
}

/// Until when a change may be sent. Both clocks must agree: the monotonic clock stops while a machine is
/// suspended, and the wall clock can be set.
#[derive(Debug, Clone, Copy)]
pub struct SendLease {
    pub monotonic: Instant,
    pub wall: Timestamp,
}

impl SendLease {
    /// True if neither clock has passed the end.
    #[must_use]
    pub fn holds(&self, clock: &dyn Clock) -> bool {
        Instant::now() < self.monotonic && clock.wall() < self.wall
    }
}

/// What a change needs before it is sent.
pub struct Permit {
    pub slot: Box<dyn Slot>,
    /// The signature carries this time, so the cloud refuses a change that is sent much later.
    pub opened_at: Timestamp,
    pub lease: SendLease,
}

/// The outcome of a change. Every end of the call is one of these; there is no other error.
#[derive(Debug, Clone)]
pub enum Sent {
    /// The cloud accepted the change. `None`: it named no task.
    Accepted { task_id: Option<String> },
    /// The cloud refused; nothing was changed.
    Refused(Refusal),
    /// No connection came about: nothing was sent.
    Unreachable,
    /// The lease was over before the change was sent: nothing was sent.
    TooLate,
    /// The change was sent, and no answer proves its outcome.
    Unknown,
}

/// The outcome of a change, with the part of the answer that the audit log keeps.
#[derive(Debug, Clone)]
pub struct Reply {
    pub sent: Sent,
    pub upstream: Upstream,
}

/// The call that a change would make, for people. Secrets are masked; values that differ from call to call have a
/// placeholder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    pub method: &'static str,
    /// The host that is signed.
    pub host: String,
    pub path: String,
    /// The headers that the API reads, the one with the signature included.
    pub headers: Vec<(String, String)>,
    /// Every parameter by the cloud's name, in the order in which the call sends them.
    pub parameters: Vec<(String, Value)>,
}

/// The status of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TaskStatus {
    Succeeded,
    Failed,
    Running,
    /// An undocumented status: never a success.
    Unrecognized,
    /// The cloud does not know the task: the tunnel itself shows how the change ended (API 3.0).
    NotTracked,
}

/// An answer about a task.
#[derive(Debug, Clone)]
pub struct TaskReport {
    pub status: TaskStatus,
    /// With the cloud's words about a failed task in `message`.
    pub upstream: Upstream,
}

/// Why a read failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ReadFailure {
    /// The cloud has no such resource.
    #[error("the cloud has no such resource")]
    NotFound,
    /// The call budget had no free slot within the time limit.
    #[error("the gateway's call budget had no free slot in time")]
    NoBudget { retry_after: Duration },
    /// The ledger, in which the replicas share the budget, did not answer. Nothing was sent.
    #[error("no calls can be reserved in the ledger")]
    NoLedger,
    /// The cloud refused.
    #[error("the cloud refused the call")]
    Refused(Refusal),
    /// No connection, no answer, or an unreadable one, also after retries.
    #[error("the cloud gave no usable answer")]
    NoAnswer,
}

impl From<NoSlot> for ReadFailure {
    fn from(no_slot: NoSlot) -> Self {
        match no_slot {
            NoSlot::Full { retry_after } => Self::NoBudget { retry_after },
            NoSlot::NoLedger => Self::NoLedger,
        }
    }
}

/// A failed read, with the cloud's answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{failure}")]
pub struct ReadError {
    pub failure: ReadFailure,
    pub upstream: Upstream,
}

/// The purpose of a call. The call budget divides its slots between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// A change, and the read before it.
    Change,
    /// Polling an operation.
    Poll,
    /// A read by a caller.
    Read,
    /// A page of tunnels that are compared with what was set. No caller waits for it.
    Sweep,
}

/// Whose tunnels a page lists: those of the account in its region, limited by what is given here. The cloud may ignore
/// the limits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TunnelsOf<'a> {
    pub vpc: Option<&'a VpcId>,
    pub gateway: Option<&'a GatewayId>,
}

/// The turn of a read, and its time limit.
#[derive(Debug, Clone, Copy)]
pub struct Turn {
    pub priority: Priority,
    /// The read ends by then; `None` for the time limit of a read that begins now.
    pub end: Option<Instant>,
}

/// A page of a list of tunnels.
#[derive(Debug, Clone)]
pub struct TunnelPage {
    pub tunnels: Vec<Tunnel>,
    /// Entries on all pages, if the cloud says.
    pub total: Option<usize>,
    /// No page follows.
    pub is_last: bool,
}

/// An account of the cloud, by one version of its API. Every method has a time limit, which includes its retries; all
/// calls of an account share one budget.
#[async_trait]
pub trait Cloud: Send + Sync + 'static {
    /// What this version of the API requires of a patch.
    fn requirements(&self) -> Requirements;

    /// The time limit of one call with its retries. Waiting for a slot has a limit of its own, as long as this one.
    fn timeout(&self) -> Duration;

    /// Waits for the slot of a change, for one call's time limit at most. Principals take turns; a change's last call
    /// goes before the first call of another one.
    async fn reserve(&self, principal: &str, is_last: bool) -> Result<Box<dyn Slot>, NoSlot>;

    /// Sends a change, at most once in effect: only a refusal that proves that nothing was done is retried.
    async fn modify(&self, change: &TunnelChange, permit: Permit) -> Reply;

    /// The account, region and API that changes go to.
    fn route(&self) -> Route;

    /// The parameters of the call that [`Self::modify`] makes, by the cloud's names and without the common ones; a
    /// secret is replaced with its fingerprint.
    fn sent(&self, change: &TunnelChange, fingerprints: &FingerprintKey) -> Map<String, Value>;

    /// The call that [`Self::modify`] would make. Nothing is sent.
    fn preview(&self, change: &TunnelChange) -> Preview;

    /// Reads the status of a task.
    async fn task(&self, task_id: &str) -> Result<TaskReport, ReadError>;

    /// The action that reads tunnels, as the audit log names it.
    fn read_action(&self) -> &'static str;

    /// Reads the tunnel at the path; a tunnel with other parents is `NotFound`. Reads of one gateway that wait for a slot
    /// share a call. `principal` is the caller whose turn the read of a change takes.
    async fn tunnel(
        &self,
        path: &TunnelPath,
        priority: Priority,
        principal: &str,
    ) -> Result<Tunnel, ReadError>;

    /// True if calls had to wait for a slot lately.
    fn is_short_of_calls(&self) -> bool;

    /// Entries of a full page of [`Self::page`]: the most that one call shows.
    fn page_size(&self) -> usize;

    /// Reads the page of a list that begins after `offset` entries. The cloud pages by offset: a tunnel that is deleted
    /// between two pages hides another one.
    async fn page(&self, of: TunnelsOf<'_>, offset: usize, turn: Turn) -> Result<TunnelPage, ReadError>;

    /// Reads all tunnels of a gateway, each once, oldest first.
    async fn tunnels(&self, vpc: &VpcId, gateway: &GatewayId) -> Result<Vec<Tunnel>, ReadError>;
}

impl fmt::Debug for dyn Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cloud").field(&self.route()).finish()
    }
}
