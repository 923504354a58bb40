//! tunnelgate: a REST gateway that lets a company's own teams change Tencent Cloud VPN tunnels safely.
//!
//! Dependencies point one way: `domain` uses no other module, `service` uses `domain`, `http` and `background` use
//! `service`. `cloud`, `ledger` and `oidc` implement traits of `service` and do not use each other. Only `app` names concrete
//! types. `docs/architecture.md` describes each module and the path of a change.

/// Builds the service from its parts.
pub mod app;
/// Old events and operations, moved to files.
pub mod archive;
/// Background loops: tracker, watchers, deletion of expired idempotency keys.
pub mod background;
/// Errors with their causes.
mod causes;
/// Randomness, as an argument.
pub mod chance;
/// The command line.
pub mod cli;
/// The current time, as an argument.
pub mod clock;
/// Client of the cloud's API: signer, wire format, call budget.
pub mod cloud;
/// Settings: flags, environment variables, files.
pub mod config;
/// The fuzzer's inputs, as tests.
#[cfg(test)]
mod corpus;
/// What a tunnel change is; no I/O.
pub mod domain;
/// Named places where a test can abort the process.
mod failpoint;
/// Asks a running gateway whether it is alive or ready.
mod health;
/// The REST API, the OpenAPI document and the console.
pub mod http;
/// The store of operations and events, on PostgreSQL and on SQLite.
pub mod ledger;
/// The registry behind `/metrics`.
pub mod metrics;
/// Sign-in with OIDC: issuers, their keys, tokens to principals.
pub mod oidc;
/// Accounts and issuers, reloaded when their files change.
pub mod reload;
/// Changes many tunnels through a running gateway.
pub mod rollout;
/// The gateway and a simulated cloud in one process.
pub mod sandbox;
/// The use cases: change, track, read back. Defines the traits `Cloud`, `Ledger` and `Identity`.
pub mod service;
/// Shutdown in two stages.
pub mod shutdown;
/// A simulated cloud, as strict as the real one.
pub mod simulator;
/// Logs, and the export of traces.
pub mod telemetry;
/// TLS certificates, reloaded when their files change.
pub mod tls;
/// Spans of OpenTelemetry.
pub mod trace;
/// Messages to receivers of events, signed by Standard Webhooks.
pub mod webhooks;
