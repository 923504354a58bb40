//! API 2.0: `POST https://vpc.api.qcloud.com/v2/index.php`, form-encoded, signed with HMAC.

mod api;
mod client;
pub mod sign;
mod tunnel;
pub mod wire;

#[cfg(any(test, feature = "fuzzing"))]
pub(super) use api::ApiV2 as Api;
pub(super) use client::connect;
