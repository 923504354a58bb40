//! API 2.0: `POST https://vpc.api.qcloud.com/v2/index.php`, form-encoded, signed with HMAC.

mod answer;
pub mod client;
mod describe;
pub mod errors;
mod exchange;
mod figures;
mod mask;
pub mod sign;
mod tunnel;
pub mod wire;

pub use client::{Client, Credentials, Settings};
