//! Input as an attack on the binary: its memory stays within bounds, and other callers are served meanwhile. `scripts/flood` does
//! the same with 10,000 connections.

mod http_1;
mod http_2;

use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::installation::Installation;
use crate::process::Process;
use crate::support::Store;
use crate::support::consumer::{Consumer, PATIENCE};

/// A gateway under attack.
pub struct Target {
    installation: Installation,
    gateway: Process,
    address: String,
    consumer: Consumer,
}

impl Target {
    async fn new() -> Self {
        let installation = Installation::new(Store::sqlite()).await;
        let token = installation.token();
        let mut gateway =
            installation.serve_with("gateway", &["serve", "--log", "warn,tunnelgate::app=info"]);
        let address = gateway.address();
        let consumer = Consumer::new(address.clone(), token);
        let target = Self { installation, gateway, address, consumer };
        target.others_are_served().await;
        target
    }

    /// Another gateway on the same ledger, with place for this many connections.
    async fn narrow(self, connections: usize) -> Self {
        let limit = connections.to_string();
        let flags =
            ["serve", "--log", "warn,tunnelgate::app=info", "--max-connections", &limit, "--workers", "1"];
        let mut gateway = self.installation.serve_with("narrow", &flags);
        let address = gateway.address();
        let consumer = Consumer::new(address.clone(), self.consumer.token.clone());
        Self { gateway, address, consumer, ..self }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address.trim_start_matches("http://")).await.expect("connected")
    }

    /// Connections that have each sent these bytes.
    async fn connections(&self, count: usize, bytes: &[u8]) -> Vec<TcpStream> {
        let mut connections = Vec::new();
        for _ in 0..count {
            let mut connection = self.connect().await;
            connection.write_all(bytes).await.expect("sent");
            connections.push(connection);
        }
        connections
    }

    /// Another caller reads operations, each time on a connection of its own.
    async fn others_are_served(&self) {
        for _ in 0..5 {
            let other = Consumer::new(self.address.clone(), self.consumer.token.clone());
            let answer = timeout(PATIENCE, other.get("/operations", &[])).await.expect("an answer in time");
            assert_eq!(answer.status, 200, "{}", answer.body);
        }
    }

    /// Asserts that an attack adds at most `mebibytes` to the memory that the process had after the same attack before.
    async fn stays_flat(&self, mebibytes: u64, attack: impl AsyncFn(&Self)) {
        let files = self.gateway.open_files();
        attack(self).await;
        all_closed(&self.gateway, files).await;
        self.others_are_served().await;
        let before = self.gateway.memory();
        for _ in 0..3 {
            attack(self).await;
            all_closed(&self.gateway, files).await;
        }
        self.others_are_served().await;
        let after = self.gateway.memory();
        assert!(after < before + (mebibytes << 20), "{} MiB before, {} MiB after", before >> 20, after >> 20);
    }
}

/// Reads to the end of the connection, or of the time.
async fn rest(connection: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = timeout(PATIENCE, connection.read_to_end(&mut bytes)).await.expect("an end in time");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The head of the next answer; empty if the connection is reset.
async fn head(connection: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        match timeout(PATIENCE, connection.read_u8()).await.expect("an answer in time") {
            Ok(byte) => bytes.push(byte),
            Err(_) => return String::new(),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Waits until the connections of an attack are closed, so that the next attack does not hold memory beside them. `files` were
/// open before; the ledger may open some of its own.
async fn all_closed(gateway: &Process, files: usize) {
    eventually("connections stay open", || gateway.open_files() < files + 16).await;
}

/// Polls until it is so.
async fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "{what}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}
