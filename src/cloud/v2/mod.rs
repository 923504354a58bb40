//! API 2.0: `POST https://vpc.api.qcloud.com/v2/index.php`, form-encoded, signed with HMAC.

mod answer;
mod api;
mod client;
mod describe;
mod shared;
pub mod sign;
mod tunnel;
mod waiting;
pub mod wire;

pub use api::Credentials;
pub use client::{Client, Settings};
