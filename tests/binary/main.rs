//! The whole binary, as users run it.

#[path = "../support/mod.rs"]
mod support;

mod process;
mod sandbox;
mod serve;
