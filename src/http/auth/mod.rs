//! Who calls, how often, and what they may do.

pub mod cache;
pub mod limits;
pub mod rights;
pub mod token;
