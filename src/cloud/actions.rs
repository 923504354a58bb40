//! The actions that the gateway calls, in the form of one version of the API.

use serde_json::{Map, Value};

use crate::domain::fingerprint::FingerprintKey;
use crate::domain::ids::TunnelPath;
use crate::domain::patch::Requirements;
use crate::domain::tunnel::Tunnel;
use crate::service::cloud::{Preview, TaskStatus, TunnelChange, TunnelsOf};

use super::answer::Answer;
use super::call::Api;
use super::credentials::Credentials;

/// The tunnels that a list contains.
#[derive(Debug, Clone, Copy)]
pub(super) enum Listed<'a> {
    /// The one tunnel at the path.
    Tunnel(&'a TunnelPath),
    /// Tunnels of the account, oldest first where the API can sort.
    Several(TunnelsOf<'a>),
}

/// The actions of one version of the API: their parameters and answers.
pub(super) trait Actions: Api<Answer = Answer> {
    /// The version, as operations and events name it.
    const VERSION: &'static str;
    /// The action that changes a tunnel.
    const MODIFY: &'static str;
    /// The action that reads the status of a task.
    const TASK: &'static str;
    /// The action that lists tunnels.
    const LIST: &'static str;
    /// Entries per page of the list; the cloud's maximum.
    const PAGE: usize;
    /// Every change has a task that [`Self::TASK`] can read. Otherwise the cloud may not know it.
    const HAS_TASKS: bool;

    fn credentials(&self) -> &Credentials;

    fn region(&self) -> &str;

    /// What the API requires of a patch.
    fn requirements(&self) -> Requirements;

    /// The parameters of a change.
    fn modify(&self, change: &TunnelChange) -> Self::Params;

    /// The task that an accepted change started, if the answer names it.
    fn task_of(answer: &Answer) -> Option<String>;

    /// The parameters of a read of a task.
    fn task(&self, task_id: &str) -> Self::Params;

    /// The status of a task, and the cloud's words about it, uncut and with their secrets.
    fn task_status(answer: &Answer) -> (TaskStatus, Option<String>);

    /// False if the API has no ids of this form.
    fn may_exist(_listed: Listed<'_>) -> bool {
        true
    }

    /// The parameters of a page of the list.
    fn page(&self, listed: Listed<'_>, offset: usize) -> Self::Params;

    /// The entries of a page; `None` if the answer does not say.
    fn entries(answer: &Answer) -> Option<&[Value]>;

    /// The number of entries on all pages, if the answer says.
    fn total(answer: &Answer) -> Option<usize>;

    /// An entry of a page.
    fn tunnel(answer: &Answer, entry: &Value) -> Tunnel;

    /// True if this is the tunnel at the path. An entry has old and unified ids. An entry without a parent's id matches by its
    /// tunnel id alone.
    fn is_at(tunnel: &Tunnel, path: &TunnelPath) -> bool {
        tunnel.tunnel_ids.iter().any(|id| id == path.tunnel_id.as_str())
            && is_or_unsaid(&tunnel.vpc_ids, path.vpc_id.as_str())
            && is_or_unsaid(&tunnel.gateway_ids, path.gateway_id.as_str())
    }

    /// The call's own parameters by the cloud's names; a secret is replaced with its fingerprint.
    fn sent(&self, change: &TunnelChange, fingerprints: &FingerprintKey) -> Map<String, Value>;

    /// The call that a change makes, without its secrets.
    fn preview(&self, change: &TunnelChange) -> Preview;
}

/// True if the ids of an entry contain this one, or the entry has none.
pub(super) fn is_or_unsaid(ids: &[String], id: &str) -> bool {
    ids.is_empty() || ids.iter().any(|known| known == id)
}
