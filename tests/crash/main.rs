//! The guarantees about crashes and secrets: the real binary, killed with SIGKILL, on both ledgers.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "a test that can't go on fails")]

#[path = "../support/mod.rs"]
#[macro_use]
mod support;

#[path = "../support/alone.rs"]
mod alone;

#[path = "../binary/process.rs"]
mod process;

#[path = "../support/receiver.rs"]
mod receiver;

mod accounts;
mod debug;
mod deployment;
mod drift;
mod front;
mod kills;
mod load;
mod loops;
mod points;
mod repeats;
mod search;
mod secrets;
mod view;
mod webhooks;
