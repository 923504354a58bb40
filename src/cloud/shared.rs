//! Reads of tunnels that share a call. Reads of one gateway's tunnels that wait for a slot go out together: one
//! page lists 50 tunnels (API 2.0) or 100 (API 3.0). A read that finds a free slot waits for no other.

use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::{Instrument, Span};

use crate::domain::event::Upstream;
use crate::domain::ids::TunnelPath;
use crate::domain::tunnel::Tunnel;
use crate::service::cloud::{Priority, ReadError, ReadFailure};
use crate::trace::carried;

use super::actions::Actions;
use super::budget::Need;
use super::client::Client;
use super::waiting::{Cleanup, Group, Waiter};

impl<A: Actions> Client<A> {
    /// Reads the tunnel at the path, together with other reads of its gateway that wait.
    pub(super) async fn tunnel_shared(
        &self,
        path: &TunnelPath,
        priority: Priority,
        principal: &str,
    ) -> Result<Tunnel, ReadError> {
        let end = self.caller.end_of_read();
        let (vpc, gateway) = (path.vpc_id.clone(), path.gateway_id.clone());
        let group = Group { vpc, gateway, priority, principal: principal.to_owned() };
        let (answer, answered) = oneshot::channel();
        if let Some(task) = self.waiting.add(&group, Waiter { path: path.clone(), answer }) {
            // A task of its own: the other reads must not depend on this caller.
            let work = self.clone().serve(group, task, end).instrument(Span::current());
            tokio::spawn(carried(work));
        }
        let lost = |_| Err(ReadError { failure: ReadFailure::NoAnswer, upstream: Upstream::default() });
        match answered.await.unwrap_or_else(lost)? {
            Some(tunnel) => Ok(tunnel),
            // It may be on a later page.
            None => self.one_tunnel(path, priority, None, end).await,
        }
    }

    /// Waits for a slot, and answers every read of the gateway that waits by then.
    async fn serve(self, group: Group, task: u64, end: Instant) {
        let _cleanup = Cleanup { waiting: &self.waiting, group: &group, task };
        // A change still needs the slot of its call.
        let is_last = group.priority != Priority::Change;
        let need =
            Need { priority: group.priority, is_last, is_recorded: false, principal: &group.principal };
        let slot = match self.caller.reserve(need).await {
            Ok(slot) => slot,
            Err(no_slot) => {
                let failure = ReadFailure::from(no_slot);
                for waiter in self.waiting.take(&group, task) {
                    let _ = waiter.answer.send(Err(ReadError { failure, upstream: Upstream::default() }));
                }
                return;
            }
        };
        let waiters = self.waiting.take_all(&group.vpc, &group.gateway);
        let Some(first) = waiters.first() else { return };
        let slot = Some(Box::new(slot) as _);
        if waiters.iter().all(|waiter| waiter.path == first.path) {
            let read = self.one_tunnel(&first.path, group.priority, slot, end).await;
            for waiter in waiters {
                let _ = waiter.answer.send(read.clone().map(Some));
            }
            return;
        }
        let read = self.first_page(&group.vpc, &group.gateway, group.priority, slot).await;
        for waiter in waiters {
            let at_path =
                |tunnels: Vec<Tunnel>| tunnels.into_iter().find(|tunnel| A::is_at(tunnel, &waiter.path));
            let _ = waiter.answer.send(read.clone().map(at_path));
        }
    }
}
