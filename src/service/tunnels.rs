//! Reads the current state of tunnels from the cloud.

use std::time::Duration;

use crate::domain::event::Route;
use crate::domain::fault::Fault;
use crate::domain::ids::{GatewayId, TunnelId, TunnelPath, VpcId};
use crate::domain::operation::{ErrorCode, OperationError};
use crate::domain::peer_config::PeerFormat;
use crate::domain::tunnel::Tunnel;
use crate::domain::tunnel_view::TunnelView;

use super::cloud::{Priority, ReadError, ReadFailure};
use super::ledger::LedgerError;
use super::{Service, outcome};

/// Why a tunnel could not be read.
#[derive(Debug, thiserror::Error)]
pub enum TunnelError {
    /// With the same error as a change that is refused for the reason.
    #[error("{}", error.detail)]
    Refused {
        error: OperationError,
        /// When to retry, if that is known.
        retry_after: Option<Duration>,
    },
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl TunnelError {
    /// The tunnel does not exist, or the caller may not see it. Both look the same on purpose.
    #[must_use]
    pub fn not_found() -> Self {
        outcome::error(ErrorCode::TunnelNotFound).into()
    }
}

/// Why there is no configuration for the peer.
#[derive(Debug, thiserror::Error)]
pub enum PeerConfigError {
    #[error(transparent)]
    Tunnel(#[from] TunnelError),
    /// The settings that are not shown, that are unknown, or that the format does not have.
    #[error("some settings have no form in the format")]
    NoForm(Vec<Fault>),
}

impl From<OperationError> for TunnelError {
    fn from(error: OperationError) -> Self {
        Self::Refused { error, retry_after: None }
    }
}

impl From<ReadError> for TunnelError {
    fn from(error: ReadError) -> Self {
        let retry_after = match error.failure {
            ReadFailure::NoBudget { retry_after } => Some(retry_after),
            ReadFailure::NoLedger => return Self::Ledger(LedgerError::Unavailable(error.failure.into())),
            ReadFailure::NotFound | ReadFailure::Refused(_) | ReadFailure::NoAnswer => None,
        };
        Self::Refused { error: outcome::unread(&error), retry_after }
    }
}

impl Service {
    /// The tunnel at the path.
    ///
    /// # Errors
    /// If the cloud does not show it.
    pub async fn tunnel(&self, path: &TunnelPath) -> Result<TunnelView, TunnelError> {
        let cloud = self.cloud_of(&path.vpc_id)?;
        let tunnel = cloud.tunnel(path, Priority::Read, "").await?;
        let mut shown = [self.shown(path, &tunnel, &cloud.route())];
        self.add_drift(&mut shown).await?;
        let [shown] = shown;
        Ok(shown)
    }

    /// The peer's side of the tunnel at the path, as it is now, in one of the formats.
    ///
    /// # Errors
    /// If the cloud does not show the tunnel, or its settings have no form in the format.
    pub async fn peer_config(
        &self,
        path: &TunnelPath,
        format: PeerFormat,
    ) -> Result<String, PeerConfigError> {
        let cloud = self.cloud_of(&path.vpc_id).map_err(TunnelError::from)?;
        let tunnel = cloud.tunnel(path, Priority::Read, "").await.map_err(TunnelError::from)?;
        // The unified id, if the cloud reports one in the form of an id.
        let unified = tunnel.tunnel_ids.first().and_then(|id| id.parse::<TunnelId>().ok());
        format.of(&tunnel, unified.as_ref().unwrap_or(&path.tunnel_id)).map_err(PeerConfigError::NoForm)
    }

    /// Tunnels of a gateway in the order of their ids, those after `after`, and at most `limit` of them; with `has_drift` only
    /// those with drift. The cloud
    /// pages by offset, which shifts when a tunnel is created or deleted. A cursor by id does not shift, so each page reads
    /// all tunnels.
    ///
    /// # Errors
    /// If the cloud shows no tunnel: it does not distinguish an empty gateway from a missing one.
    pub async fn tunnels(
        &self,
        vpc: &VpcId,
        gateway: &GatewayId,
        has_drift: bool,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<TunnelView>, TunnelError> {
        let cloud = self.cloud_of(vpc)?;
        let all = cloud.tunnels(vpc, gateway).await?;
        let route = cloud.route();
        if all.is_empty() {
            return Err(TunnelError::not_found());
        }
        // A tunnel without an id could not be requested either.
        let mut found: Vec<(&String, &Tunnel)> =
            all.iter().filter_map(|tunnel| Some((tunnel.tunnel_ids.first()?, tunnel))).collect();
        found.retain(|(id, _)| after.is_none_or(|after| id.as_str() > after));
        found.sort_by_key(|(id, _)| *id);
        let shown = |(id, tunnel): (&String, &Tunnel)| {
            TunnelView::of(tunnel, vpc, gateway, id, &route, &self.fingerprints)
        };
        if has_drift {
            let mut shown: Vec<TunnelView> = found.into_iter().map(shown).collect();
            self.add_drift(&mut shown).await?;
            shown.retain(|tunnel| !tunnel.drift.is_empty());
            shown.truncate(limit);
            return Ok(shown);
        }
        found.truncate(limit);
        let mut shown: Vec<TunnelView> = found.into_iter().map(shown).collect();
        self.add_drift(&mut shown).await?;
        Ok(shown)
    }

    /// The view of the tunnel at the path.
    pub(super) fn shown(&self, path: &TunnelPath, tunnel: &Tunnel, route: &Route) -> TunnelView {
        let TunnelPath { vpc_id, gateway_id, tunnel_id } = path;
        TunnelView::of(tunnel, vpc_id, gateway_id, tunnel_id.as_str(), route, &self.fingerprints)
    }
}
