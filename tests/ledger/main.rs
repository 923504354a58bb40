//! The conformance suite of the ledger: every test runs on SQLite and on PostgreSQL.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that can't go on fails")]

#[path = "../support/mod.rs"]
#[macro_use]
mod support;

mod archive;
mod calls;
mod chain;
mod drift;
mod durability;
mod group_commit;
mod growth;
mod harness;
mod idempotency;
mod keys;
mod leases;
mod lists;
mod losses;
mod ready;
mod replicas;
mod steps;
mod verify;
mod webhooks;
