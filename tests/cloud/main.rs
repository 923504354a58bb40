//! The client of the cloud's APIs against a server with scripted answers: the requests, their number, and the meaning of
//! every answer. What both versions of the API have in common is tested for both.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that can't go on fails")]

#[path = "../support/alone.rs"]
mod alone;

mod calls;
mod codes;
mod doubt;
mod reads;
mod stub;
mod v2;
mod v3;
mod version;
