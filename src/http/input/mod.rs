//! What requests hold, read strictly.

pub mod accept;
pub mod body;
pub mod conditional;
pub mod headers;
pub mod query;
