//! A request to change a tunnel and its results.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::etag::Precondition;
use crate::domain::event::Origin;
use crate::domain::fault::Fault;
use crate::domain::ids::TunnelPath;
use crate::domain::operation::{ErrorCode, Operation, OperationError, OperationId};
use crate::domain::patch::Patch;
use crate::domain::principal::Principal;
use crate::domain::verification::ChangedField;

use super::cloud::{Cloud, NoSlot};
use super::ledger::LedgerError;
use super::outcome;

/// A request to change a tunnel, already authorized.
#[derive(Debug, Clone)]
pub struct Modify {
    pub principal: Principal,
    /// What answers for the VPC, and what the patch was checked for.
    pub cloud: Arc<dyn Cloud>,
    pub path: TunnelPath,
    pub patch: Patch,
    pub origin: Origin,
    /// The `Idempotency-Key`, unquoted.
    pub idempotency_key: Option<String>,
    /// What has to hold of the tunnel before anything is sent (`If-Match`).
    pub if_match: Option<Precondition>,
    /// Why, or a ticket.
    pub reason: Option<String>,
    /// The operation that the patch rolls back.
    pub rollback: Option<Rollback>,
}

/// The operation that a request rolls back.
#[derive(Debug, Clone)]
pub struct Rollback {
    pub of: Operation,
    /// Roll it back even if the tunnel no longer has what the operation left.
    pub is_forced: bool,
}

/// A request under an `Idempotency-Key` that can't be carried out today. It may be a retry of one that was.
#[derive(Debug)]
pub struct Retry {
    pub principal_id: String,
    pub path: TunnelPath,
    /// Of a rollback only the key counts.
    pub patch: Patch,
    pub idempotency_key: String,
    pub if_match: Option<Precondition>,
    pub reason: Option<String>,
    /// The operation that the request rolls back, and whether it does so by force.
    pub rollback: Option<(OperationId, bool)>,
}

/// What a request to change a tunnel led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Modified {
    /// Sent: `running`, or `unknown` if no answer proves the outcome. `pending` if the ledger failed after the change
    /// was sent: the tracker settles it.
    Accepted(Operation),
    /// Nothing was changed: `rejected`.
    Rejected(Operation),
    /// The same request came before under this `Idempotency-Key`: its operation as it is now, in any state but
    /// `pending`.
    Repeated(Operation),
}

/// Why a request led to no operation. Nothing was sent and nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum ModifyError {
    /// The gateway requires a reason that matches its setting.
    #[error("a reason is required")]
    ReasonRequired { pattern: String },
    /// An operation on the same tunnel is not final.
    #[error("operation {0} on this tunnel is not final")]
    InProgress(OperationId),
    /// Another request came before under this `Idempotency-Key`.
    #[error("this Idempotency-Key was used for another request")]
    KeyReused,
    /// Whether the first request under this `Idempotency-Key` had the same secret can't be determined.
    #[error("this Idempotency-Key can't be compared with its first request")]
    KeyUnverifiable(OperationId),
    /// The first request under this `Idempotency-Key` is still being sent.
    #[error("the first request with this Idempotency-Key is still being sent")]
    KeyInFlight(OperationId),
    /// The patch does not fit the tunnel, or a rollback's key is not the one that the tunnel had.
    #[error("the patch does not fit the tunnel")]
    Invalid(Vec<Fault>),
    /// The operation can't be rolled back: each field that can't be put back, with the reason.
    #[error("the operation {of} can't be rolled back")]
    NotReversible { of: OperationId, reasons: Vec<Fault> },
    /// The tunnel no longer has what the operation left.
    #[error("the tunnel has changed since the operation {of}")]
    ChangedSince { of: OperationId, differences: Vec<ChangedField> },
    /// The call budget or the read of the tunnel refused the change.
    #[error("{}", error.detail)]
    Refused {
        error: OperationError,
        /// When to try again, where that is known.
        retry_after: Option<Duration>,
    },
    /// The ledger could not be read or written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl From<OperationError> for ModifyError {
    fn from(error: OperationError) -> Self {
        Self::Refused { error, retry_after: None }
    }
}

impl From<NoSlot> for ModifyError {
    fn from(no_slot: NoSlot) -> Self {
        match no_slot {
            NoSlot::Full { retry_after } => {
                Self::Refused { error: outcome::error(ErrorCode::CallBudget), retry_after: Some(retry_after) }
            }
            NoSlot::NoLedger => Self::Ledger(LedgerError::Unavailable(no_slot.into())),
        }
    }
}
