//! The cloud's APIs, behind [`crate::service::cloud::Cloud`]. What every version of the API shares is here: one call
//! with its attempts, the call budget, the meaning of the cloud's codes, masking, reads that share a call. A version adds its
//! signer, its parameters and the members of its answers.

mod accounts;
mod actions;
mod answer;
mod budget;
mod call;
mod client;
mod connect;
mod credentials;
pub mod endpoint;
mod exchange;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
mod health;
mod hidden;
mod line;
mod mask;
mod meaning;
mod metrics;
mod pages;
mod rules;
mod settings;
mod shared;
pub mod v2;
pub mod v3;
mod value;
mod waiting;

pub use accounts::Accounts;
pub use connect::connect;
pub use credentials::Credentials;
pub use exchange::NoClient;
pub use hidden::Hidden;
pub use line::Line;
pub use metrics::CloudMetrics;
pub use settings::{Endpoints, Settings};
