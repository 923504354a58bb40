//! What a rollout must remember to go on after it was interrupted at any point: which tunnels are changed, which change is
//! being sent under which idempotency key, and the generated keys that are not in use at both ends yet.

mod file;
mod key;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::chance::Chance;
use crate::domain::fingerprint::hex;
use crate::domain::ids::TunnelPath;
use crate::domain::secret::PreSharedKey;
use crate::domain::timestamp::Timestamp;

use super::caller::Caller;
use super::plan;

pub use file::{StateError, Store};

/// The version of the format.
pub const VERSION: u32 = 2;

/// The state of a rollout, or of the rollback of one.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    pub version: u32,
    /// The gateway. Operations and idempotency keys are known there only.
    pub url: String,
    pub created_at: Timestamp,
    /// Who sends the requests: idempotency keys belong to the caller.
    pub caller: Caller,
    /// The reason that is sent with every change.
    pub reason: Option<String>,
    /// The plan that the state belongs to; `None` for a rollback.
    pub plan: Option<PlanMark>,
    /// In the order of the plan.
    pub tunnels: Vec<Entry>,
}

/// Tells whether a plan is still the same, without telling its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanMark {
    salt: String,
    sha256: String,
}

impl PlanMark {
    #[must_use]
    pub fn new(plan: &[u8], chance: &dyn Chance) -> Self {
        let mut salt = [0; 32];
        chance.fill(&mut salt);
        Self::salted(hex(&salt), plan)
    }

    /// True if the plan is the one of the mark.
    #[must_use]
    pub fn is_of(&self, plan: &[u8]) -> bool {
        *self == Self::salted(self.salt.clone(), plan)
    }

    fn salted(salt: String, plan: &[u8]) -> Self {
        let digest = Sha256::new().chain_update(salt.as_bytes()).chain_update(plan).finalize();
        Self { salt, sha256: hex(&digest) }
    }
}

/// One tunnel.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub vpc_id: String,
    pub gateway_id: String,
    pub tunnel_id: String,
    /// The generated pre-shared key, until the tunnel is done.
    #[serde(default, with = "key", skip_serializing_if = "Option::is_none")]
    pub key: Option<PreSharedKey>,
    /// Whether the change sets the pre-shared key. The gateway does not store keys, so such a change can't be rolled back.
    pub changes_key: bool,
    /// The ranges that the change gives the tunnel on the peer's side.
    pub peer_ranges: Vec<String>,
    /// Whether `--before` was begun, so that the peer may have what the tunnel does not have yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_peer_told: bool,
    /// The operation that a rollback puts back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_of: Option<Uuid>,
    pub step: Step,
}

impl Entry {
    #[must_use]
    pub fn new(path: &TunnelPath, changes_key: bool, rollback_of: Option<Uuid>) -> Self {
        Self {
            vpc_id: path.vpc_id.as_str().to_owned(),
            gateway_id: path.gateway_id.as_str().to_owned(),
            tunnel_id: path.tunnel_id.as_str().to_owned(),
            key: None,
            changes_key,
            peer_ranges: Vec::new(),
            is_peer_told: false,
            rollback_of,
            step: Step::Waiting,
        }
    }

    /// The path, if the ids are valid.
    #[must_use]
    pub fn path(&self) -> Option<TunnelPath> {
        plan::path(&self.vpc_id, &self.gateway_id, &self.tunnel_id)
    }

    /// The path as text, as a plan has it.
    #[must_use]
    pub fn shown(&self) -> String {
        format!("{}/{}/{}", self.vpc_id, self.gateway_id, self.tunnel_id)
    }

    /// True if the tunnel may not carry traffic now, so that its pairs must: its change was sent and is not known to be good
    /// at both ends, or its peer may have been set already.
    #[must_use]
    pub const fn is_in_doubt(&self) -> bool {
        match self.step {
            Step::Waiting | Step::Before | Step::Refused { .. } | Step::NotSent { .. } => self.is_peer_told,
            Step::Done { .. } => false,
            Step::BeforeFailed { .. }
            | Step::Sending { .. }
            | Step::Running { .. }
            | Step::After { .. }
            | Step::Ended { .. }
            | Step::Lost { .. } => true,
        }
    }
}

/// How far a tunnel is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    /// Nothing was begun.
    Waiting,
    /// `--before` was begun, and nothing was sent.
    Before,
    /// `--before` failed. Nothing was sent.
    BeforeFailed { detail: String },
    /// The change was refused, and nothing was done.
    Refused { detail: String },
    /// The change could not be sent, and nothing was done.
    NotSent { detail: String },
    /// The change is being sent: the gateway may or may not have it.
    Sending { request: Request },
    /// The gateway carries the change out.
    Running { operation_id: Uuid },
    /// The operation succeeded; `--after` was begun, or failed.
    After { operation_id: Uuid, failed: Option<String> },
    /// As asked. Without an operation if there was nothing to change.
    Done { operation_id: Option<Uuid> },
    /// The operation ended, and the tunnel is not as asked, or not known to be.
    Ended { operation_id: Uuid, status: String, detail: String },
    /// Nobody can tell whether the change was accepted.
    Lost { detail: String },
}

/// A request that may be on its way. Repeated under its key, it is carried out at most once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    pub idempotency_key: Uuid,
    pub at: Timestamp,
    /// The ranges that the tunnel has, repeated because the account's API wants ranges in every change.
    pub peer_cidrs: Option<Vec<String>>,
    /// With repeated ranges: the tag of the tunnel that has them.
    pub if_match: Option<String>,
}

impl Step {
    /// True if the change may be in the gateway's hands, and is not at its end.
    #[must_use]
    pub const fn is_under_way(&self) -> bool {
        matches!(self, Self::Sending { .. } | Self::Running { .. } | Self::After { .. })
    }

    /// True if the change may still be begun.
    #[must_use]
    pub const fn is_to_do(&self) -> bool {
        matches!(
            self,
            Self::Waiting
                | Self::Before
                | Self::BeforeFailed { .. }
                | Self::Refused { .. }
                | Self::NotSent { .. }
        )
    }
}
