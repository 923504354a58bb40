//! The cloud's APIs, behind [`crate::service::cloud::Cloud`]: the signer, the wire forms, the client, the call budget.

pub mod budget;
pub mod endpoint;
pub mod v2;
