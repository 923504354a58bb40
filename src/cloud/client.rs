//! The client: [`Cloud`] on any version of the API.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value};
use tokio::time::Instant;

use crate::domain::event::{Route, Upstream};
use crate::domain::fingerprint::FingerprintKey;
use crate::domain::ids::{GatewayId, TunnelPath, VpcId};
use crate::domain::patch::Requirements;
use crate::domain::tunnel::Tunnel;
use crate::service::cloud::{
    Cloud, NoSlot, Permit, Preview, Priority, ReadError, ReadFailure, Refusal, Reply, Sent, Slot, TaskReport,
    TaskStatus, TunnelChange, TunnelPage, TunnelsOf, Turn,
};

use super::actions::{Actions, Listed};
use super::answer::Answer;
use super::budget::Need;
use super::call::{Call, Caller, End};
use super::waiting::Waiting;

/// A client of the cloud. Clones share the call budget.
pub(super) struct Client<A> {
    pub(super) caller: Arc<Caller<A>>,
    pub(super) waiting: Arc<Waiting>,
    account: Arc<str>,
}

impl<A> Clone for Client<A> {
    fn clone(&self) -> Self {
        Self { caller: self.caller.clone(), waiting: self.waiting.clone(), account: self.account.clone() }
    }
}

impl<A: Actions> Client<A> {
    pub(super) fn of(account: &str, caller: Caller<A>) -> Self {
        Self { caller: Arc::new(caller), waiting: Arc::default(), account: account.into() }
    }

    pub(super) async fn read(
        &self,
        action: &'static str,
        params: A::Params,
        priority: Priority,
        slot: Option<Box<dyn Slot>>,
        end: Instant,
    ) -> Result<(Answer, Upstream), ReadError> {
        let call = Call { action, params, secrets: self.caller.api.credentials().secrets(None) };
        self.caller.read(call, priority, slot, end).await
    }
}

#[async_trait]
impl<A: Actions> Cloud for Client<A> {
    fn requirements(&self) -> Requirements {
        self.caller.api.requirements()
    }

    fn timeout(&self) -> Duration {
        self.caller.timeout()
    }

    async fn reserve(&self, principal: &str, is_last: bool) -> Result<Box<dyn Slot>, NoSlot> {
        let need = Need { priority: Priority::Change, is_last, is_recorded: false, principal };
        Ok(Box::new(self.caller.reserve(need).await?))
    }

    async fn modify(&self, change: &TunnelChange, permit: Permit) -> Reply {
        let api = &self.caller.api;
        let call = Call {
            action: A::MODIFY,
            params: api.modify(change),
            secrets: api.credentials().secrets(change.pre_shared_key.as_ref()),
        };
        let (end, mut upstream) = self.caller.change(call, permit).await;
        let sent = match end {
            End::Success(answer) => {
                let task_id = A::task_of(&answer);
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
        let region = self.caller.api.region().to_owned();
        Route { account: self.account.to_string(), region, api: A::VERSION.into() }
    }

    fn sent(&self, change: &TunnelChange, fingerprints: &FingerprintKey) -> Map<String, Value> {
        self.caller.api.sent(change, fingerprints)
    }

    fn preview(&self, change: &TunnelChange) -> Preview {
        self.caller.api.preview(change)
    }

    async fn task(&self, task_id: &str) -> Result<TaskReport, ReadError> {
        let params = self.caller.api.task(task_id);
        let end = self.caller.end_of_read();
        let (answer, mut upstream) = match self.read(A::TASK, params, Priority::Poll, None, end).await {
            Ok(read) => read,
            Err(error) if !A::HAS_TASKS && is_no_task(error.failure) => {
                return Ok(TaskReport { status: TaskStatus::NotTracked, upstream: error.upstream });
            }
            Err(error) => return Err(error),
        };
        upstream.task_id = Some(task_id.to_owned());
        let (status, words) = A::task_status(&answer);
        if let Some(words) = words.filter(|words| !words.is_empty()) {
            upstream.message = Some(answer.cleaned(words, &self.caller.api.credentials().secrets(None)));
        }
        Ok(TaskReport { status, upstream })
    }

    fn read_action(&self) -> &'static str {
        A::LIST
    }

    async fn tunnel(
        &self,
        path: &TunnelPath,
        priority: Priority,
        principal: &str,
    ) -> Result<Tunnel, ReadError> {
        if !A::may_exist(Listed::Tunnel(path)) {
            return Err(ReadError { failure: ReadFailure::NotFound, upstream: Upstream::default() });
        }
        self.tunnel_shared(path, priority, principal).await
    }

    fn is_short_of_calls(&self) -> bool {
        self.caller.is_short()
    }

    fn page_size(&self) -> usize {
        A::PAGE
    }

    async fn page(&self, of: TunnelsOf<'_>, offset: usize, turn: Turn) -> Result<TunnelPage, ReadError> {
        if !A::may_exist(Listed::Several(of)) {
            return Ok(TunnelPage { tunnels: Vec::new(), total: Some(0), is_last: true });
        }
        self.one_page(of, offset, turn).await
    }

    async fn tunnels(&self, vpc: &VpcId, gateway: &GatewayId) -> Result<Vec<Tunnel>, ReadError> {
        let of = TunnelsOf { vpc: Some(vpc), gateway: Some(gateway) };
        if !A::may_exist(Listed::Several(of)) {
            return Ok(Vec::new());
        }
        self.all_tunnels(vpc, gateway).await
    }
}

/// True if the cloud says that it does not know a task of this id.
fn is_no_task(failure: ReadFailure) -> bool {
    matches!(failure, ReadFailure::NotFound | ReadFailure::Refused(Refusal::InvalidParameter))
}
