//! Drift of all tunnels: `/drift`.

pub mod document;
mod key;
pub mod read;
pub mod view;
