//! What the service needs from the ledger, the store of operations and audit events.

mod error;
mod keys;
mod leases;
mod lists;
mod steps;

pub use error::LedgerError;
pub use keys::{ApiKey, Keys};
pub use leases::{Backlog, Claim, Leases};
pub use lists::{Checkpoint, EventCount, EventFilter, Lists, OperationFilter, Order};
pub use steps::{
    Advance, FirstRequest, IDEMPOTENCY_WINDOW, Idempotency, Opening, RequestIdentity, SecretIdentity, Step,
    Steps, Written, event_of,
};

/// The store of operations and audit events. Every method has a time limit.
pub trait Ledger: Steps + Leases + Lists + Keys {}

impl<T: Steps + Leases + Lists + Keys> Ledger for T {}
