//! Consumers that request changes while the gateway is killed.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use crate::deployment::{asking_for, try_patch};

/// Reproducible random numbers (SplitMix64).
#[derive(Debug, Clone)]
pub struct Dice(pub u64);

impl Dice {
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.word() % limit
    }
}

/// Tunnels that misbehave, each differently.
const MISBEHAVING: &[&str] = &[
    "vpnx-task-fails",
    "vpnx-diverged",
    "vpnx-http-500-before",
    "vpnx-http-500-after",
    "vpnx-reset-before",
    "vpnx-reset-after",
    "vpnx-no-answer-after",
    "vpnx-rate-limited-twice",
    "vpnx-truncated-body",
    "vpnx-missing-code",
    "vpnx-failed-5100",
    "vpnx-internal-6000-after",
    "vpnx-foreign-body",
    "vpnx-replay",
];

/// A change that a consumer requested.
#[derive(Debug, Clone)]
pub struct Asked {
    pub tunnel: String,
    /// Unique in the run.
    pub range: String,
    pub key: Option<String>,
    /// The last response.
    pub status: u16,
    /// The operation that a response named for this request.
    pub operation: Option<String>,
    /// The number of lost responses.
    pub lost: u32,
}

/// The state that the consumers share.
pub struct Load {
    pub base: RwLock<String>,
    pub token: String,
    pub stop: AtomicBool,
    pub asked: Mutex<Vec<Asked>>,
    next: AtomicU32,
    /// The tunnels that each consumer cycles through.
    tunnels: u32,
}

impl Load {
    pub fn new(token: String, tunnels: u32) -> Arc<Self> {
        Arc::new(Self {
            base: RwLock::default(),
            token,
            stop: AtomicBool::new(false),
            asked: Mutex::default(),
            next: AtomicU32::new(0),
            tunnels,
        })
    }

    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Runs one consumer until the end of the run. It retries each keyed request until it receives a response.
    pub async fn consume(self: Arc<Self>, client: reqwest::Client, seed: u64) {
        let mut dice = Dice(seed);
        while !self.is_over() {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let tunnel = match dice.below(10) {
                // Several consumers share some tunnels.
                0 => format!("vpnx-load-{}", dice.below(4)),
                1 => MISBEHAVING[dice.below(MISBEHAVING.len() as u64) as usize].to_owned(),
                _ => format!("vpnx-load-{}", 10 + number % self.tunnels),
            };
            let [_, a, b, c] = number.to_be_bytes();
            let key = (dice.below(2) == 0).then(|| format!("change-{number}"));
            let mut asked = Asked {
                tunnel,
                range: format!("10.{a}.{b}.{c}/32"),
                key,
                status: 0,
                operation: None,
                lost: 0,
            };
            while !self.ask(&client, &mut asked).await {
                tokio::time::sleep(Duration::from_millis(50 + dice.below(100))).await;
            }
            self.asked.lock().expect("no panic").push(asked);
            tokio::time::sleep(Duration::from_millis(dice.below(60))).await;
        }
    }

    /// Sends the request once; true if no retry is needed.
    async fn ask(&self, client: &reqwest::Client, asked: &mut Asked) -> bool {
        let base = self.base.read().expect("no panic").clone();
        let patch = asking_for(&asked.range);
        let key = asked.key.as_deref();
        let Some(answer) = try_patch(client, &base, &self.token, &asked.tunnel, &patch, key).await else {
            asked.lost += 1;
            return asked.key.is_none();
        };
        asked.status = answer.status;
        let body = answer.json();
        if matches!(answer.status, 200 | 202) {
            asked.operation = body["id"].as_str().map(str::to_owned);
            return true;
        }
        let code = body["code"].as_str().unwrap_or_default().to_owned();
        match code.as_str() {
            // The response names the operation of another request.
            "operation_in_progress" => true,
            "idempotency_key_in_flight" => false,
            "ledger_unavailable" => asked.key.is_none(),
            _ => {
                asked.operation = body["operation_id"].as_str().map(str::to_owned);
                assert!(asked.operation.is_some(), "an unexpected refusal: {body}");
                true
            }
        }
    }
}
