//! The whole binary, as users run it.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that can't go on fails")]

#[path = "../support/mod.rs"]
mod support;

mod process;
mod sandbox;
mod serve;
