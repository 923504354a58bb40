//! The cloud's APIs, behind [`crate::service::cloud::Cloud`]. What every version of the API shares is here: one call
//! with its attempts, the call budget, the meaning of the cloud's codes, masking. A version adds its signer, its wire
//! form and its answers.

mod budget;
mod call;
pub mod endpoint;
mod exchange;
mod hidden;
mod mask;
mod meaning;
mod metrics;
pub mod v2;

pub use exchange::NoClient;
pub use hidden::Hidden;
