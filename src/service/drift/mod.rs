//! Drift: what happens to tunnels behind the gateway's back. The gateway reports it, and never undoes it.

mod compare;
mod find;
pub mod list;
mod plan;
mod run;
pub mod sweep;
