//! The pages in a real Chromium.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that can't go on fails")]

#[path = "../binary/process.rs"]
mod process;
#[path = "../support/mod.rs"]
mod support;

mod console;
mod desk;
mod driver;
mod estate;
mod following;
mod limit;
mod proxy;
mod relay;
mod rollback;
mod sign_in;
mod swagger_ui;
mod tunnels;
mod unanswered;
