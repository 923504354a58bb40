//! The drift that callers see.

use std::collections::HashMap;
use std::time::Duration;

use crate::domain::drift::FieldDrift;
use crate::domain::principal::VpcScope;
use crate::domain::tunnel_view::TunnelView;

use crate::service::Service;
use crate::service::ledger::{DriftFilter, LedgerError, OpenDrift};
use crate::service::prepare::lock_id;

/// The standing of drift.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The number of tunnels with drift, by account. An account without any is absent.
    pub tunnels: Vec<(String, u64)>,
    /// How long ago the last sweep ended that read every tunnel; before the first, how long ago drift was first turned on.
    pub age: Option<Duration>,
}

/// Tunnels that one query asks for.
const AT_ONCE: usize = 500;

impl Service {
    /// Open differences older than `after`, newest first; none while drift is not watched, because they could be gone.
    pub async fn drifts(
        &self,
        vpcs: &VpcScope,
        filter: &DriftFilter,
        after: Option<(i64, String)>,
        limit: u32,
    ) -> Result<Vec<OpenDrift>, LedgerError> {
        if !self.watches_drift() {
            return Ok(Vec::new());
        }
        self.ledger.drifts(vpcs, filter, after, limit).await
    }

    /// The interval of the sweeps; `None` while drift is not watched.
    #[must_use]
    pub fn drift_interval(&self) -> Option<Duration> {
        *self.drift.borrow()
    }

    /// The standing of drift, for metrics.
    pub async fn drift_standing(&self) -> Result<Standing, LedgerError> {
        let (now, since) = (self.clock.now(), self.ledger.swept_since().await?);
        let tunnels = self.ledger.drift_counts().await?;
        Ok(Standing { tunnels, age: since.map(|since| now.since(since.at())) })
    }

    /// Adds their drift to tunnels.
    pub(in crate::service) async fn add_drift(&self, tunnels: &mut [TunnelView]) -> Result<(), LedgerError> {
        if !self.watches_drift() {
            return Ok(());
        }
        for tunnels in tunnels.chunks_mut(AT_ONCE) {
            let lock = |tunnel: &TunnelView| lock_id(&tunnel.vpc_id, &tunnel.tunnel_id);
            let locks: Vec<String> = tunnels.iter().map(lock).collect();
            let mut found: HashMap<String, Vec<FieldDrift>> = HashMap::new();
            for open in self.ledger.open_drift(&locks).await? {
                found.entry(open.lock_id).or_default().push(open.drift);
            }
            for tunnel in tunnels {
                tunnel.drift = found.remove(&lock(tunnel)).unwrap_or_default();
            }
        }
        Ok(())
    }

    /// True if the settings ask for it.
    fn watches_drift(&self) -> bool {
        self.drift.borrow().is_some()
    }
}
