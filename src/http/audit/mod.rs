//! `/audit-events` and what is below it.

pub mod chain;
pub mod checkpoint;
pub mod counts;
pub mod document;
pub mod export;
pub mod filter;
pub mod read;
pub mod view;
