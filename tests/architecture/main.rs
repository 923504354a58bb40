//! Dependencies point one way, without cycles between files, and each library has its place.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that can't go on fails")]

mod imports;
mod places;
mod sources;
