//! The pages, clicked in a real Chromium.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that can't go on fails")]

#[path = "../binary/process.rs"]
#[allow(dead_code, reason = "this binary uses a part of it")]
mod process;
#[path = "../support/mod.rs"]
mod support;

mod console;
mod driver;
mod swagger_ui;
