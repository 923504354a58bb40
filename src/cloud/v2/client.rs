//! The client: [`Cloud`] on API 2.0.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;
use tracing::{info, warn};

use crate::chance::Chance;
use crate::clock::Clock;
use crate::cloud::budget::Budget;
use crate::domain::event::Upstream;
use crate::domain::ids::{GatewayId, TunnelPath, VpcId};
use crate::domain::patch::Requirements;
use crate::domain::secret::PreSharedKey;
use crate::domain::tunnel::Tunnel;
use crate::metrics::Metrics;
use crate::service::cloud::{
    Cloud, Preview, Priority, ReadError, ReadFailure, Refusal, Reply, Sent, TaskReport, TaskStatus,
    TunnelChange,
};

use super::answer::{Answer, text};
use super::errors::{Class, classify};
use super::exchange::{self, Exchange, NoClient};
use super::figures::Figures;
use super::mask::cleaned;
use super::sign::{self, Hidden, Method, SignatureMethod, Target};
use super::wire::{self, ParamStyle, Params};

/// First wait between two attempts; it doubles.
const FIRST_WAIT: Duration = Duration::from_millis(200);
/// What stands for a secret in a preview.
const MASKED: &str = "***";
/// What stands for the values that are drawn for each call.
const AT_THE_CALL: &str = "(drawn for each call)";

/// Who the gateway is to the cloud.
#[derive(Clone)]
pub struct Credentials {
    pub secret_id: String,
    pub secret_key: SecretString,
    /// Only with temporary credentials.
    pub token: Option<SecretString>,
}

/// How the cloud is spoken to.
#[derive(Clone)]
pub struct Settings {
    /// Where calls are sent.
    pub url: String,
    /// The host that is signed.
    pub signed_host: String,
    /// The path that is signed.
    pub path: String,
    /// The URL's host is this machine.
    pub is_loopback: bool,
    pub credentials: Credentials,
    pub region: String,
    pub signature_method: SignatureMethod,
    pub param_style: ParamStyle,
    /// The time limit of one call, its retries and its wait for a place in the budget included.
    pub timeout: Duration,
    /// Calls a second; 0 = no limit.
    pub calls_per_second: u32,
}

/// The cloud's API 2.0.
pub struct Client {
    settings: Settings,
    url: reqwest::Url,
    http: reqwest::Client,
    budget: Budget,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
    figures: Figures,
}

/// One call with all its attempts.
struct Call<'a> {
    action: &'static str,
    params: Params,
    priority: Priority,
    /// The key that it sends, to be masked wherever it is repeated.
    secret: Option<&'a PreSharedKey>,
    /// A change must not be sent again once it may have happened; a read may.
    is_change: bool,
    deadline: Instant,
}

/// How a call ended.
enum End {
    Success(Answer),
    Refused(Refusal),
    Unreachable,
    NoBudget(Duration),
    Unknown,
}

/// What one attempt showed: an end, or a failure after which another attempt may follow.
enum Attempt {
    End(End),
    Again(End),
}

impl Client {
    /// Sets the client up; nothing is sent yet.
    ///
    /// # Errors
    /// If the machine's TLS set-up is unusable.
    pub fn new(
        settings: Settings,
        clock: Arc<dyn Clock>,
        chance: Arc<dyn Chance>,
        metrics: &Metrics,
    ) -> Result<Self, NoClient> {
        let http = exchange::http_client(settings.timeout / 4, settings.is_loopback)?;
        let url = exchange::address(&settings.url)?;
        let budget = Budget::new(settings.calls_per_second);
        Ok(Self { settings, url, http, budget, clock, chance, figures: Figures::new(metrics) })
    }

    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.settings.timeout
    }

    /// Carries a call to its end.
    async fn carry(&self, call: Call<'_>) -> (End, Upstream) {
        let started = Instant::now();
        let mut upstream = Upstream { action: Some(call.action.to_owned()), ..Upstream::default() };
        let mut attempts = 0;
        let mut last: Option<End> = None;
        let mut signed_anew = false;
        let mut wait = FIRST_WAIT;
        let end = loop {
            // An attempt that starts too late could only end in doubt.
            if last.is_some() && call.deadline.duration_since(Instant::now()) < self.settings.timeout / 3 {
                break last.unwrap_or(End::Unknown);
            }
            let asked_at = Instant::now();
            if let Err(no_place) = self.budget.place(call.priority, call.deadline).await {
                break last.unwrap_or(End::NoBudget(no_place.retry_after));
            }
            self.figures.wait(call.priority, asked_at.elapsed());
            if Instant::now() >= call.deadline {
                // The process was stopped meanwhile: by now somebody else may look after this.
                break last.unwrap_or(End::NoBudget(Duration::ZERO));
            }
            attempts += 1;
            match self.attempt(&call, &mut upstream, &mut signed_anew).await {
                Attempt::End(end) => break end,
                Attempt::Again(end) => last = Some(end),
            }
            let jittered = wait.mul_f64(0.5 + 0.5 * self.chance.fraction());
            tokio::time::sleep_until((Instant::now() + jittered).min(call.deadline)).await;
            wait *= 2;
        };
        upstream.attempts = Some(attempts);
        upstream.latency_ms = u64::try_from(started.elapsed().as_millis()).ok();
        let code = upstream.code.as_deref();
        info!(action = call.action, code, attempts, latency_ms = upstream.latency_ms, "called the cloud");
        (end, upstream)
    }

    /// Sends the call once, with a nonce, a timestamp and a signature of its own.
    async fn attempt(&self, call: &Call<'_>, upstream: &mut Upstream, signed_anew: &mut bool) -> Attempt {
        let form = self.signed(&call.params);
        let started = Instant::now();
        let exchange = exchange::post(&self.http, &self.url, &form, call.deadline).await;
        (upstream.code, upstream.code_desc, upstream.message) = (None, None, None);
        let (class, label, answer) = match exchange {
            Exchange::Unreachable => {
                upstream.message = Some("no connection to the cloud".into());
                self.figures.call(call.action, "unreachable", started.elapsed());
                return Attempt::Again(End::Unreachable);
            }
            Exchange::Lost => {
                upstream.message = Some("the connection broke before the whole answer had come".into());
                (Class::Unknown, "lost".to_owned(), None)
            }
            Exchange::TimedOut => {
                upstream.message = Some("no answer within the time limit".into());
                (Class::Unknown, "timeout".to_owned(), None)
            }
            Exchange::Answered { status, body } => {
                judge(status, Answer::read(&body, &self.secrets(call.secret)).ok(), upstream)
            }
        };
        self.figures.call(call.action, &label, started.elapsed());
        match (class, answer) {
            (Class::Success, Some(answer)) => Attempt::End(End::Success(answer)),
            (Class::Refused(refusal), _) => {
                if refusal == Refusal::Credentials {
                    warn!(action = call.action, code = %label, "the cloud refuses the gateway's credentials or rights");
                }
                Attempt::End(End::Refused(refusal))
            }
            (Class::Rate, _) => Attempt::Again(End::Refused(Refusal::RateLimited)),
            (Class::Replay, _) if !*signed_anew => {
                *signed_anew = true;
                Attempt::Again(End::Refused(Refusal::Replay))
            }
            (Class::Replay, _) => Attempt::End(End::Refused(Refusal::Replay)),
            (Class::Unknown | Class::Success, _) if call.is_change => Attempt::End(End::Unknown),
            (Class::Unknown | Class::Success, _) => Attempt::Again(End::Unknown),
        }
    }

    /// What a call sends or is signed with, and nobody may see.
    fn secrets<'a>(&'a self, key: Option<&'a PreSharedKey>) -> Vec<&'a str> {
        let credentials = &self.settings.credentials;
        let token = credentials.token.as_ref().map(ExposeSecret::expose_secret);
        let key = key.map(PreSharedKey::expose);
        let credentials = [credentials.secret_key.expose_secret(), credentials.secret_id.as_str()];
        key.into_iter().chain(token).chain(credentials).collect()
    }

    /// All parameters but the signature, in the order in which they are sent.
    fn with_common<'a>(
        &'a self,
        params: &'a Params,
        timestamp: &'a str,
        nonce: &'a str,
    ) -> Vec<(&'a str, &'a str)> {
        let credentials = &self.settings.credentials;
        let mut pairs = params.pairs();
        pairs.extend([
            ("Region", self.settings.region.as_str()),
            ("Timestamp", timestamp),
            ("Nonce", nonce),
            ("SecretId", &credentials.secret_id),
            ("SignatureMethod", self.settings.signature_method.as_str()),
        ]);
        if let Some(token) = &credentials.token {
            pairs.push(("Token", token.expose_secret()));
        }
        pairs
    }

    /// The form with the common parameters and the signature.
    fn signed(&self, params: &Params) -> Hidden {
        let timestamp = self.clock.now().as_seconds().to_string();
        let nonce = self.chance.nonce().to_string();
        let pairs = self.with_common(params, &timestamp, &nonce);
        let target =
            Target { method: Method::Post, host: &self.settings.signed_host, path: &self.settings.path };
        let text = sign::string_to_sign(target, &pairs);
        let secret_key = self.settings.credentials.secret_key.expose_secret();
        let signature = sign::signature(self.settings.signature_method, secret_key, &text);
        sign::form(&pairs, &signature)
    }

    pub(super) async fn read(
        &self,
        action: &'static str,
        params: Params,
        priority: Priority,
        deadline: Instant,
    ) -> Result<(Answer, Upstream), ReadError> {
        let call = Call { action, params, priority, secret: None, is_change: false, deadline };
        let (end, upstream) = self.carry(call).await;
        let failure = match end {
            End::Success(answer) => return Ok((answer, upstream)),
            End::Refused(Refusal::NotFound) => ReadFailure::NotFound,
            End::Refused(refusal) => ReadFailure::Refused(refusal),
            End::NoBudget(retry_after) => ReadFailure::NoBudget { retry_after },
            End::Unreachable | End::Unknown => ReadFailure::NoAnswer,
        };
        Err(ReadError { failure, upstream })
    }
}

/// What an answer means, and the short word for it in the metrics.
fn judge(status: u16, answer: Option<Answer>, upstream: &mut Upstream) -> (Class, String, Option<Answer>) {
    if let Some(answer) = &answer {
        upstream.code = Some(answer.code.clone());
        upstream.code_desc = answer.code_desc.clone();
        upstream.message = answer.message.clone();
    }
    let by_code =
        |answer: &Answer| classify(&answer.code, answer.code_desc.as_deref(), answer.message.as_deref());
    let (class, label) = match (status, &answer) {
        (200..=299, Some(answer)) => (by_code(answer), answer.code.clone()),
        (200..=299, None) => (Class::Unknown, "unreadable".to_owned()),
        (429, _) => (Class::Rate, "http_429".to_owned()),
        (408 | 500.., _) => (Class::Unknown, format!("http_{status}")),
        // A front end that says no in its own words has not passed the call on; one that says yes is not believed.
        (_, Some(answer)) => match by_code(answer) {
            Class::Success => (Class::Unknown, format!("http_{status}")),
            class => (class, answer.code.clone()),
        },
        (_, None) => (Class::Refused(Refusal::Other), format!("http_{status}")),
    };
    if answer.is_none() {
        upstream.message = Some(match status {
            200..=299 => "the answer is not one of the cloud's".to_owned(),
            status => format!("HTTP {status}"),
        });
    }
    (class, label, answer)
}

#[async_trait]
impl Cloud for Client {
    fn requirements(&self) -> Requirements {
        self.settings.param_style.requirements()
    }

    async fn modify(&self, change: &TunnelChange) -> Reply {
        let call = Call {
            action: "ModifyVpnConnEx",
            params: wire::modify(change, self.settings.param_style),
            priority: Priority::Change,
            secret: change.pre_shared_key.as_ref(),
            is_change: true,
            deadline: self.deadline(),
        };
        let (end, mut upstream) = self.carry(call).await;
        let sent = match end {
            End::Success(answer) => {
                // Some sister actions put it beside `data`.
                let task_id =
                    answer.data().get("taskId").and_then(text).or_else(|| answer.beside_data("taskId"));
                let task_id = task_id.filter(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()));
                upstream.task_id.clone_from(&task_id);
                Sent::Accepted { task_id }
            }
            End::Refused(refusal) => Sent::Refused(refusal),
            End::Unreachable => Sent::Unreachable,
            End::NoBudget(retry_after) => Sent::NoBudget { retry_after },
            End::Unknown => Sent::Unknown,
        };
        Reply { sent, upstream }
    }

    fn preview(&self, change: &TunnelChange) -> Preview {
        let params = wire::modify(change, self.settings.param_style);
        let mut parameters: Vec<(String, String)> = self
            .with_common(&params, AT_THE_CALL, AT_THE_CALL)
            .into_iter()
            .map(|(name, value)| match name {
                wire::PRE_SHARED_KEY | "SecretId" | "Token" => (name.to_owned(), MASKED.to_owned()),
                _ => (name.to_owned(), value.to_owned()),
            })
            .collect();
        parameters.push((sign::SIGNATURE.to_owned(), MASKED.to_owned()));
        let Settings { signed_host, path, .. } = &self.settings;
        Preview { method: "POST", host: signed_host.clone(), path: path.clone(), parameters }
    }

    async fn task(&self, task_id: &str) -> Result<TaskReport, ReadError> {
        let mut params = Params::of_action("DescribeVpcTaskResult");
        params.put("taskId", task_id);
        let (answer, mut upstream) =
            self.read("DescribeVpcTaskResult", params, Priority::Poll, self.deadline()).await?;
        upstream.task_id = Some(task_id.to_owned());
        let status = match answer.data().get("status").and_then(text).as_deref() {
            Some("0") => TaskStatus::Succeeded,
            Some("1") => TaskStatus::Failed,
            Some("2") => TaskStatus::Running,
            _ => TaskStatus::Unrecognized,
        };
        let output = &answer.data()["output"];
        if let Some(words) = output.get("errorMsg").and_then(text).filter(|words| !words.is_empty()) {
            upstream.message = Some(cleaned(words, &self.secrets(None)));
        }
        Ok(TaskReport { status, upstream })
    }

    async fn tunnel(&self, path: &TunnelPath, priority: Priority) -> Result<Tunnel, ReadError> {
        self.describe_one(path, priority).await
    }

    async fn tunnels(&self, vpc: &VpcId, gateway: &GatewayId) -> Result<Vec<Tunnel>, ReadError> {
        self.describe_all(vpc, gateway).await
    }
}
