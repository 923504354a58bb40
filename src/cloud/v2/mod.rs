//! API 2.0: `POST https://vpc.api.qcloud.com/v2/index.php`, form-encoded, signed with HMAC.

mod answer;
mod api;
mod client;
mod describe;
pub mod sign;
mod tunnel;
pub mod wire;

pub use api::Credentials;
pub use client::{Client, Settings};
