//! The whole service over HTTP, with a real ledger and the simulated cloud: every test runs on SQLite and on PostgreSQL, and
//! with both versions of the cloud's API if they can make a difference. The folders follow the URLs.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that can't go on fails")]

#[path = "../support/mod.rs"]
#[macro_use]
mod support;

#[path = "../support/issuer.rs"]
mod issuer;

#[path = "../support/receiver.rs"]
mod receiver;

#[macro_use]
mod each_api;

mod accounts;
mod audit;
mod auth;
mod bad_accounts;
mod document;
mod drift;
mod edge;
mod harness;
mod lists;
mod operations;
mod principal;
mod replicas;
mod service;
mod sign_in;
mod tunnels;
mod webhooks;
