//! From a patch to the change that is sent: the tunnel is read, compared with `If-Match`, and merged.

use crate::domain::api::Api;
use crate::domain::changes::Changes;
use crate::domain::fault::Fault;
use crate::domain::operation::{ErrorCode, OperationError};
use crate::domain::patch::{Patch, Ranges};
use crate::domain::tunnel::Tunnel;
use crate::failpoint;

use super::cloud::{Priority, ReadError, ReadFailure, TunnelChange};
use super::ledger::LedgerError;
use super::merge::NotMerged;
use super::request::{Modify, ModifyError};
use super::{ReadBefore, Service, merge, outcome, ranges, read_back};

/// A change that can be opened.
pub(super) struct Prepared {
    pub(super) change: TunnelChange,
    /// What the tunnel had; `None` if it was not read.
    pub(super) before: Option<Changes>,
    /// The newest event when the tunnel was read.
    pub(super) read_seq: Option<i64>,
    /// What the change locks.
    pub(super) lock_id: String,
}

impl Service {
    /// The change as it will be sent.
    pub(super) async fn prepare(&self, request: &Modify, changes: &Changes) -> Result<Prepared, ModifyError> {
        let path = &request.path;
        if !self.must_read(request) {
            return Ok(Prepared {
                change: merge::as_given(path, &request.patch),
                before: None,
                read_seq: None,
                lock_id: lock_id(path.vpc_id.as_str(), path.tunnel_id.as_str()),
            });
        }
        // Before the read: a step that is written after this makes the read stale.
        let read_seq = self.ledger.newest_seq().await?;
        let tunnel = request.cloud.tunnel(path, Priority::Change, &request.principal.id).await;
        failpoint::at!("prepare.read");
        let tunnel = tunnel.map_err(|error| unreadable(&error))?;
        let change = self.change_of(request, changes, &tunnel)?;
        let before = read_back::before(changes, &tunnel, &self.fingerprints);
        let lock_id = match (tunnel.vpc_ids.first(), tunnel.tunnel_ids.first()) {
            (Some(vpc), Some(tunnel)) => lock_id(vpc, tunnel),
            _ => lock_id(path.vpc_id.as_str(), path.tunnel_id.as_str()),
        };
        Ok(Prepared { change, before: Some(before), read_seq: Some(read_seq), lock_id })
    }

    /// True if the tunnel is read before the change is sent. Only the cloud knows which tunnel an older form of id means;
    /// a change of API 3.0 names the tunnel only, so the read checks its VPC and gateway.
    fn must_read(&self, request: &Modify) -> bool {
        self.rules.read_before == ReadBefore::Always
            || request.if_match.is_some()
            || request.rollback.is_some()
            || request.cloud.requirements().api == Api::V3
            || !request.patch.outside.is_empty()
            || self.is_merged(request)
            || !request.path.is_unified()
    }

    /// The change that a patch makes to a tunnel as it is. `changes` are those of the patch.
    ///
    /// # Errors
    /// If the tunnel is not in the state that `If-Match` names, no longer has what the operation to roll back left, or
    /// the patch does not fit the tunnel.
    pub(super) fn change_of(
        &self,
        request: &Modify,
        changes: &Changes,
        tunnel: &Tunnel,
    ) -> Result<TunnelChange, ModifyError> {
        let Modify { path, patch, if_match, .. } = request;
        if if_match.as_ref().is_some_and(|condition| {
            !condition.holds(&self.shown(path, tunnel, &request.cloud.route()).etag())
        }) {
            return Err(outcome::error(ErrorCode::PreconditionFailed).into());
        }
        if let Some(rollback) = &request.rollback {
            self.check_unchanged(rollback, tunnel)?;
        }
        let mut faults = self.outside(patch, changes, tunnel);
        let mut change = merge::as_given(path, patch);
        let requirements = request.cloud.requirements();
        if let (Api::V3, Some(Ranges::PeerCidrs(peers))) = (requirements.api, &patch.ranges) {
            match ranges::as_policies(peers, tunnel) {
                Ok(policies) => change.ranges = Some(policies),
                Err(fault) => faults.push(fault),
            }
        }
        let filled =
            if self.is_merged(request) { merge::fill(&mut change, tunnel, requirements) } else { Ok(()) };
        match filled {
            Err(NotMerged::Invalid(more)) => faults.extend(more),
            Err(NotMerged::Unshown { group, setting }) if faults.is_empty() => {
                return Err(OperationError {
                    detail: format!(
                        "the cloud does not show the tunnel's {group}.{setting}, so {group} can't be sent whole; nothing \
                         was sent. Give {group}.{setting} too"
                    ),
                    ..outcome::error(ErrorCode::TunnelUnreadable)
                }
                .into());
            }
            Err(NotMerged::Unshown { .. }) | Ok(()) => {}
        }
        if faults.is_empty() { Ok(change) } else { Err(ModifyError::Invalid(faults)) }
    }

    /// The faults of values beyond the documented ones that the tunnel does not have.
    fn outside(&self, patch: &Patch, changes: &Changes, tunnel: &Tunnel) -> Vec<Fault> {
        if patch.outside.is_empty() {
            return Vec::new();
        }
        let same = read_back::compare(changes, tunnel, Some(&self.fingerprints)).same;
        patch.outside.iter().filter(|fault| !same.contains(&fault.pointer)).cloned().collect()
    }

    /// True if the patch is filled in from the tunnel before it is sent.
    fn is_merged(&self, request: &Modify) -> bool {
        self.rules.merge_partial_groups && merge::is_partial(&request.patch, request.cloud.requirements())
    }
}

/// What a change of a tunnel locks, by the ids that the cloud prefers.
pub(super) fn lock_id(vpc: &str, tunnel: &str) -> String {
    format!("{vpc}/{tunnel}")
}

/// Why a change was refused by its read.
pub(super) fn unreadable(error: &ReadError) -> ModifyError {
    let retry_after = match error.failure {
        ReadFailure::NoBudget { retry_after } => Some(retry_after),
        ReadFailure::NoLedger => return ModifyError::Ledger(LedgerError::Unavailable(error.failure.into())),
        _ => None,
    };
    ModifyError::Refused { error: outcome::unreadable(error), retry_after }
}
