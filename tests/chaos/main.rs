//! The guarantees of the ledger and the tracker while the database, the network and other replicas fail; with the real
//! binary, real servers and real signals.

#![allow(clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "a test that can't go on fails")]

#[path = "../support/mod.rs"]
#[macro_use]
mod support;

#[path = "../binary/process.rs"]
mod process;

#[path = "../support/receiver.rs"]
mod receiver;

mod cluster;
mod commits;
mod failover;
mod hosts;
mod leases;
mod listening;
mod load;
mod outages;
mod pgbouncer;
mod pools;
mod proxy;
mod refusals;
mod replicas;
mod rolling;
mod sqlite;
mod upgrade;
mod webhooks;
