//! Authentication, rate limits and rights of callers.

pub mod cache;
pub mod limits;
pub mod rights;
pub mod token;
