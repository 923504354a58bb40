//! What the service needs of the cloud. An answer has been masked by the time it comes through here.

use std::time::Duration;

use async_trait::async_trait;

use crate::domain::event::Upstream;
use crate::domain::ids::{GatewayId, TunnelPath, VpcId};
use crate::domain::ike::IkeSettings;
use crate::domain::ipsec::IpsecSettings;
use crate::domain::name::TunnelName;
use crate::domain::patch::{Ranges, Requirements};
use crate::domain::secret::PreSharedKey;
use crate::domain::tunnel::Tunnel;

/// A change as it is sent: a patch whose partial groups have been merged into whole ones.
#[derive(Debug, Clone)]
pub struct TunnelChange {
    pub path: TunnelPath,
    pub name: Option<TunnelName>,
    pub pre_shared_key: Option<PreSharedKey>,
    pub ranges: Option<Ranges>,
    pub ike: Option<IkeSettings>,
    pub ipsec: Option<IpsecSettings>,
}

/// Why the cloud said no. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// No such VPC, gateway or tunnel, or they do not belong together.
    NotFound,
    /// A parameter is wrong.
    InvalidParameter,
    /// The tunnel's state does not allow it now.
    WrongState,
    /// Quota or rate, still so after the retries that the time limit allowed.
    RateLimited,
    /// Signature, credentials or permission: the gateway's own fault.
    Credentials,
    /// Taken for a replay or expired, also when signed anew.
    Replay,
    /// Closed for maintenance.
    Unavailable,
    /// Any other refusal, in the cloud's own words.
    Other,
}

/// What became of a change. There is no error beside it: every end of the call is one of these.
#[derive(Debug, Clone)]
pub enum Sent {
    /// The cloud took it. `None`: it said so without naming a task.
    Accepted { task_id: Option<String> },
    /// The cloud refused; nothing was changed.
    Refused(Refusal),
    /// No connection came about: nothing was sent.
    Unreachable,
    /// The call budget had no place within the time limit: nothing was sent.
    NoBudget { retry_after: Duration },
    /// It was sent, and nothing tells what became of it.
    Unknown,
}

/// The end of a change with what the log keeps of it.
#[derive(Debug, Clone)]
pub struct Reply {
    pub sent: Sent,
    pub upstream: Upstream,
}

/// The call that a change would be, for people: secrets are masked, and what is drawn for each call has a placeholder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    pub method: &'static str,
    /// The host that is signed.
    pub host: String,
    pub path: String,
    /// Every parameter of the form, in the order in which it is sent.
    pub parameters: Vec<(String, String)>,
}

/// What the cloud says of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TaskStatus {
    Succeeded,
    Failed,
    Running,
    /// A status that no document names: never a success.
    Unrecognized,
}

/// An answer about a task.
#[derive(Debug, Clone)]
pub struct TaskReport {
    pub status: TaskStatus,
    /// With the cloud's words about a failed task in `message`.
    pub upstream: Upstream,
}

/// Why a read gave nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ReadFailure {
    /// The cloud has no such thing.
    #[error("the cloud has no such resource")]
    NotFound,
    /// The call budget had no place within the time limit.
    #[error("the gateway's call budget had no place in time")]
    NoBudget { retry_after: Duration },
    /// The cloud refused.
    #[error("the cloud refused the call")]
    Refused(Refusal),
    /// No connection, no answer, or one that can't be read, also after retries.
    #[error("the cloud gave no usable answer")]
    NoAnswer,
}

/// A read that gave nothing, with what the cloud said.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{failure}")]
pub struct ReadError {
    pub failure: ReadFailure,
    pub upstream: Upstream,
}

/// What a call is for; decides who goes first when the call budget is short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// A change, and the read that it needs first.
    Change,
    /// Following an operation.
    Poll,
    /// A consumer's own read.
    Read,
}

/// The cloud. Every method has ended by its own time limit, retries included, and takes its calls from one budget.
#[async_trait]
pub trait Cloud: Send + Sync + 'static {
    /// What this version of the API requires of a patch.
    fn requirements(&self) -> Requirements;

    /// Sends a change, at most once in effect: only a refusal that proves that nothing happened is tried again.
    async fn modify(&self, change: &TunnelChange) -> Reply;

    /// The call that [`Self::modify`] would make. Nothing is sent.
    fn preview(&self, change: &TunnelChange) -> Preview;

    /// Asks about a task.
    async fn task(&self, task_id: &str) -> Result<TaskReport, ReadError>;

    /// Reads the one tunnel at the path; one that stands elsewhere is `NotFound`.
    async fn tunnel(&self, path: &TunnelPath, priority: Priority) -> Result<Tunnel, ReadError>;

    /// Reads all tunnels of a gateway, each once, oldest first.
    async fn tunnels(&self, vpc: &VpcId, gateway: &GatewayId) -> Result<Vec<Tunnel>, ReadError>;
}
