//! The simulated cloud by itself: what it refuses, that both versions of the API show the same tunnels, and how tunnels
//! misbehave in API 3.0.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that can't go on fails")]

mod cloud;
mod misbehaviour;
mod refusals_v2;
mod refusals_v3;
mod same_tunnels;
mod signature;
