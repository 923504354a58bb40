//! The caller of a call: `/principal`.

pub mod document;
pub mod read;
pub mod view;
