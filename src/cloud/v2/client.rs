//! The client: [`Cloud`] on API 2.0.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value};
use tokio::time::Instant;

use crate::chance::Chance;
use crate::clock::Clock;
use crate::cloud::budget::Need;
use crate::cloud::call::{Call, Caller, End, Line};
use crate::cloud::exchange::NoClient;
use crate::cloud::mask::cleaned;
use crate::domain::event::{Route, Upstream};
use crate::domain::fingerprint::FingerprintKey;
use crate::domain::ids::{GatewayId, TunnelPath, VpcId};
use crate::domain::patch::Requirements;
use crate::domain::tunnel::Tunnel;
use crate::metrics::Metrics;
use crate::service::cloud::{
    Cloud, NoSlot, Permit, Preview, Priority, ReadError, Reply, Sent, Slot, TaskReport, TaskStatus,
    TunnelChange,
};

use super::answer::{Answer, text};
use super::api::{ApiV2, Credentials};
use super::sign::SignatureMethod;
use super::waiting::Waiting;
use super::wire::{self, ParamStyle, Params};

/// The account's name while the settings have one set of credentials.
const DEFAULT_ACCOUNT: &str = "default";

/// Settings of the client.
#[derive(Clone)]
pub struct Settings {
    /// The URL that calls are sent to.
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
    /// The time limit of one call with its retries. Waiting for a slot has a limit of its own, as long as this one.
    pub timeout: Duration,
    /// Calls a second; 0 = no limit.
    pub calls_per_second: u32,
}

/// The cloud's API 2.0. Clones share the call budget.
#[derive(Clone)]
pub struct Client {
    pub(super) caller: Arc<Caller<ApiV2>>,
    pub(super) waiting: Arc<Waiting>,
    param_style: ParamStyle,
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
        let line = Line {
            url: &settings.url,
            is_loopback: settings.is_loopback,
            timeout: settings.timeout,
            calls_per_second: settings.calls_per_second,
        };
        let api = ApiV2 {
            credentials: settings.credentials,
            region: settings.region,
            signature_method: settings.signature_method,
            signed_host: settings.signed_host,
            path: settings.path,
        };
        let caller = Arc::new(Caller::new(api, line, clock, chance, metrics)?);
        Ok(Self { caller, waiting: Arc::default(), param_style: settings.param_style })
    }

    pub(super) async fn read(
        &self,
        action: &'static str,
        params: Params,
        priority: Priority,
        slot: Option<Box<dyn Slot>>,
        end: Instant,
    ) -> Result<(Answer, Upstream), ReadError> {
        let call = Call { action, params, secrets: self.caller.api.secrets(None) };
        self.caller.read(call, priority, slot, end).await
    }
}

#[async_trait]
impl Cloud for Client {
    fn requirements(&self) -> Requirements {
        self.param_style.requirements()
    }

    async fn reserve(&self, principal: &str, is_last: bool) -> Result<Box<dyn Slot>, NoSlot> {
        let need = Need { priority: Priority::Change, is_last, principal };
        Ok(Box::new(self.caller.reserve(need).await?))
    }

    async fn modify(&self, change: &TunnelChange, permit: Permit) -> Reply {
        let call = Call {
            action: "ModifyVpnConnEx",
            params: wire::modify(change, self.param_style),
            secrets: self.caller.api.secrets(change.pre_shared_key.as_ref()),
        };
        let (end, mut upstream) = self.caller.change(call, permit).await;
        let sent = match end {
            End::Success(answer) => {
                // Some related actions put it next to `data`.
                let task_id =
                    answer.data().get("taskId").and_then(text).or_else(|| answer.beside_data("taskId"));
                let task_id = task_id.filter(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()));
                upstream.task_id.clone_from(&task_id);
                Sent::Accepted { task_id }
            }
            End::Refused(refusal) => Sent::Refused(refusal),
            End::Unreachable => Sent::Unreachable,
            // A change has its slot before it is sent.
            End::TooLate | End::NoSlot(_) => Sent::TooLate,
            End::Doubt => Sent::Unknown,
        };
        Reply { sent, upstream }
    }

    fn route(&self) -> Route {
        Route { account: DEFAULT_ACCOUNT.into(), region: self.caller.api.region.clone(), api: "2.0".into() }
    }

    fn sent(&self, change: &TunnelChange, fingerprints: &FingerprintKey) -> Map<String, Value> {
        let params = wire::modify(change, self.param_style);
        let own = params.pairs().into_iter().filter(|(name, _)| *name != "Action");
        own.map(|(name, value)| match (name, &change.pre_shared_key) {
            (wire::PRE_SHARED_KEY, Some(key)) => (name.to_owned(), fingerprints.masked(key)),
            _ => (name.to_owned(), Value::String(value.to_owned())),
        })
        .collect()
    }

    fn preview(&self, change: &TunnelChange) -> Preview {
        self.caller.api.preview(&wire::modify(change, self.param_style))
    }

    async fn task(&self, task_id: &str) -> Result<TaskReport, ReadError> {
        let mut params = Params::of_action("DescribeVpcTaskResult");
        params.put("taskId", task_id);
        let end = self.caller.end_of_read();
        let (answer, mut upstream) =
            self.read("DescribeVpcTaskResult", params, Priority::Poll, None, end).await?;
        upstream.task_id = Some(task_id.to_owned());
        let status = match answer.data().get("status").and_then(text).as_deref() {
            Some("0") => TaskStatus::Succeeded,
            Some("1") => TaskStatus::Failed,
            Some("2") => TaskStatus::Running,
            _ => TaskStatus::Unrecognized,
        };
        let output = &answer.data()["output"];
        if let Some(words) = output.get("errorMsg").and_then(text).filter(|words| !words.is_empty()) {
            upstream.message = Some(cleaned(words, &self.caller.api.secrets(None)));
        }
        Ok(TaskReport { status, upstream })
    }

    async fn tunnel(
        &self,
        path: &TunnelPath,
        priority: Priority,
        principal: &str,
    ) -> Result<Tunnel, ReadError> {
        self.describe_shared(path, priority, principal).await
    }

    fn is_short_of_calls(&self) -> bool {
        self.caller.is_short()
    }

    async fn tunnels(&self, vpc: &VpcId, gateway: &GatewayId) -> Result<Vec<Tunnel>, ReadError> {
        self.describe_all(vpc, gateway).await
    }
}
