//! A receiver of webhooks that remembers each request and answers as a test says.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::support::consumer::PATIENCE;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Method and path.
    pub target: String,
    /// In lower case.
    pub headers: HashMap<String, String>,
    pub body: Vec<u8>,
    pub status: u16,
}

impl Delivery {
    pub fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// The `seq` of the event.
    pub fn seq(&self) -> i64 {
        self.json()["data"]["event"]["seq"].as_i64().unwrap_or_else(|| panic!("no seq: {}", self.json()))
    }

    pub fn kind(&self) -> String {
        self.json()["type"].as_str().expect("a type").to_owned()
    }

    /// Whether one of the signatures is made with this secret.
    pub fn is_signed_with(&self, secret: &str) -> bool {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").expect("a prefix")).expect("Base64");
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("any length");
        mac.update(format!("{}.{}.", self.id(), self.headers["webhook-timestamp"]).as_bytes());
        mac.update(&self.body);
        let wanted = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        self.headers["webhook-signature"].split(' ').any(|signature| signature == wanted)
    }
}

/// How a request is answered.
#[derive(Debug, Clone)]
pub enum Response {
    Status(u16),
    Redirect(String),
    /// Never.
    Silence,
    /// The body does not end.
    EndlessBody,
    /// A success whose body does not come.
    NoBody,
    /// Taken after this time.
    Late(Duration),
    /// A status and the value of `Retry-After`.
    RetryAfter(u16, String),
}

type Answer = Arc<dyn Fn(&Delivery) -> Response + Send + Sync>;

struct State {
    deliveries: Mutex<Vec<Delivery>>,
    answer: Mutex<Answer>,
    connections: AtomicUsize,
    /// Bytes of endless bodies that could be sent.
    endless: AtomicUsize,
}

pub struct Receiver {
    pub url: String,
    state: Arc<State>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Receiver {
    /// Takes everything.
    pub async fn start() -> Self {
        Self::at("127.0.0.1:0").await
    }

    pub async fn at(address: &str) -> Self {
        let listener = TcpListener::bind(address).await.expect("a port");
        let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
        let state = Arc::new(State {
            deliveries: Mutex::default(),
            answer: Mutex::new(Arc::new(|_: &Delivery| Response::Status(204))),
            connections: AtomicUsize::new(0),
            endless: AtomicUsize::new(0),
        });
        let serving = state.clone();
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((socket, _)) = listener.accept().await {
                serving.connections.fetch_add(1, Ordering::Relaxed);
                connections.spawn(serve(socket, serving.clone()));
            }
        });
        Self { url, state, task }
    }

    /// Host and port.
    pub fn address(&self) -> String {
        self.url.trim_start_matches("http://").trim_end_matches("/hook").to_owned()
    }

    /// Closes the port.
    pub async fn stop(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }

    pub fn answers(&self, answer: impl Fn(&Delivery) -> Response + Send + Sync + 'static) {
        *self.state.answer.lock().expect("no panic") = Arc::new(answer);
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::Relaxed)
    }

    /// Bytes of endless bodies that left for the sender.
    pub fn endless(&self) -> usize {
        self.state.endless.load(Ordering::Relaxed)
    }

    /// Every request so far.
    pub fn all(&self) -> Vec<Delivery> {
        self.state.deliveries.lock().expect("no panic").clone()
    }

    /// The requests that were taken.
    pub fn taken(&self) -> Vec<Delivery> {
        self.all().into_iter().filter(|delivery| (200..300).contains(&delivery.status)).collect()
    }

    /// Waits until the requests are as a test wants them.
    pub async fn until(&self, what: &str, is_enough: impl Fn(&[Delivery]) -> bool) -> Vec<Delivery> {
        let until = Instant::now() + PATIENCE;
        loop {
            let all = self.all();
            if is_enough(&all) {
                return all;
            }
            let shown: Vec<_> = all.iter().map(|delivery| (delivery.kind(), delivery.status)).collect();
            assert!(Instant::now() < until, "not {what}: {shown:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits for a taken message of this type.
    pub async fn took(&self, kind: &str) -> Delivery {
        let is_it = |delivery: &Delivery| delivery.kind() == kind && delivery.status < 300;
        let all = self.until(kind, |all| all.iter().any(is_it)).await;
        all.into_iter().find(is_it).expect("it is there")
    }
}

async fn serve(socket: TcpStream, state: Arc<State>) {
    let mut socket = BufReader::new(socket);
    while let Some(mut delivery) = read(&mut socket).await {
        let answer = state.answer.lock().expect("no panic").clone();
        let response = answer(&delivery);
        delivery.status = match &response {
            Response::Status(status) | Response::RetryAfter(status, _) => *status,
            Response::Redirect(_) => 307,
            Response::Silence => 0,
            Response::EndlessBody | Response::NoBody => 200,
            Response::Late(_) => 204,
        };
        state.deliveries.lock().expect("no panic").push(delivery.clone());
        let head = match response {
            Response::Silence => std::future::pending().await,
            Response::Redirect(to) => {
                format!("HTTP/1.1 307 x\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n")
            }
            Response::Status(status) => format!("HTTP/1.1 {status} x\r\ncontent-length: 2\r\n\r\nok"),
            Response::EndlessBody => "HTTP/1.1 200 x\r\ntransfer-encoding: chunked\r\n\r\n".to_owned(),
            Response::NoBody => "HTTP/1.1 200 x\r\ncontent-length: 2\r\n\r\n".to_owned(),
            Response::RetryAfter(status, after) => {
                format!("HTTP/1.1 {status} x\r\nretry-after: {after}\r\ncontent-length: 0\r\n\r\n")
            }
            Response::Late(by) => {
                tokio::time::sleep(by).await;
                String::new()
            }
        };
        let head = if delivery.status == 204 { "HTTP/1.1 204 x\r\n\r\n".to_owned() } else { head };
        let is_endless = head.contains("chunked");
        if socket.write_all(head.as_bytes()).await.is_err() {
            return;
        }
        if is_endless {
            loop {
                if socket.write_all(format!("400\r\n{}\r\n", "x".repeat(1024)).as_bytes()).await.is_err() {
                    return;
                }
                state.endless.fetch_add(1024, Ordering::Relaxed);
            }
        }
    }
}

async fn read(socket: &mut BufReader<TcpStream>) -> Option<Delivery> {
    let mut line = String::new();
    socket.read_line(&mut line).await.ok().filter(|length| *length > 0)?;
    let target = line.rsplit_once(' ')?.0.to_owned();
    let mut headers = HashMap::new();
    loop {
        line.clear();
        socket.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length")?.parse().ok()?;
    let mut body = vec![0; length];
    socket.read_exact(&mut body).await.ok()?;
    Some(Delivery { target, headers, body, status: 0 })
}
