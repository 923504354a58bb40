//! The whole binary, as users run it.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that can't go on fails")]

#[path = "../support/mod.rs"]
#[macro_use]
mod support;

#[path = "../support/issuer.rs"]
mod issuer;

#[path = "../support/receiver.rs"]
mod receiver;

mod accounts;
mod api_3;
mod audit;
mod config;
mod connections;
mod documents;
mod flood;
mod health;
mod installation;
mod keys;
mod oidc;
mod process;
mod refused;
mod rollout;
mod sandbox;
mod serve;
mod tls;
mod webhooks;
