//! The list of all tunnels: of every account whose VPCs a caller may read.

pub mod filter;
pub mod list;
pub mod place;
mod plan;
