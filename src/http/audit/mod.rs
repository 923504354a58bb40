//! The audit log: `/audit-events` and the paths below.

pub mod chain;
pub mod checkpoint;
pub mod counts;
pub mod document;
pub mod export;
pub mod filter;
pub mod read;
pub mod stream;
pub mod view;
