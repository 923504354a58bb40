//! Log lines and traces of the binary: lines against their JSON Schema, traces at a real collector.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that can't go on fails")]

#[path = "../support/mod.rs"]
#[macro_use]
mod support;
#[path = "../binary/process.rs"]
mod process;

mod collector;
mod dead_collector;
mod gateway;
mod lines;
mod traces;
