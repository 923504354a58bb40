//! Events of refused changes, limited so that no caller can fill the audit log.

use serde_json::json;
use tokio::time::Instant;

use crate::domain::event::{EventKind, NewEvent, Origin};
use crate::domain::ids::TunnelPath;
use crate::domain::principal::Principal;

use super::Service;
use super::ledger::{LedgerError, Step};

impl Service {
    /// Records that a caller was refused a change because of missing rights. Beyond 60 refusals a minute, one event counts
    /// the others at the minute's end.
    ///
    /// # Errors
    /// If the event can't be written.
    pub async fn record_denied(
        &self,
        principal: &Principal,
        path: &TunnelPath,
        origin: Origin,
    ) -> Result<(), LedgerError> {
        if !self.refusals.count(principal, path, Instant::now()) {
            return Ok(());
        }
        self.write_denied(principal, path, origin, None).await
    }

    /// Writes the events that count refusals: of the minutes that are over, or of all of them before the process ends.
    ///
    /// # Errors
    /// If an event can't be written. The refusals that it counts are lost then; each of them was refused all the same.
    pub async fn record_counted_refusals(&self, all: bool) -> Result<(), LedgerError> {
        for (principal, path, refusals) in self.refusals.ended(Instant::now(), all) {
            self.write_denied(&principal, &path, Origin::default(), Some(refusals)).await?;
        }
        Ok(())
    }

    async fn write_denied(
        &self,
        principal: &Principal,
        path: &TunnelPath,
        origin: Origin,
        refusals: Option<u32>,
    ) -> Result<(), LedgerError> {
        let now = self.clock.now();
        let event = NewEvent {
            origin,
            tunnel: Some(path.clone()),
            changes: refusals.map(|refusals| json!({ "refusals": refusals })),
            ..NewEvent::new(self.chance.id(now), EventKind::Denied, principal.actor.clone(), now)
        };
        self.ledger.write(Step::Record(Box::new(event))).await?;
        Ok(())
    }
}
