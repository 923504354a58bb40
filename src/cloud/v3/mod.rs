//! API 3.0: `POST https://vpc.tencentcloudapi.com/` with JSON, signed with TC3-HMAC-SHA256.

pub mod sign;
