//! Strict readers of headers, query parameters and bodies.

pub mod accept;
pub mod body;
pub mod conditional;
pub mod headers;
pub mod query;
