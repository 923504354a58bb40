//! The client of the cloud's API 2.0 against a server that plays by a script: what is sent, how often, and what
//! every answer means.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that can't go on fails")]

mod calls;
mod doubt;
mod forms;
mod reads;
mod stub;
