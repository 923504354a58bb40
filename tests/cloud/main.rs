//! The client of the cloud's API 2.0 against a server with scripted answers: the requests, their number, and the meaning
//! of every answer.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that can't go on fails")]

#[path = "../support/alone.rs"]
mod alone;

mod calls;
mod doubt;
mod forms;
mod reads;
mod stub;
