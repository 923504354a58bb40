//! The cloud's APIs, behind [`crate::service::cloud::Cloud`]. What every version of the API shares is here: one call
//! with its attempts, the call budget, the meaning of the cloud's codes, masking, reads that share a call. A version adds its
//! signer, its parameters and the members of its answers.

mod actions;
mod answer;
mod budget;
mod call;
mod client;
mod credentials;
pub mod endpoint;
mod exchange;
mod hidden;
mod mask;
mod meaning;
mod metrics;
mod pages;
mod shared;
pub mod v2;
pub mod v3;
mod waiting;

pub use credentials::Credentials;
pub use exchange::NoClient;
pub use hidden::Hidden;
