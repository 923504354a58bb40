//! API 3.0: `POST https://vpc.tencentcloudapi.com/` with JSON, signed with TC3-HMAC-SHA256.

mod api;
mod client;
mod document;
pub mod sign;
mod tunnel;
mod wire;

#[cfg(any(test, feature = "fuzzing"))]
pub(super) use api::ApiV3 as Api;
pub(super) use client::connect;
