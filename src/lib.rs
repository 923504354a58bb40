//! tunnelgate: a REST gateway that lets a company's own teams change Tencent Cloud VPN tunnels safely.
//!
//! The map, in the order in which a request passes through it. Dependencies point one way: `domain` knows nothing of
//! ours, `service` knows `domain`, `http` and `tracker` know `service`, `cloud` and `ledger` implement the traits of
//! `service` and never see each other, and only `app` names concrete types.

/// Puts the parts together; knows every concrete type.
pub mod app;
/// Errors with their causes.
mod causes;
/// Randomness, as an argument.
pub mod chance;
/// The command line.
pub mod cli;
/// The moment of now, as an argument.
pub mod clock;
/// The cloud's APIs: the signer, the wire forms, the client, the call budget.
pub mod cloud;
/// The settings: read once, checked once.
pub mod config;
/// What a tunnel change is; no I/O.
pub mod domain;
/// Named places where a test can end the process.
mod failpoint;
/// The API that consumers speak.
pub mod http;
/// The store of operations and events, on PostgreSQL and on SQLite.
pub mod ledger;
/// The figures behind `/metrics`.
pub mod metrics;
/// Everything in one process.
pub mod sandbox;
/// What the product does; the traits `Cloud` and `Ledger`.
pub mod service;
/// Ending in two stages.
pub mod shutdown;
/// A simulated cloud, as strict as the real one.
pub mod simulator;
/// Logs.
pub mod telemetry;
/// TLS: certificates that are read again when they change.
pub mod tls;
/// The loop that follows operations to their end.
pub mod tracker;
