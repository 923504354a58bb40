//! Requests and answers as bytes.

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::consumer::PATIENCE;

pub struct Connection(TcpStream);

/// An answer as it arrived.
pub struct Raw {
    pub status: u16,
    /// The status line and the headers, in small letters.
    pub head: String,
    pub body: Vec<u8>,
}

impl Raw {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// The `code` of a problem.
    pub fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.head);
        let problem: Value = serde_json::from_slice(&self.body).expect("JSON");
        assert_eq!(problem["status"], self.status);
        assert_eq!(problem["request_id"].as_str(), self.header("x-request-id"));
        problem["code"].as_str().expect("a code").to_owned()
    }
}

impl Connection {
    pub async fn open(base: &str) -> Self {
        Self(TcpStream::connect(base.trim_start_matches("http://")).await.expect("connected"))
    }

    /// Sends these bytes; a server that does not read them to their end may close the connection.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.0.write_all(bytes.as_ref()).await;
    }

    /// The next answer: a body with a length, or one that ends with the connection.
    pub async fn answer(&mut self) -> Raw {
        timeout(PATIENCE, self.read()).await.expect("an answer in time")
    }

    async fn read(&mut self) -> Raw {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.expect("a head"));
        }
        let head = String::from_utf8(head).expect("text").to_lowercase();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let mut answer = Raw { status, head, body: Vec::new() };
        let length = answer.header("content-length").map(|length| length.parse().expect("a length"));
        match length {
            Some(length) => {
                answer.body = vec![0; length];
                self.0.read_exact(&mut answer.body).await.expect("a body");
            }
            None => {
                assert_eq!(answer.header("transfer-encoding"), None);
                self.0.read_to_end(&mut answer.body).await.expect("an end");
            }
        }
        answer
    }

    /// Returns when the server has closed the connection.
    pub async fn closed(&mut self) {
        let mut rest = Vec::new();
        let ended = timeout(PATIENCE, self.0.read_to_end(&mut rest)).await.expect("an end in time");
        // A reset is an end, too.
        assert!(ended.is_err() || rest.is_empty(), "{}", String::from_utf8_lossy(&rest));
    }
}
