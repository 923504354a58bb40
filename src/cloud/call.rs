//! One call to the cloud with its attempts. The rule that a change is sent at most once is here, for every version of
//! the API.
//!
//! A change is sent again only after an answer that proves that nothing was done (a refusal for rate, an expired
//! signature) or where no connection came about. Every other end without a success leaves its outcome open.

use std::time::Duration;

use tokio::time::Instant;
use tracing::{info, warn};

use crate::domain::connection_fault::ConnectionFault;
use crate::domain::event::Upstream;
use crate::domain::timestamp::Timestamp;
use crate::service::cloud::{NoSlot, Permit, Priority, ReadError, ReadFailure, Refusal, Slot as HeldSlot};
use crate::trace::{self, Span};

use super::budget::{Need, Slot};
use super::endpoint::Endpoint;
use super::exchange::{self, Cause, Exchange, NoClient, Signed};
use super::line::Line;
use super::mask::tidy;
use super::meaning::{self, Codes, Meaning};

/// First wait between two attempts; it doubles.
const FIRST_WAIT: Duration = Duration::from_millis(200);
/// An attempt after the first needs at least this part of the time limit.
const LEAST_PART: u32 = 3;

const TIMED_OUT: &str = "no answer within the time limit";
/// The metrics' label of a success, in both versions of the API.
const SUCCESS: &str = "0";

/// What a version of the cloud's API does in its own way.
pub(super) trait Api: Send + Sync + 'static {
    /// The parameters of one call, without its signature.
    type Params: Send + Sync;
    /// An answer, its secrets taken out.
    type Answer: Send;

    /// Signs a call.
    fn sign(&self, params: &Self::Params, signed_at: Timestamp, nonce: u64) -> Signed;

    /// Reads an answer; `None` if it is not one of the cloud's. `sent` are the secrets of the call.
    fn read(&self, body: &[u8], sent: &[&str]) -> Option<Self::Answer>;

    /// The codes of an answer.
    fn codes(answer: &Self::Answer) -> Codes<'_>;
}

/// A call to be made.
pub(super) struct Call<'a, A: Api> {
    pub action: &'static str,
    pub params: A::Params,
    /// What the call sends or is signed with, and the cloud might repeat.
    pub secrets: Vec<&'a str>,
}

/// How a call ended.
pub(super) enum End<T> {
    Success(T),
    Refused(Refusal),
    /// No connection came about: nothing was sent.
    Unreachable,
    /// The call budget had no slot in time: nothing was sent.
    NoSlot(NoSlot),
    /// The lease was over before anything was sent.
    TooLate,
    /// The call may have been carried out.
    Doubt,
}

impl<T> End<T> {
    /// Why the call failed, for traces.
    fn error(&self) -> Option<&'static str> {
        match self {
            Self::Success(_) => None,
            Self::Refused(_) => Some("refused"),
            Self::Unreachable => Some("unreachable"),
            Self::NoSlot(_) => Some("no_slot"),
            Self::TooLate => Some("too_late"),
            Self::Doubt => Some("no_answer"),
        }
    }
}

/// What one attempt showed.
enum Attempt<T> {
    End(End<T>),
    /// A retry may follow. If none does, this is the end.
    Retry(End<T>),
    /// The signature was refused as expired.
    Expired,
}

/// How a call waits and what a retry of it may do.
enum Mode {
    Read { priority: Priority, slot: Option<Box<dyn HeldSlot>> },
    Change(Permit),
}

/// Makes calls through one version of the API.
pub(super) struct Caller<A> {
    pub api: A,
    url: reqwest::Url,
    http: reqwest::Client,
    line: Line,
    /// The time limit of one call, its retries included, its wait for a slot not.
    timeout: Duration,
}

impl<A: Api> Caller<A> {
    /// Sets the HTTP client up; nothing is sent yet.
    ///
    /// # Errors
    /// If the machine's TLS set-up is unusable.
    pub(super) fn new(api: A, endpoint: &Endpoint, timeout: Duration, line: &Line) -> Result<Self, NoClient> {
        let http = exchange::http_client(timeout / 4, endpoint.is_loopback)?;
        let url = exchange::address(&endpoint.url)?;
        Ok(Self { api, url, http, line: line.clone(), timeout })
    }

    /// The time limit of one call.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// When a read that begins now has to have ended: a full time limit for its wait, and one for the calls.
    pub(super) fn end_of_read(&self) -> Instant {
        Instant::now() + self.timeout * 2
    }

    /// Waits for a slot, for as long as one call may take.
    pub(super) async fn reserve(&self, need: Need<'_>) -> Result<Slot, NoSlot> {
        self.slot(need, Instant::now() + self.timeout).await
    }

    /// True if calls had to wait for a slot lately.
    pub(super) fn is_short(&self) -> bool {
        self.line.budget.is_short()
    }

    /// Sends a change.
    pub(super) async fn change(&self, call: Call<'_, A>, permit: Permit) -> (End<A::Answer>, Upstream) {
        let end = Instant::now() + self.timeout;
        self.make(&call, Mode::Change(permit), end).await
    }

    /// Reads something, by `end` at the latest; with a slot that the caller holds, or one of its own.
    pub(super) async fn read(
        &self,
        call: Call<'_, A>,
        priority: Priority,
        slot: Option<Box<dyn HeldSlot>>,
        end: Instant,
    ) -> Result<(A::Answer, Upstream), ReadError> {
        let (end, upstream) = self.make(&call, Mode::Read { priority, slot }, end).await;
        let failure = match end {
            End::Success(answer) => return Ok((answer, upstream)),
            End::Refused(Refusal::NotFound) => ReadFailure::NotFound,
            End::Refused(refusal) => ReadFailure::Refused(refusal),
            End::NoSlot(no_slot) => ReadFailure::from(no_slot),
            End::Unreachable | End::TooLate | End::Doubt => ReadFailure::NoAnswer,
        };
        Err(ReadError { failure, upstream })
    }

    async fn make(&self, call: &Call<'_, A>, mode: Mode, end: Instant) -> (End<A::Answer>, Upstream) {
        let started = Instant::now();
        let mut upstream = Upstream { action: Some(call.action.to_owned()), ..Upstream::default() };
        let mut attempts = 0;
        let span = self.span(call.action);
        let end = span.around(self.attempts(call, mode, end, &mut upstream, &mut attempts)).await;
        upstream.attempts = Some(attempts);
        upstream.latency_ms = u64::try_from(started.elapsed().as_millis()).ok();
        let code = upstream.code.as_deref();
        span.set("tunnelgate.cloud.attempts", i64::from(attempts));
        if let Some(code) = code {
            span.set("tunnelgate.cloud.code", code.to_owned());
        }
        if let Some(kind) = end.error() {
            span.fail(kind);
        }
        info!(action = call.action, code, attempts, latency_ms = upstream.latency_ms, "called the cloud");
        (end, upstream)
    }

    /// The span of a call: its action and where it goes, never its parameters.
    fn span(&self, action: &'static str) -> Span {
        let span = Span::call(action);
        if !trace::is_on() {
            return span;
        }
        span.set("tunnelgate.cloud.action", action);
        span.set("tunnelgate.account", self.line.metrics.account().to_owned());
        span.set("http.request.method", "POST");
        if let Some(host) = self.url.host_str() {
            span.set("server.address", host.to_owned());
        }
        if let Some(port) = self.url.port_or_known_default() {
            span.set("server.port", i64::from(port));
        }
        span
    }

    /// Attempts until one of them is the end.
    async fn attempts(
        &self,
        call: &Call<'_, A>,
        mode: Mode,
        end: Instant,
        upstream: &mut Upstream,
        attempts: &mut u32,
    ) -> End<A::Answer> {
        let (priority, lease, mut slot, mut signed_at) = match mode {
            Mode::Read { priority, slot } => (priority, None, slot, None),
            Mode::Change(Permit { slot, opened_at, lease }) => {
                (Priority::Change, Some(lease), Some(slot), Some(opened_at))
            }
        };
        let is_change = lease.is_some();
        // Until when a change may wait for another slot, where the one that it was opened with is late.
        let latest_start = lease.as_ref().map(|lease| lease.monotonic);
        let mut last = None;
        let mut was_expired = false;
        let mut wait = FIRST_WAIT;
        let (mut end, mut deadline) = (end, end);
        loop {
            if slot.is_none() {
                let until = match latest_start.filter(|_| *attempts == 0) {
                    Some(latest) => latest,
                    // Time for the call itself has to be left once the slot is there.
                    None => {
                        let latest = end.checked_sub(self.timeout / LEAST_PART).unwrap_or(end);
                        latest.min(Instant::now() + self.timeout)
                    }
                };
                let need = Need { priority, is_last: true, is_recorded: is_change, principal: "" };
                match self.slot(need, until).await {
                    Ok(free) => slot = Some(Box::new(free)),
                    Err(no_slot) => return last.unwrap_or(End::NoSlot(no_slot)),
                }
            }
            if *attempts == 0 {
                if is_change {
                    end = Instant::now() + self.timeout;
                }
                deadline = end.min(Instant::now() + self.timeout);
            }
            // A process that was stopped and goes on later must not send: its operation may have been taken over.
            if lease.as_ref().is_some_and(|lease| !lease.holds(&*self.line.clock)) {
                return last.unwrap_or(End::TooLate);
            }
            if slot.take().is_some_and(|slot| !slot.start()) {
                continue;
            }
            *attempts += 1;
            let signed = signed_at.unwrap_or_else(|| self.line.clock.now());
            match self.attempt(call, signed, is_change, deadline, upstream).await {
                Attempt::End(end) => return end,
                Attempt::Expired if was_expired => return End::Refused(Refusal::Expired),
                Attempt::Expired => {
                    was_expired = true;
                    signed_at = None;
                    last = Some(End::Refused(Refusal::Expired));
                }
                Attempt::Retry(end) => last = Some(end),
            }
            let jittered = wait.mul_f64(0.5 + 0.5 * self.line.chance.fraction());
            wait *= 2;
            // An attempt that starts too late could only end in doubt.
            let next = Instant::now() + jittered;
            if next + self.timeout / LEAST_PART > deadline {
                return last.unwrap_or(End::Doubt);
            }
            tokio::time::sleep_until(next).await;
        }
    }

    async fn slot(&self, need: Need<'_>, until: Instant) -> Result<Slot, NoSlot> {
        let asked_at = Instant::now();
        let slot = self.line.budget.slot(need, until).await?;
        self.line.metrics.wait(need.priority, asked_at.elapsed());
        Ok(slot)
    }

    /// Sends the call once, with a nonce and a signature of its own.
    async fn attempt(
        &self,
        call: &Call<'_, A>,
        signed_at: Timestamp,
        is_change: bool,
        deadline: Instant,
        upstream: &mut Upstream,
    ) -> Attempt<A::Answer> {
        let signed = self.api.sign(&call.params, signed_at, self.line.chance.nonce());
        let started = Instant::now();
        let exchange = exchange::post(&self.http, &self.url, signed, deadline).await;
        (upstream.code, upstream.code_desc, upstream.message) = (None, None, None);
        let (meaning, label, answer) = match exchange {
            Exchange::Unreachable(cause) => {
                upstream.message = Some("no connection to the cloud".into());
                self.line.metrics.call(call.action, "unreachable", started.elapsed());
                self.line.unconnected(call.action, &cause);
                return Attempt::Retry(End::Unreachable);
            }
            Exchange::Lost(cause) => {
                upstream.message = Some("the connection broke before the answer was complete".into());
                (Meaning::Doubt, "lost".to_owned(), Err(cause))
            }
            Exchange::TimedOut => {
                upstream.message = Some(TIMED_OUT.into());
                let cause = Cause { fault: Some(ConnectionFault::Timeout), error: TIMED_OUT.into() };
                (Meaning::Doubt, "timeout".to_owned(), Err(cause))
            }
            Exchange::Answered { status, body } => {
                let answer = self.api.read(&body, &call.secrets);
                let codes = answer.as_ref().map(A::codes);
                let (meaning, label) = judge(status, codes, is_change, upstream);
                (meaning, label, answer.ok_or_else(|| unreadable(status, upstream)))
            }
        };
        self.line.metrics.call(call.action, &label, started.elapsed());
        match &answer {
            // A success of API 3.0 has no code.
            Ok(_) => self.line.answered(meaning, upstream.code.as_deref().unwrap_or_default()),
            Err(cause) => self.line.unanswered(call.action, cause),
        }
        match (meaning, answer.ok()) {
            (Meaning::Success, Some(answer)) => Attempt::End(End::Success(answer)),
            (Meaning::Refused(refusal), _) => {
                if refusal == Refusal::Credentials {
                    warn!(
                        account = self.line.metrics.account(),
                        action = call.action,
                        code = %label,
                        "the cloud refuses the account's credentials or rights"
                    );
                }
                Attempt::End(End::Refused(refusal))
            }
            (Meaning::Rate, _) => {
                self.line.budget.slow_down();
                Attempt::Retry(End::Refused(Refusal::RateLimited))
            }
            (Meaning::Expired, _) => Attempt::Expired,
            (Meaning::Doubt | Meaning::Success, _) if is_change => Attempt::End(End::Doubt),
            (Meaning::Doubt | Meaning::Success, _) => Attempt::Retry(End::Doubt),
        }
    }
}

/// Why an answer is none of the cloud's. Only a proxy answers 407 (RFC 9110).
fn unreadable(status: u16, upstream: &Upstream) -> Cause {
    let fault = (status == 407).then_some(ConnectionFault::Proxy);
    Cause { fault, error: upstream.message.clone().unwrap_or_default() }
}

/// What an answer means, and its label in the metrics. Without a readable body only its status is known: a front end
/// may have passed the call on all the same.
fn judge(
    status: u16,
    codes: Option<Codes<'_>>,
    is_change: bool,
    upstream: &mut Upstream,
) -> (Meaning, String) {
    let Some(codes) = codes else {
        let label = match status {
            200..=299 => "unreadable".to_owned(),
            status => format!("http_{status}"),
        };
        upstream.message = Some(match status {
            200..=299 => "the answer is not one of the cloud's".to_owned(),
            status => format!("HTTP {status}"),
        });
        let meaning = if status == 429 && !is_change { Meaning::Rate } else { Meaning::Doubt };
        return (meaning, label);
    };
    let code = codes.code.unwrap_or(SUCCESS);
    upstream.code = codes.code.map(str::to_owned);
    upstream.code_desc = codes.code_desc.map(str::to_owned);
    upstream.message = codes.message.map(str::to_owned);
    let (meaning, label) = match (status, meaning::of(codes)) {
        (200..=299, meaning) => (meaning, code.to_owned()),
        (408 | 500.., _) | (_, Meaning::Success) => (Meaning::Doubt, format!("http_{status}")),
        (_, meaning) => (meaning, code.to_owned()),
    };
    if meaning == Meaning::Doubt && code == SUCCESS {
        // With its code it would count as the cloud's answer that the change failed.
        upstream.code = None;
        let said = format!("HTTP {status} with a success that can't be believed");
        upstream.message = Some(match upstream.message.take() {
            Some(message) => tidy(&format!("{said}: {message}")),
            None => said,
        });
    }
    (meaning, label)
}
