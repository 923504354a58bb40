//! From a patch to the change that is sent: what it depends on is read once, looked at, and merged.

use crate::domain::etag::Precondition;
use crate::domain::event::Upstream;
use crate::domain::ids::TunnelPath;
use crate::domain::operation::{ErrorCode, OperationError};
use crate::domain::patch::Patch;
use crate::domain::tunnel::Tunnel;
use crate::failpoint;

use super::cloud::{Priority, TunnelChange};
use super::modify::Modify;
use super::{Service, merge, outcome};

/// Why a change is not sent.
pub(super) struct Unprepared {
    pub(super) error: OperationError,
    /// What the log keeps of the look at the tunnel.
    pub(super) upstream: Option<Upstream>,
}

impl Service {
    /// The change as it will be sent. `If-Match` and partial groups need a look at the tunnel first: one for both.
    pub(super) async fn prepare(&self, request: &Modify) -> Result<TunnelChange, Unprepared> {
        if request.if_match.is_none() && !self.is_merged(&request.patch) {
            return Ok(merge::as_given(&request.path, &request.patch));
        }
        let tunnel = self.cloud.tunnel(&request.path, Priority::Change).await.map_err(|error| {
            Unprepared { error: outcome::unreadable(&error), upstream: Some(error.upstream) }
        })?;
        failpoint::at!("prepare.read");
        self.change_of(&request.path, &request.patch, request.if_match.as_ref(), &tunnel)
    }

    /// The change that a patch comes to on a tunnel as it is.
    pub(super) fn change_of(
        &self,
        path: &TunnelPath,
        patch: &Patch,
        if_match: Option<&Precondition>,
        tunnel: &Tunnel,
    ) -> Result<TunnelChange, Unprepared> {
        if if_match.is_some_and(|condition| !condition.holds(&self.shown(path, tunnel).etag())) {
            let error = outcome::error(ErrorCode::PreconditionFailed);
            return Err(Unprepared { error, upstream: Some(Upstream::of_tunnel_read()) });
        }
        if !self.is_merged(patch) {
            return Ok(merge::as_given(path, patch));
        }
        merge::merged(path, patch, tunnel, self.requirements().groups_go_together).map_err(|unshown| {
            let error = OperationError {
                detail: format!("{unshown}; nothing was sent"),
                ..outcome::error(ErrorCode::TunnelUnreadable)
            };
            Unprepared { error, upstream: Some(Upstream::of_tunnel_read()) }
        })
    }

    /// True if the patch is filled in from the tunnel before it is sent.
    fn is_merged(&self, patch: &Patch) -> bool {
        self.rules.merge_partial_groups && merge::is_partial(patch, self.requirements().groups_go_together)
    }
}
