//! HTTP/2, in frames made by hand.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::{all_closed, eventually};
use crate::installation::Installation;
use crate::process::Process;
use crate::support::Store;
use crate::tls::{Authority, Tls};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOODBYE: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ENHANCE_YOUR_CALM: [u8; 4] = [0, 0, 0, 0xb];

struct Target {
    installation: Installation,
    authority: Authority,
    gateway: Process,
    address: String,
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = u32::try_from(payload.len()).expect("short").to_be_bytes();
    [&[a, b, c, kind, flags][..], &stream.to_be_bytes(), payload].concat()
}

/// A header that is not in HPACK's table.
fn literal(name: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| {
        let mut bytes = Vec::new();
        match text.len().checked_sub(127) {
            None => bytes.push(u8::try_from(text.len()).expect("short")),
            Some(mut rest) => {
                bytes.push(127);
                while rest >= 128 {
                    bytes.push(u8::try_from(rest % 128).expect("short") | 0x80);
                    rest /= 128;
                }
                bytes.push(u8::try_from(rest).expect("short"));
            }
        }
        bytes.extend(text.bytes());
        bytes
    };
    [vec![0], text(name), text(value)].concat()
}

/// The header block of a GET.
fn get(path: &str) -> Vec<u8> {
    [vec![0x82, 0x87], literal(":path", path), literal(":authority", "localhost")].concat()
}

/// A caller of HTTP/2.
struct Caller {
    connection: Tls,
    received: Vec<u8>,
}

impl Caller {
    fn send(&mut self, bytes: &[u8]) -> bool {
        self.connection.write_all(bytes).and_then(|()| self.connection.flush()).is_ok()
    }

    /// Reads until the bytes contain these, or the connection ends.
    fn read_until(&mut self, wanted: &[u8]) -> bool {
        let mut bytes = [0; 16_384];
        while !self.received.windows(wanted.len()).any(|window| window == wanted) {
            match self.connection.read(&mut bytes) {
                Ok(0) | Err(_) => return false,
                Ok(read) => self.received.extend_from_slice(&bytes[..read]),
            }
        }
        true
    }

    /// Reads to the end; the reasons of the frames that end the connection. Writes nothing: a write to a connection that the
    /// gateway has closed fails, and what it had sent before would be lost.
    fn ends(&mut self) -> Vec<[u8; 4]> {
        let Tls { conn, sock } = &mut self.connection;
        loop {
            let state = conn.process_new_packets().expect("TLS");
            let from = self.received.len();
            self.received.resize(from + state.plaintext_bytes_to_read(), 0);
            conn.reader().read_exact(&mut self.received[from..]).expect("read");
            match conn.read_tls(sock) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => {
                    assert!(
                        !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
                        "no end in time"
                    );
                    break;
                }
            }
        }
        let (mut reasons, mut rest) = (Vec::new(), self.received.as_slice());
        while let [a, b, c, kind, _, _, _, _, _, payload @ ..] = rest {
            let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
            if *kind == GOODBYE && payload.len() >= 8 {
                reasons.push(payload[4..8].try_into().expect("four bytes"));
            }
            rest = payload.get(length..).unwrap_or_default();
        }
        reasons
    }
}

impl Target {
    async fn new() -> Self {
        let installation = Installation::new(Store::sqlite()).await;
        let authority = Authority::new(installation.path());
        authority.issue();
        let mut flags = authority.flags();
        flags.extend(["--log", "error,tunnelgate::app=info"].map(str::to_owned));
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let mut gateway = installation.serve_with("gateway", &flags);
        let address = gateway.address();
        Self { installation, authority, gateway, address }
    }

    fn caller(&self, settings: &[u8]) -> Caller {
        let connection = self.authority.connect(&self.address, &["h2"]).into_inner();
        connection.sock.set_read_timeout(Some(Duration::from_secs(60))).expect("a limit");
        let mut caller = Caller { connection, received: Vec::new() };
        let preface =
            [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(SETTINGS, 0, 0, settings)].concat();
        assert!(caller.send(&preface));
        caller
    }

    /// An operation that never ends.
    async fn operation(&self, token: &str) -> String {
        let url = format!(
            "{}/vpcs/vpc-03vihbk9/gateways/vpngw-kfldykuz/tunnels/vpnx-task-never-ends",
            self.address
        );
        let bearer = format!("authorization: Bearer {token}");
        let (is_ok, text) = self.authority.curl(&[
            "-X",
            "PATCH",
            "-H",
            &bearer,
            "-H",
            "content-type: application/json",
            "-d",
            r#"{"peer_cidrs":["10.100.2.0/24"]}"#,
            &url.replace("127.0.0.1", "localhost"),
        ]);
        assert!(is_ok, "{text}");
        let operation: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        operation["id"].as_str().expect("an id").to_owned()
    }

    fn others_are_served(&self) {
        for _ in 0..3 {
            let mut other = self.caller(&[]);
            assert!(other.send(&frame(HEADERS, END_STREAM | END_HEADERS, 1, &get("/livez"))));
            assert!(other.read_until(b"alive"));
        }
    }

    async fn stays_flat(&self, mebibytes: u64, attack: impl Fn(&Self)) {
        let files = self.gateway.open_files();
        attack(self);
        all_closed(&self.gateway, files).await;
        self.others_are_served();
        let before = self.gateway.memory();
        for _ in 0..3 {
            attack(self);
            all_closed(&self.gateway, files).await;
        }
        self.others_are_served();
        let after = self.gateway.memory();
        assert!(after < before + (mebibytes << 20), "{} MiB before, {} MiB after", before >> 20, after >> 20);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_are_told_the_limits() {
    let target = Target::new().await;
    let mut caller = target.caller(&[]);
    // 256 streams at once, 128 KiB of headers.
    assert!(caller.read_until(&[0, 3, 0, 0, 1, 0, 0, 6, 0, 2, 0, 0]));
    assert_eq!(caller.received[3], SETTINGS);
    target.others_are_served();
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_are_reset_at_once_end_their_connection() {
    let target = Target::new().await;
    let block = get("/operations");
    let attack = |target: &Target| {
        for _ in 0..5 {
            let mut caller = target.caller(&[]);
            for batch in 0..50 {
                let streams = (0..200).map(|stream| 2 * (batch * 200 + stream) + 1);
                let bytes: Vec<u8> = streams
                    .flat_map(|stream| {
                        let reset = frame(RESET, 0, stream, &[0, 0, 0, 8]);
                        [frame(HEADERS, END_STREAM | END_HEADERS, stream, &block), reset].concat()
                    })
                    .collect();
                if !caller.send(&bytes) {
                    break;
                }
            }
            assert!(caller.ends().iter().all(|reason| *reason == ENHANCE_YOUR_CALM));
        }
    };
    target.stays_flat(8, attack).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn header_blocks_without_an_end_are_cut_off() {
    let target = Target::new().await;
    let long = literal("x-long", &"a".repeat(16_000));
    let endless = |target: &Target| {
        let mut caller = target.caller(&[]);
        let _ = caller.send(&frame(HEADERS, END_STREAM, 1, &get("/livez")));
        for _ in 0..1000 {
            if !caller.send(&frame(CONTINUATION, 0, 1, &long)) {
                break;
            }
        }
        caller
    };
    assert_eq!(endless(&target).ends(), [ENHANCE_YOUR_CALM]);
    // Many fields in few bytes: each byte names a header of 3,900 bytes that the first frame put into the table.
    let mut bomb = target.caller(&[]);
    let mut named = literal("x-bomb", &"a".repeat(3900));
    named[0] = 0x40;
    let _ = bomb.send(&frame(HEADERS, 0, 1, &[get("/livez"), named].concat()));
    let _ = bomb.send(&frame(CONTINUATION, END_HEADERS, 1, &[0xbe; 4000]));
    assert_eq!(bomb.ends(), [ENHANCE_YOUR_CALM]);

    // Callers that stop in the middle hold what they have sent, and no more than the limit.
    let before = target.gateway.memory();
    let _held: Vec<Caller> = (0..40).map(|_| endless(&target)).collect();
    target.others_are_served();
    let after = target.gateway.memory();
    assert!(after < before + (40 << 20), "{} MiB before, {} MiB after", before >> 20, after >> 20);
    target.stays_flat(8, |target| drop((0..10).map(|_| endless(target)).collect::<Vec<_>>())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_nobody_takes_are_limited() {
    let target = Target::new().await;
    // No window: an answer waits until the caller makes room for it.
    let no_window = [0, 4, 0, 0, 0, 0];
    let block = get("/openapi.json");
    let attack = |target: &Target| {
        for _ in 0..5 {
            let mut caller = target.caller(&no_window);
            for batch in 0..50 {
                let streams = (0..100).map(|stream| 2 * (batch * 100 + stream) + 1);
                let bytes: Vec<u8> = streams
                    .flat_map(|stream| frame(HEADERS, END_STREAM | END_HEADERS, stream, &block))
                    .collect();
                if !caller.send(&bytes) {
                    break;
                }
            }
            assert_eq!(caller.ends(), [ENHANCE_YOUR_CALM]);
        }
    };
    target.stays_flat(8, attack).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_ask_for_nothing_take_no_memory() {
    let target = Target::new().await;
    let settings = frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100]).repeat(1000);
    let pings = frame(PING, 0, 0, b"12345678").repeat(1000);
    let priorities = frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 16]).repeat(1000);
    let nothing = frame(DATA, 0, 1, &[]).repeat(1000);
    let attack = |target: &Target| {
        for bytes in [&settings, &pings, &priorities, &nothing] {
            let mut caller = target.caller(&[]);
            caller.connection.sock.set_write_timeout(Some(Duration::from_millis(50))).expect("a limit");
            let _ = caller.send(&frame(HEADERS, END_HEADERS, 1, &get("/livez")));
            for _ in 0..20 {
                // Nobody reads the answers to pings and settings, so the gateway stops to read.
                if !caller.send(bytes) {
                    break;
                }
            }
            target.others_are_served();
        }
    };
    target.stays_flat(8, attack).await;
}

/// RUSTSEC-2026-0258: the HTTP/2 library queues empty frames of a body that nobody reads.
#[tokio::test(flavor = "multi_thread")]
async fn empty_frames_of_a_body_that_waits_end_their_connection() {
    let target = Target::new().await;
    let token = target.installation.token();
    // The answer to this GET waits, and its body is never read.
    let patched = target.operation(&token).await;
    let mut block = get(&format!("/operations/{patched}"));
    block.extend(literal("authorization", &format!("Bearer {token}")));
    block.extend(literal("prefer", "wait=55"));
    let nothing = frame(DATA, 0, 1, &[]).repeat(1000);
    let attack = |target: &Target| {
        for _ in 0..4 {
            let mut caller = target.caller(&[]);
            assert!(caller.send(&frame(HEADERS, END_HEADERS, 1, &block)));
            for _ in 0..200 {
                if !caller.send(&nothing) {
                    break;
                }
            }
            assert_eq!(caller.ends(), [ENHANCE_YOUR_CALM]);
        }
    };
    target.stays_flat(8, attack).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn handshakes_that_never_end_hold_up_nobody() {
    let target = Target::new().await;
    let host = target.address.trim_start_matches("https://");
    let silent: Vec<TcpStream> = (0..1200).map(|_| TcpStream::connect(host).expect("connected")).collect();
    target.others_are_served();
    drop(silent);
    eventually("still many open files", || target.gateway.open_files() < 200).await;
}
