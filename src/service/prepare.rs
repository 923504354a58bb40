//! From a patch to the change that is sent: the tunnel is read, compared with `If-Match`, and merged.

use crate::domain::changes::Changes;
use crate::domain::operation::{ErrorCode, OperationError};
use crate::domain::tunnel::Tunnel;
use crate::failpoint;

use super::cloud::{Priority, ReadError, ReadFailure, TunnelChange};
use super::request::{Modify, ModifyError};
use super::{ReadBefore, Service, merge, outcome, read_back};

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
        let change = self.change_of(request, &tunnel)?;
        let before = read_back::before(changes, &tunnel, &self.fingerprints);
        let lock_id = match (tunnel.vpc_ids.first(), tunnel.tunnel_ids.first()) {
            (Some(vpc), Some(tunnel)) => lock_id(vpc, tunnel),
            _ => lock_id(path.vpc_id.as_str(), path.tunnel_id.as_str()),
        };
        Ok(Prepared { change, before: Some(before), read_seq: Some(read_seq), lock_id })
    }

    /// True if the tunnel is read before the change is sent. Only the cloud knows which tunnel an older form of id means.
    fn must_read(&self, request: &Modify) -> bool {
        self.rules.read_before == ReadBefore::Always
            || request.if_match.is_some()
            || self.is_merged(request)
            || !request.path.is_unified()
    }

    /// The change that a patch makes to a tunnel as it is.
    pub(super) fn change_of(
        &self,
        request: &Modify,
        tunnel: &Tunnel,
    ) -> Result<TunnelChange, OperationError> {
        let Modify { path, patch, if_match, .. } = request;
        if if_match.as_ref().is_some_and(|condition| !condition.holds(&self.shown(path, tunnel).etag())) {
            return Err(outcome::error(ErrorCode::PreconditionFailed));
        }
        if !self.is_merged(request) {
            return Ok(merge::as_given(path, patch));
        }
        let groups_go_together = request.cloud.requirements().groups_go_together;
        merge::merged(path, patch, tunnel, groups_go_together).map_err(|unshown| OperationError {
            detail: format!("{unshown}; nothing was sent"),
            ..outcome::error(ErrorCode::TunnelUnreadable)
        })
    }

    /// True if the patch is filled in from the tunnel before it is sent.
    fn is_merged(&self, request: &Modify) -> bool {
        let groups_go_together = request.cloud.requirements().groups_go_together;
        self.rules.merge_partial_groups && merge::is_partial(&request.patch, groups_go_together)
    }
}

fn lock_id(vpc: &str, tunnel: &str) -> String {
    format!("{vpc}/{tunnel}")
}

/// Why a change was refused by its read.
pub(super) fn unreadable(error: &ReadError) -> ModifyError {
    let retry_after = match error.failure {
        ReadFailure::NoBudget { retry_after } => Some(retry_after),
        _ => None,
    };
    ModifyError::Refused { error: outcome::unreadable(error), retry_after }
}
